"""k-hop trends: whether columns of tables k foreign keys apart hang together as in the real data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from annotated_types import Interval

from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import side_groups
from tabgraphsyn.evaluation.sides.keys import Path
from tabgraphsyn.evaluation.sides.side import Comparison, Side, select
from tabgraphsyn.evaluation.statistics.pairs import PairTrend, PreparedColumn, pair_trend, prepared
from tabgraphsyn.evaluation.statistics.spread import Influences, mean_influences
from tabgraphsyn.ranges import Count

WORST_SHOWN = 12


class KHopTrends(ComparisonMetric):
    """Pair trends between the two ends of every path of k foreign keys, after joining down the path.

    Args:
        longest: largest k, at most 3.
        bins: number of equal-width bins in which a number meets a category.
        own_edges: as in pair_trends.
    """

    name = "khop_trends"
    title = "k-hop trends"
    measures = (
        "Whether columns of tables that are k foreign keys apart hang together as in the real data: pair trends on the "
        "rows of the lowest table joined with their ancestor, over all paths, two keys to one parent counted apart."
    )
    range = "0 to 1"
    direction = "higher"
    reading = "Only what exceeds the independent columns' value is a claim; they reach about 0.84 at one hop."
    source = "ClavaDDPM's and GRDM's long-range dependency; at k = 1 SDMetrics' Intertable Trends, thresholds 0."

    def __init__(
        self, *, longest: Annotated[int, Interval(ge=1, le=3)] = 3, bins: Count = 10, own_edges: bool = False
    ) -> None:
        self.longest = longest
        self.bins = bins
        self.own_edges = own_edges

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per path and, for each k, the mean over all pairs of all its paths."""
        results: list[Result] = []
        for hops in range(1, self.longest + 1):
            values: list[PairTrend] = []
            at_hops: list[Result] = []
            for path in comparison.paths(hops):
                result, pairs = self._path(data, comparison, path, hops)
                at_hops.append(result)
                values += pairs
            if values:
                mean, influences = _mean(values)
                score = self.score("database", f"{hops}-hop", mean, comparison.name, k=hops, parts=len(values))
                at_hops.insert(0, self.with_error(score, influences))
            results += at_hops
        return results or [self.unscored("database", "no foreign key to follow", comparison.name)]

    def _path(
        self, data: EvaluationData, comparison: Comparison, path: Path, hops: int
    ) -> tuple[Result, list[PairTrend]]:
        if comparison.is_baseline and comparison.candidate.num_rows(path.child) == 0:
            reason = "the real part it is compared with has no rows"
            return self.unscored(path.name, reason, comparison.name), []
        sides = (comparison.reference, comparison.candidate)
        # Only row numbers are joined: columns stay in their tables and are looked up batch by batch.
        joins = [side.joined_rows(path) for side in sides]
        child, parent = (
            self._prepared(sides, table, [rows[end] for rows in joins])
            for end, table in enumerate((path.child, path.parent))
        )
        pairs = list(itertools.product(child, parent))
        reference, candidate = (
            side_groups(data, side, path.child, rows[0]) for side, rows in zip(sides, joins, strict=True)
        )
        trends = data.map(lambda pair: pair_trend(*pair, (reference, candidate)), pairs)
        named = [
            (f"{path.child}.{left.name} ~ {path.parent}.{right.name}", trend)
            for (left, right), trend in zip(pairs, trends, strict=True)
        ]
        values = [trend for _, trend in named if trend.value is not None]
        if not values:
            return self.unscored(path.name, _why_none(named), comparison.name), []
        detail = {"k": hops, "path": [relation.name for relation in path.relations], "parts": len(values)}
        worst = sorted((trend.value, name) for name, trend in named if trend.value is not None)[:WORST_SHOWN]
        detail["worst"] = [{"where": name, "value": value} for value, name in worst]
        mean, influences = _mean(values)
        return self.with_error(self.score("relation", path.name, mean, comparison.name, **detail), influences), values

    def _prepared(self, sides: Sequence[Side], table: str, rows: Sequence[np.ndarray]) -> list[PreparedColumn]:
        real, other = (select(side.whole, table, chosen) for side, chosen in zip(sides, rows, strict=True))
        return prepared(list(zip(real, other, strict=True)), self.bins, self.own_edges)


def _mean(trends: Sequence[PairTrend]) -> tuple[float, Influences | None]:
    """Return the mean of the values, which all are numbers, and by how much each group of entities moves it."""
    values = [trend.value for trend in trends if trend.value is not None]
    return sum(values) / len(values), mean_influences([trend.influences for trend in trends])


def _why_none(named: list[tuple[str, PairTrend]]) -> str:
    if not named:
        return "one end of the path has no columns besides keys"
    return named[0][1].reason
