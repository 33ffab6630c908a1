"""NNDR: whether one training row stands out as the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import grouped
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View, table_view
from tabgraphsyn.evaluation.statistics.spread import Influences, described, one_sided, standard_error
from tabgraphsyn.ranges import Count


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
        "Well below the real-against-real value: rows sit on single training rows. Equal: no closer than unseen rows. "
        "The gate does not judge it: near copies and DCR show the same. Its interval is over entities of the rows "
        "looked up, the training rows being as they are; `holdout_interval` is that of the real-against-real value."
    )
    source = "Nearest-neighbour distance ratio, as used for synthetic data by Zhao et al. 2021 (CTAB-GAN)."

    def __init__(self, *, cap_queries: Count = 5_000, cap_records: Count = 50_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the mean ratio of one view."""
        training = len(data.training_rows[view.table])
        if training < 2:
            return [self.unscored(view.where, "fewer than two training rows", comparison.name)]
        real = data.holdout_comparison
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        value, influences = self._mean_ratio(data, comparison, view)
        holdout, holdout_influences = self._mean_ratio(data, real, table_view(real, view.table))
        detail: dict[str, Any] = {"holdout": holdout, "rows": len(found.query_rows), "rows_of": found.queries_of}
        detail |= {"training_records": found.training_records, "training_records_of": training}
        if holdout_influences is not None:
            spread = described(holdout, standard_error(holdout_influences), "entities")
            detail |= {"holdout_sd": spread["sd"], "holdout_interval": spread["interval"]}
        return [self.with_error(self.of_view(view, value, comparison, **detail), influences)]

    def _mean_ratio(self, data: EvaluationData, comparison: Comparison, view: View) -> tuple[float, Influences | None]:
        """Return the mean ratio, and by how much each group of entities of the rows looked up moves it."""
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        first, second = found.to_training.astype(np.float64), found.second_training.astype(np.float64)
        ratio = np.where(second > 0, first / np.maximum(second, 1e-12), 1.0)
        groups = grouped(data, data.entities(comparison.candidate, view.table)[found.query_rows])
        return float(ratio.mean()), one_sided(ratio[groups.rows], groups)
