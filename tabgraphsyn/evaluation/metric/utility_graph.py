"""Utility by a graph network: what rows around a row say of it is learnt from synthetic families as from real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tabgraphsyn.evaluation.metric.utility import Parts, Predictions
from tabgraphsyn.evaluation.metric.utility_relational import UtilityRelational
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.row_graph import around
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.predictors import ranks
from tabgraphsyn.ranges import Count, Share, Width


class UtilityGraph(UtilityRelational):
    """Utility with a small graph network over the whole database in place of aggregates.

    Args:
        targets: columns to predict, each ``table.column``; None chooses them per table.
        per_table: number of columns chosen per table.
        cap_rows: rows to fit and rows to test at most; those around them are at most eight a key and hop.
        least_rows: fewer rows to fit or to test than this are not judged.
        least_skill: a model that reaches less than this after training on real rows does not count.
        own_columns: True adds the other columns of the row itself; they usually say more than other tables do, and
            then hide what the keys carry.
        width: of the network's hidden vectors.
        steps: of its training.
    """

    name = "utility_graph"
    title = "Utility by a graph network"
    measures = (
        "As utility across tables, with a graph network in place of aggregates: two layers of messages along every "
        "foreign key, in both directions, over the parents and at most eight children a row and key."
    )
    source = (
        "Relational deep learning (Robinson et al. 2024), train on synthetic, test on real; GraphSAGE's mean "
        "(Hamilton et al. 2017)."
    )

    def __init__(
        self,
        *,
        targets: Sequence[str] | None = None,
        per_table: Count = 1,
        cap_rows: Count = 2_000,
        least_rows: Count = 50,
        least_skill: Share = 0.05,
        own_columns: bool = False,
        width: Width = 32,
        steps: Count = 80,
    ) -> None:
        super().__init__(
            targets=targets,
            per_table=per_table,
            cap_rows=cap_rows,
            least_rows=least_rows,
            least_skill=least_skill,
            own_columns=own_columns,
        )
        self.width = width
        self.steps = steps

    def predictions(
        self,
        data: EvaluationData,
        comparison: Comparison,
        table: str,
        target: str,
        parts: Parts,
        features: tuple[Sequence[Feature], Sequence[Feature]],
    ) -> Predictions:
        """Return what the network says of the test rows after learning from compared and from real rows."""
        from tabgraphsyn.evaluation.statistics.graph_predictor import graph_predictions

        del features  # those are aggregates: by them targets are chosen
        real, made = comparison.reference.whole, comparison.candidate.whole
        column = real.features[table][target]
        known = _known(data, comparison)
        leave = (target,) if self.own_columns else tuple(real.features[table])
        generator = data.generator(self.name, comparison.name, table, target)
        sides = ((made, parts.made, parts.column), (real, parts.real, column), (real, parts.test, column))
        graphs = [around(whole, table, rows, known, generator, leave=leave) for whole, rows, _ in sides]
        answers = [
            values.values[rows].astype(np.int64) if column.levels else ranks(values.values[rows], parts.among)
            for _, rows, values in sides
        ]
        seed = data.seed_of(self.name, table, target) & 0x7FFFFFFF
        shape = {"width": self.width, "steps": self.steps}
        both = [
            graph_predictions(graphs[side], answers[side], graphs[2], column.levels, seed, **shape) for side in (0, 1)
        ]
        return {"graph network": (both[0], both[1])}, answers[2]


def _known(data: EvaluationData, comparison: Comparison) -> Mapping[str, Mapping[str, Feature]]:
    """Return the features of real training rows, by which the values of every database are encoded."""
    whole = comparison.reference.whole
    return {
        table: {name: feature.take(data.training_rows[table]) for name, feature in features.items()}
        for table, features in whole.features.items()
    }
