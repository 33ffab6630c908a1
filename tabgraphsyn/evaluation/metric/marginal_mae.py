"""MAE between marginals."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.column_metric import MarginalMetric


class MarginalMAE(MarginalMetric):
    """Mean absolute difference of the shares."""

    name = "marginal_mae"
    title = "MAE between marginals"
    measures = "Mean absolute difference between real and compared shares of each category or bin, per column."

    def difference(self, gaps: np.ndarray) -> float:
        """Return the mean over the shares, (shares,)."""
        return float(np.abs(gaps).mean())
