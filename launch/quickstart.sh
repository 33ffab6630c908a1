#!/usr/bin/env bash
# The whole line on a part of the embedded flights: what `make demo` runs. At most five minutes on two CPU cores.
# Further overrides are passed on: launch/quickstart.sh seed=1 gnn=none dry_run=true
set -euo pipefail
exec "${PYTHON:-python}" -m tabgraphsyn.launch experiment=quickstart "$@"
