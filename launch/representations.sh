#!/usr/bin/env bash
# VAE latents against the data space at equal training time (docs/log.md holds the figures).
#   launch/representations.sh FOLDER [FOLDER ...]
set -euo pipefail
"${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_representations.py" "$@"
