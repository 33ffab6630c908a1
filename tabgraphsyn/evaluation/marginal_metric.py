"""Metrics that compare the shares of categories or bins."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from tabgraphsyn.config.ranges import Count
from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.statistics import marginals


class MarginalMetric(ColumnMetric):
    """A difference between the shares of categories, or of equal-width bins of the real range.

    Args:
        bins: bins of a number; values outside the real range fall into the outer bins, missing values into their own.
    """

    range = "0 to 1"
    direction = "lower"
    reading = "0: equal marginals. Many categories make it small: compare columns with themselves, not with each other."
    source = "The ancestors' tables; own definition of the bins, stated here."
    worst = 1.0

    def __init__(self, *, bins: Count = 20) -> None:
        self.bins = bins

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the difference of one column."""
        left, right = marginals(real, other, self.bins)
        return self.difference(left - right)

    @abstractmethod
    def difference(self, gaps: np.ndarray) -> float:
        """Return one number for the differences of the shares, (shares,)."""
