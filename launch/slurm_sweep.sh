#!/usr/bin/env bash
# claim: Three graph networks and three seeds as job arrays: jobs, dependencies, shared stages, wall time.
# campaigns: sweep
# points: 9
# runs: one launch of three graph networks by three seeds on a throw-away Slurm of this machine (slurm/devcluster)
# cost: about half an hour of two CPU cores
# outputs: a folder that goes with the Slurm; --keep FOLDER keeps reports and scores
# table: scripts/bench_slurm_sweep.py
# Further overrides are passed on; dry_run=true needs no Slurm.
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_slurm_sweep.py" "$@"
