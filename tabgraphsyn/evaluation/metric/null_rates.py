"""Null rates: whether values and keys are missing as often as in the real data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.pointers import NULL
from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Level, Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import entity_groups
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.spread import GroupPair, joined


class NullRates(ComparisonMetric):
    """1 - |share of missing values, real - synthetic|, per column and per foreign key."""

    name = "null_rates"
    title = "Null rates"
    measures = "Whether columns and foreign keys are missing as often as in the real data: 1 - |difference of shares|."
    range = "0 to 1"
    direction = "higher"
    reading = "1 for columns that are never missing on both sides; look at single columns, the mean hides one."
    source = "SDMetrics 0.32 MissingValueSimilarity."

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per column and per foreign key, and their mean."""
        parts = [result for table in comparison.schema.table_names for result in self._table(data, comparison, table)]
        return [*mean_score(self, "database", "database", parts), *parts]

    def _table(self, data: EvaluationData, comparison: Comparison, table: str) -> list[Result]:
        sides = (comparison.reference, comparison.candidate)
        if min(side.num_rows(table) for side in sides) == 0:
            return [self.unscored(table, "one side has no rows", comparison.name)]
        groups = entity_groups(data, comparison, table)
        columns = [
            self._compared("column", f"{table}.{real.name}", [real.missing, other.missing], comparison, groups)
            for real, other in comparison.feature_pairs(table)
        ]
        keys = [
            self._compared("relation", name, [_null_keys(side, name, table) for side in sides], comparison, groups)
            for name in (relation.name for relation in comparison.schema.relations_of_child(table))
        ]
        return [*columns, *keys]

    def _compared(
        self, level: Level, where: str, missing: list[np.ndarray], comparison: Comparison, groups: GroupPair
    ) -> Result:
        real, other = (float(side.mean()) for side in missing)
        value = 1 - abs(real - other)
        used = [side[group.rows].astype(np.float64) for side, group in zip(missing, groups, strict=True)]
        influences = joined(-np.sign(real - other), used[0], used[1], groups)
        score = self.score(level, where, value, comparison.name, share_real=real, share_other=other)
        return self.with_error(score, influences)


def _null_keys(side: Side, relation: str, table: str) -> np.ndarray:
    return side.whole.pointers[relation][side.row_numbers(table)] == NULL
