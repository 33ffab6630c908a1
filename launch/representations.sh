#!/usr/bin/env bash
# claim: VAE latents against the data space at equal training time (docs/log.md holds the figures).
# campaigns: representations-*
# points: 1
# runs: three launches of experiment=fidelity model=data_space a database: data space, a short VAE for its pace, VAE at equal time
# cost: about fifteen minutes of two CPU cores a database
# outputs: outputs/campaigns/representations-<database>-{data_space,vae-pilot,vae}/default
# table: scripts/bench_representations.py
#   launch/representations.sh FOLDER [FOLDER ...] [dry_run=true ...]
set -euo pipefail
databases=() overrides=()
for word in "$@"; do
    case "$word" in *=*) overrides+=(--override "$word") ;; *) databases+=("$word") ;; esac
done
if [ "${#databases[@]}" -eq 0 ]; then databases=(breast_cancer); fi
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_representations.py" "${databases[@]}" "${overrides[@]}"
