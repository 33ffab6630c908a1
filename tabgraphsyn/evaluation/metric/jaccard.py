"""Jaccard similarity of the sets of categories."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.statistics import known


class Jaccard(ColumnMetric):
    """Categories on both sides over categories on either side, per categorical column."""

    name = "jaccard"
    title = "Jaccard similarity of categories"
    measures = "Share of the categories on either side that occur on both, per categorical and boolean column."
    range = "0 to 1"
    direction = "higher"
    reading = "Below 1: categories were lost, or made up. Rare categories weigh as much as frequent ones."
    source = "Jaccard index of the two sets of categories."
    kinds = ("categorical",)

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the index."""
        left, right = np.unique(known(real)), np.unique(known(other))
        both = len(np.intersect1d(left, right, assume_unique=True))
        return both / (len(left) + len(right) - both)
