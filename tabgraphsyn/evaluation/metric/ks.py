"""KS statistic of each number."""

from __future__ import annotations

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.gaps import ks_influences
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Influences
from tabgraphsyn.evaluation.statistics.statistics import known, ks_distance


class KS(ColumnMetric):
    """Largest gap between the distribution functions of a number or datetime."""

    name = "ks"
    title = "KS statistic"
    measures = "Largest gap between the real and the compared distribution function, per number and datetime."
    range = "0 to 1"
    direction = "lower"
    reading = "0: the same distribution; 1: no overlap (or no values at all)."
    source = "Kolmogorov-Smirnov; scipy.stats.ks_2samp gives the same statistic."
    kinds = ("numerical",)
    worst = 1.0

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the statistic."""
        return ks_distance(known(real), known(other))

    def influences(self, real: Feature, other: Feature, groups: GroupPair) -> Influences | None:
        """Return by how much each group of entities moves the statistic."""
        influences = ks_influences(real.values, other.values, groups)
        return None if influences is None else -influences
