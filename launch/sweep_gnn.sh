#!/usr/bin/env bash
# claim: Every graph network against none, over three seeds; shared stages run once.
# campaigns: sweep_gnn
# points: 21
# runs: one launch of seven graph networks by three seeds of experiment=quickstart
# cost: about an hour of two CPU cores
# outputs: outputs/campaigns/sweep_gnn/gnn=<name>,seed=<number>
# table: scripts/make_table.py
set -euo pipefail
exec "${PYTHON:-python}" -m tabgraphsyn.launch -m experiment=quickstart campaign=sweep_gnn \
    gnn=gin,gat,gatv2,sage,edgecnn,gcn,none seed=0,1,2 "$@"
