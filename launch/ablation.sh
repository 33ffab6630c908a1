#!/usr/bin/env bash
# claim: What each part of the unmasking model gives: memory of siblings, order of columns, kinds of numbers, graph network, width.
# campaigns: ablation-*
# points: 1, 2, 3, 4
# runs: nine launches of experiment=fidelity a database: a sweep a part, each against the default, and a launch a width
# cost: about sixteen runs of fidelity.sh a database; shared stages run once
# outputs: outputs/campaigns/ablation-<database>-<part>/<point>
# table: scripts/make_table.py
#   launch/ablation.sh FOLDER [FOLDER ...] [training.absorbing.steps=1500 ...]   a folder of tables, or the name of a dataset yaml
#   launch/ablation.sh FOLDER parts=history,width                                some of history, order, numbers, gnn, width
# Widths are compared at equal processor time: a step's cost beside that of width 128 is COSTS, measured on one core over
# rossmann_v1's test and single_adult (docs/performance.md); where steps= is given, it is that of width 128.
set -euo pipefail
COSTS="64:63 128:100 192:130 256:175 384:290"
steps=6000 parts=history,order,numbers,gnn,width
databases=() overrides=()
for word in "$@"; do
    case "$word" in
        training.absorbing.steps=*) steps="${word#*=}" ;;
        parts=*) parts="${word#*=}" ;;
        *=*) overrides+=("$word") ;;
        *) databases+=("$word") ;;
    esac
done
if [ "${#databases[@]}" -eq 0 ]; then databases=(nycflights13); fi

run() { # database, campaign's last word, overrides of the part
    local name="${1%/}" part="$2"
    local dataset=("dataset=$name")
    if [ -d "$name" ]; then
        name="$(cd "$name" && pwd)"
        dataset=(dataset=folder "dataset.path=$name" "dataset.name=${name##*/}")
    fi
    "${PYTHON:-python}" -m tabgraphsyn.launch -m experiment=fidelity "${dataset[@]}" \
        "campaign=ablation-${name##*/}-$part" "${@:3}" ${overrides[@]+"${overrides[@]}"}
}

for database in "${databases[@]}"; do
    for part in ${parts//,/ }; do
        same="training.absorbing.steps=$steps"
        case "$part" in
            history) run "$database" history "$same" generator.history=recurrent,last,none ;;
            order) run "$database" order "$same" generator.order=random,file ;;
            numbers) run "$database" numbers "$same" generator.numbers=auto,levels,smooth ;;
            gnn) run "$database" gnn "$same" gnn=none,gin,sage,gat ;;
            width)
                for pair in $COSTS; do
                    width="${pair%:*}"
                    run "$database" "width.$width" "generator.width=$width" \
                        "training.absorbing.steps=$((steps * 100 / ${pair#*:}))"
                done
                ;;
            *)
                echo "parts: some of history, order, numbers, gnn, width expected, found '$part'." >&2
                exit 2
                ;;
        esac
    done
done
