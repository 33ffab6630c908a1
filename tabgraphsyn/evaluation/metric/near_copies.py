"""Near copies: how many rows lie closer to a training row than real rows do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.distance import TIE
from tabgraphsyn.evaluation.evidence import Evidence, share_of
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.side import Comparison
from tabgraphsyn.evaluation.view import View, table_view


class NearCopies(PrivacyMetric):
    """Share of rows closer to a training row than the closest few percent of the holdout rows are.

    Args:
        percentile: of the holdout rows' distances to training, below which a row is a near copy.
        cap_queries: rows looked up at most.
        cap_records: real rows searched at most.
    """

    name = "near_copies"
    title = "Near copies"
    measures = (
        "Share of rows whose nearest training row is at most as far as that of the closest 5 % of the holdout rows "
        "(mean difference over columns, numbers by rank)."
    )
    range = "0 to 1"
    direction = "lower"
    reading = (
        "The real-against-real value is what unseen real rows reach (0.05, more where rows repeat); above it, copying."
    )
    finding = "{value:.0%} of rows lie as near to a training row as the nearest {usual:.0%} of unseen real rows"
    source = "Distance-to-closest-record thresholds as in Platzer and Reutterer 2021."

    def __init__(self, *, percentile: float = 5.0, cap_queries: int = 5_000, cap_records: int = 50_000) -> None:
        self.percentile = percentile
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the share of near copies among the rows of one view."""
        real = data.holdout_comparison
        beside = data.nearest(real, table_view(real, view.table), self.cap_queries, self.cap_records)
        held_out = beside.to_training
        threshold = float(np.percentile(held_out, self.percentile))
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        entities = data.entities(comparison.candidate, view.table)[found.query_rows]
        share = share_of(found.to_training <= threshold + TIE, entities)
        held_entities = data.entities(real.candidate, view.table)[beside.query_rows]
        baseline = share_of(held_out <= threshold + TIE, held_entities)
        excess = share.value - baseline.value
        return [
            self.of_view(
                view,
                share.value,
                comparison,
                Evidence(excess, share=share, baselines=(baseline,)),
                holdout=baseline.value,
                excess=excess,
                threshold=threshold,
                median_distance=float(np.median(found.to_training)),
                median_distance_holdout=float(np.median(held_out)),
                rows=len(found.to_training),
                training_records=found.training_records,
                columns=len(view.reference),
            )
        ]
