"""Pair trends: whether two columns of one table hang together as in the real data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import entity_groups
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.pairs import PairTrend, PreparedColumn, pair_trend, prepared
from tabgraphsyn.evaluation.statistics.spread import GroupPair
from tabgraphsyn.ranges import Count


class PairTrends(ComparisonMetric):
    """1 - |r - r'| / 2 (Pearson) for two numbers, otherwise contingency similarity, per pair of columns.

    Args:
        bins: number of equal-width bins in which a number meets a category.
        own_edges: False takes the bins of the real column for both sides; True gives each side its own bins, as the
            reports of SDMetrics 0.32 do.
    """

    name = "pair_trends"
    title = "Column pair trends"
    measures = (
        "Whether two columns of one table hang together as in the real data: 1 - |r - r'| / 2 with Pearson's r for two "
        "numbers, otherwise 1 - total variation of the joint distribution. Every pair counts (threshold 0)."
    )
    range = "0 to 1"
    direction = "higher"
    reading = "Only what exceeds the independent columns' value is a claim; they reach about 0.8."
    source = "SDMetrics 0.32 CorrelationSimilarity and ContingencySimilarity, thresholds 0; bins of the real column."

    def __init__(self, *, bins: Count = 10, own_edges: bool = False) -> None:
        self.bins = bins
        self.own_edges = own_edges

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per pair, per table, and over all pairs."""
        results: list[Result] = []
        for table in comparison.schema.table_names:
            columns = prepared(comparison.selected_pairs(table), self.bins, self.own_edges)
            if comparison.is_baseline and comparison.candidate.num_rows(table) == 0:
                results.append(self.unscored(table, "the real part it is compared with has no rows", comparison.name))
                continue
            pairs = list(itertools.combinations(columns, 2))
            trends = data.map(partial(_trend, entity_groups(data, comparison, table)), pairs)
            scores = [self._pair(table, *pair, trend, comparison) for pair, trend in zip(pairs, trends, strict=True)]
            results += [*scores, *mean_score(self, "table", table, scores)]
        pairs_scored = [result for result in results if getattr(result, "level", None) == "pair"]
        if not pairs_scored:
            return [*results, self.unscored("database", "no pair of columns to score", comparison.name)]
        return [*mean_score(self, "database", "database", pairs_scored, pair_threshold=0.0), *results]

    def _pair(
        self, table: str, left: PreparedColumn, right: PreparedColumn, trend: PairTrend, comparison: Comparison
    ) -> Result:
        where = f"{table}.{left.name} ~ {table}.{right.name}"
        if trend.value is None:
            return self.unscored(where, trend.reason, comparison.name)
        detail: dict[str, Any] = {"table": table, "columns": [left.name, right.name], "kind": trend.kind}
        extra = {"real_r": trend.real, "other_r": trend.other, "reason": trend.reason or None}
        detail |= {key: value for key, value in extra.items() if value is not None}
        return self.with_error(self.score("pair", where, trend.value, comparison.name, **detail), trend.influences)


def _trend(groups: GroupPair, pair: tuple[PreparedColumn, PreparedColumn]) -> PairTrend:
    return pair_trend(*pair, groups)
