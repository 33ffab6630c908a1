"""NNDR: whether one training row stands out as the nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.side import Comparison


class NNDR(PrivacyMetric):
    """Mean ratio of the distance to the nearest training row and to the second nearest.

    Args:
        cap_queries: rows looked up at most.
        cap_records: real rows searched at most.
    """

    name = "nndr"
    title = "NNDR"
    measures = (
        "Mean ratio between the distances to the nearest and the second nearest training row (1 where both are 0)."
    )
    range = "0 to 1"
    direction = "higher"
    reading = (
        "Well below the real-against-real value: rows sit on single training rows. Equal: no closer than unseen rows."
    )
    source = "Nearest-neighbour distance ratio, as used for synthetic data by Zhao et al. 2021 (CTAB-GAN)."

    def __init__(self, *, cap_queries: int = 5_000, cap_records: int = 50_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def table(self, data: EvaluationData, comparison: Comparison, table: str) -> Sequence[Result]:
        """Return the mean ratio of one table."""
        if len(data.training_rows[table]) < 2:
            return [self.unscored(table, "fewer than two training rows", comparison.name)]
        value = _mean_ratio(data, comparison, table, self.cap_queries, self.cap_records)
        holdout = _mean_ratio(data, data.holdout_comparison, table, self.cap_queries, self.cap_records)
        return [self.score("table", table, value, comparison.name, table=table, holdout=holdout)]


def _mean_ratio(data: EvaluationData, comparison: Comparison, table: str, queries: int, records: int) -> float:
    found = data.nearest(comparison, table, queries, records)
    first, second = found.to_training.astype(np.float64), found.second_training.astype(np.float64)
    return float(np.where(second > 0, first / np.maximum(second, 1e-12), 1.0).mean())
