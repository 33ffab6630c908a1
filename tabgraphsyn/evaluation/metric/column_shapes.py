"""Column shapes: whether each column is distributed as in the real data."""

from __future__ import annotations

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.gaps import ks_influences, tv_influences
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Influences
from tabgraphsyn.evaluation.statistics.statistics import known, ks_distance, tv_distance


class ColumnShapes(ColumnMetric):
    """1 - KS for numbers and datetimes, 1 - total variation for categories and booleans, per column."""

    name = "column_shapes"
    title = "Column shapes"
    measures = (
        "Whether each column on its own is distributed as the real one: 1 - KS statistic for numbers and datetimes, "
        "1 - total variation for categories and booleans. Missing values are left out; null_rates scores them."
    )
    range = "0 to 1"
    direction = "higher"
    reading = "Independent columns already reach 0.99: a low value is a fault, a high one is no claim."
    source = "SDMetrics 0.32 KSComplement and TVComplement; mean over all columns as its quality report takes it."

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the complement of the distance between both distributions."""
        if real.kind == "numerical":
            return 1 - ks_distance(known(real), known(other))
        return 1 - tv_distance(real, other)

    def influences(self, real: Feature, other: Feature, groups: GroupPair) -> Influences | None:
        """Return by how much each group of entities moves the value of one column."""
        if real.kind == "numerical":
            return ks_influences(real.values, other.values, groups)
        return tv_influences(real, other, groups)
