"""RMSE between marginals."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.feature import Feature
from tabgraphsyn.evaluation.statistics import marginals


class MarginalRMSE(ColumnMetric):
    """Root mean squared difference of the shares of categories, or of equal-width bins of the real range.

    Args:
        bins: bins of a number; values outside the real range fall into the outer bins, missing values into their own.
    """

    name = "marginal_rmse"
    title = "RMSE between marginals"
    measures = "Root mean squared difference between real and compared shares of each category or bin, per column."
    range = "0 to 1"
    direction = "lower"
    reading = "0: equal marginals. Many categories make it small: compare columns with themselves, not with each other."
    source = "The ancestors' tables; own definition of the bins, stated here."
    worst = 1.0

    def __init__(self, *, bins: int = 20) -> None:
        self.bins = bins

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the difference of one column."""
        left, right = marginals(real, other, self.bins)
        return float(np.sqrt(((left - right) ** 2).mean()))
