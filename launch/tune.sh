#!/usr/bin/env bash
# claim: A study over several databases at once ends although its client is killed twice, once with all that works for it.
# campaigns: tune
# points: 1
# runs: 20 trials, each a point of every database (by default the two embedded ones, small budgets), and its winner with new seeds
# cost: about an hour of one CPU core, 1 GB
# outputs: outputs/campaigns/tune, outputs/campaigns/tune-winner, outputs/studies/tune
# table: scripts/bench_tune.py
#   launch/tune.sh [DATABASE ...] [KEY=VALUE ...] [dry_run=true]     names of dataset yamls; --trials 20 --kills 2
set -euo pipefail
exec "${PYTHON:-python}" "$(dirname "$0")/../scripts/bench_tune.py" "$@"
