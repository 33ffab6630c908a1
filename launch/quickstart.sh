#!/usr/bin/env bash
# claim: The whole line on a part of the embedded flights: what `make demo` runs.
# campaigns: quickstart
# points: 1
# runs: one launch of experiment=quickstart, one seed
# cost: at most five minutes of two CPU cores, 0.5 GB
# outputs: outputs/campaigns/quickstart/default
# table: scripts/make_claims.py
# Further overrides are passed on: launch/quickstart.sh seed=1 gnn=none dry_run=true
set -euo pipefail
exec "${PYTHON:-python}" -m tabgraphsyn.launch experiment=quickstart campaign=quickstart "$@"
