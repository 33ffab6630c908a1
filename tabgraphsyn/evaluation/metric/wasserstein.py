"""Wasserstein distance of each number."""

from __future__ import annotations

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.gaps import wasserstein_influences
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Influences
from tabgraphsyn.evaluation.statistics.statistics import known, wasserstein
from tabgraphsyn.ranges import NotNegative


class Wasserstein(ColumnMetric):
    """How far values must be moved, in standard deviations of the real column.

    Args:
        worst: value given to a column that has lost all its values.
    """

    name = "wasserstein"
    title = "Wasserstein distance"
    measures = "How far values must be moved on average to make the distributions equal, in real standard deviations."
    range = "0 upwards"
    direction = "lower"
    reading = "0: the same distribution; 0.1: off by a tenth of a standard deviation on average."
    source = "scipy.stats.wasserstein_distance, divided by the standard deviation of the real column."
    kinds = ("numerical",)
    undefined = "the real column is constant: there is no unit to measure in"

    def __init__(self, *, worst: NotNegative = 10.0) -> None:
        self.worst = worst

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the distance in real standard deviations, None for a constant real column."""
        left, right = known(real), known(other)
        spread = float(left.std())
        return None if left.min() == left.max() else wasserstein(left, right) / spread

    def influences(self, real: Feature, other: Feature, groups: GroupPair) -> Influences | None:
        """Return by how much each group of entities moves the distance."""
        return wasserstein_influences(real.values, other.values, groups)
