"""RMSE between marginals."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.column_metric import MarginalMetric


class MarginalRMSE(MarginalMetric):
    """Root mean squared difference of the shares."""

    name = "marginal_rmse"
    title = "RMSE between marginals"
    measures = "Root mean squared difference between real and compared shares of each category or bin, per column."

    def difference(self, gaps: np.ndarray) -> float:
        """Return the mean over the shares, (shares,)."""
        return float(np.sqrt((gaps**2).mean()))
