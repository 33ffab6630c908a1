#!/usr/bin/env bash
# Every graph network against none, over three seeds; shared stages run once.
set -euo pipefail
exec "${PYTHON:-python}" -m tabgraphsyn.launch -m experiment=quickstart campaign=sweep_gnn \
    gnn=gin,gat,gatv2,sage,edgecnn,gcn,none seed=0,1,2 "$@"
