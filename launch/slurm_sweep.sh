#!/usr/bin/env bash
# Three graph networks and three seeds as job arrays on a throw-away Slurm of this machine (slurm/devcluster): the table
# of jobs, dependencies and shared stages, and the wall time. Further overrides are passed on.
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_slurm_sweep.py" "$@"
