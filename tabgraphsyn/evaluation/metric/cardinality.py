"""Cardinality: whether each parent has as many children as in the real data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import entity_groups
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.gaps import ks_influences
from tabgraphsyn.evaluation.statistics.statistics import ks_distance


class Cardinality(ComparisonMetric):
    """1 - KS of the number of children per parent, per foreign key; parents without children count as 0."""

    name = "cardinality"
    title = "Cardinality"
    measures = "Whether parents have as many children as real ones: 1 - KS of children per parent, per foreign key."
    range = "0 to 1"
    direction = "higher"
    reading = (
        "Near 1 is expected of any model of the keys; well below means that childless parents or big families are lost."
    )
    source = "SDMetrics 0.32 CardinalityShapeSimilarity; mean over foreign keys."

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per foreign key and their mean."""
        if not comparison.schema.relations:
            return [self.unscored("database", "no foreign keys", comparison.name)]
        scores = data.map(lambda relation: self._relation(relation, data, comparison), comparison.schema.relations)
        return [*mean_score(self, "database", "database", scores), *scores]

    def _relation(self, relation: Relation, data: EvaluationData, comparison: Comparison) -> Result:
        real = children_per_parent(comparison.reference, relation)
        other = children_per_parent(comparison.candidate, relation)
        if len(real) == 0:
            return self.unscored(relation.name, "the real side has no parents", comparison.name)
        if len(other) == 0 and comparison.is_baseline:
            return self.unscored(relation.name, "the real part it is compared with has no parents", comparison.name)
        detail = {
            "relation": relation.name,
            "mean_real": float(real.mean()),
            "mean_other": float(other.mean()) if len(other) else 0.0,
            "childless_real": float((real == 0).mean()),
            "childless_other": float((other == 0).mean()) if len(other) else 0.0,
        }
        value = 1 - ks_distance(real, other)
        influences = (
            ks_influences(real, other, entity_groups(data, comparison, relation.parent_table)) if len(other) else None
        )
        return self.with_error(self.score("relation", relation.name, value, comparison.name, **detail), influences)


def children_per_parent(side: Side, relation: Relation) -> np.ndarray:
    """Return (parents of this side,) int64: how many rows of the whole database refer to each."""
    rows = side.whole.pointers[relation.name]
    counts = np.bincount(rows[rows >= 0], minlength=side.whole.num_rows[relation.parent_table])
    return counts[side.row_numbers(relation.parent_table)]
