"""SDMetrics' quality report, as published tables quote it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.metric.cardinality import Cardinality
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.score import Score
from tabgraphsyn.evaluation.sdmetrics_reports import OVERALL, SDMetricsReport, Spreads, property_scores
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.spread import Influences, described, standard_error
from tabgraphsyn.ranges import Share

# Of each property our metric of the same definition, and the place of its mean.
COUNTERPARTS: Mapping[str, tuple[ComparisonMetric, str]] = MappingProxyType(
    {
        "Column Shapes": (ColumnShapes(), "database"),
        "Column Pair Trends": (PairTrends(own_edges=True), "database"),
        "Cardinality": (Cardinality(), "database"),
        "Intertable Trends": (KHopTrends(longest=1, own_edges=True), "1-hop"),
    }
)


class SDMetricsQuality(SDMetricsReport):
    """The quality report: column shapes, pair trends, cardinality, intertable trends and their mean.

    The spread is that of our metrics of the same definitions, which tell how entities move them at a tenth of the
    report's cost (0.2 and 2.0 s on 66,000 rows); 64 reports, one without each group of entities, would take minutes.
    Where SDMetrics' value is not ours (a pair threshold leaves pairs out, tables of over 50,000 rows are thinned) the
    difference widens the interval.

    Args:
        pair_threshold: pairs whose real correlation or association does not exceed it do not count. SDMetrics 0.32
            itself takes 0.5 and 0.3, which leaves no pair at all in some databases; 0 counts every pair.
    """

    name = "sdmetrics_quality"
    title = "SDMetrics quality report"
    measures = "The mean of SDMetrics' column shapes, pair trends, cardinality and intertable trends, and each of them."
    range = "0 to 1"
    direction = "higher"
    reading = (
        "For comparison with published tables of the same SDMetrics version only: 0.18 and 0.32 differ by up to "
        "23 points in pair trends. Independent columns reach 0.8 to 0.9."
    )
    source = "SDMetrics 0.32 QualityReport; pair threshold stated with the value."

    def __init__(self, *, pair_threshold: Share = 0.0) -> None:
        self.pair_threshold = pair_threshold

    def report(self) -> Any:
        """Return SDMetrics' report for one or many tables."""
        from sdmetrics.reports.quality_report import QualityReport

        report = QualityReport()
        report.real_correlation_threshold = self.pair_threshold
        report.real_association_threshold = self.pair_threshold
        return report

    def leaves_out(self, relationship: Mapping[str, Any]) -> bool:
        """Return True for a table's key to itself: joined, both sides would have the same column names."""
        return relationship["parent_table_name"] == relationship["child_table_name"]

    def spreads(self, report: Any, data: EvaluationData, comparison: Comparison) -> Spreads:
        """Return the spread of each property that one of ours stands for, and of their mean."""
        values = property_scores(report)
        ours = {name: _counterpart(name, data, comparison) for name in values}
        known = {name: found for name, found in ours.items() if found is not None}
        spreads = {name: _spread(values[name], [found]) for name, found in known.items()}
        if known and len(known) == len(values):
            spreads[OVERALL] = _spread(report.get_score(), list(known.values()))
        return spreads

    def stated(self) -> dict[str, Any]:
        """Return the version and the pair threshold."""
        return {**super().stated(), "pair_threshold": self.pair_threshold}


def _counterpart(name: str, data: EvaluationData, comparison: Comparison) -> tuple[float, Influences] | None:
    """Return our value of a property and its influences, None where there is none or entities are too few."""
    if name not in COUNTERPARTS:
        return None
    metric, where = COUNTERPARTS[name]
    scores = [result for result in metric.compare(data, comparison) if isinstance(result, Score)]
    return next(
        ((score.value, score.influences) for score in scores if score.where == where and score.influences is not None),
        None,
    )


def _spread(value: float, ours: list[tuple[float, Influences]]) -> dict[str, Any]:
    """Return the spread of a mean of properties: that of our mean, and how far the two values are apart."""
    own = math.fsum(each for each, _ in ours) / len(ours)
    influences = np.mean([each for _, each in ours], axis=0)
    return described(value, math.hypot(standard_error(influences), value - own), "entities") | {"own_value": own}
