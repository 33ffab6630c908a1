"""Near copies: how many rows lie closer to a training row than real rows do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.distance import TIE, mixed_rows, sampled
from tabgraphsyn.evaluation.evidence import Evidence, share_of
from tabgraphsyn.evaluation.neighbours import k_nearest
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.side import Comparison
from tabgraphsyn.evaluation.view import View


class NearCopies(PrivacyMetric):
    """Share of rows closer to a training row than the closest few percent of unseen real rows are.

    Args:
        percentile: of the real rows' distances to training rows of other entities, below which a row is a near copy.
        cap_queries: rows looked up at most.
        cap_records: real rows searched at most.
    """

    name = "near_copies"
    title = "Near copies"
    measures = (
        "Share of rows whose nearest training row is at most as far as a training row of another entity is from the "
        "closest 5 % of real rows (mean difference over columns, numbers by rank)."
    )
    range = "0 to 1"
    direction = "lower"
    reading = (
        "`unseen` is what unseen real rows reach: 0.05, more where rows repeat. Above it: copying, or rows that crowd "
        "where real ones are dense; DCR and membership tell which."
    )
    finding = "{value:.0%} of rows lie as near to a training row as the nearest {usual:.0%} of unseen real rows"
    source = "Distance-to-closest-record thresholds as in Platzer and Reutterer 2021."

    def __init__(self, *, percentile: float = 5.0, cap_queries: int = 5_000, cap_records: int = 50_000) -> None:
        self.percentile = percentile
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the share of near copies among the rows of one view."""
        key = ("unseen distances", *view.key, self.cap_queries, self.cap_records)
        unseen, unseen_entities = data.once(key, lambda: self._unseen(data, view))
        threshold = float(np.percentile(unseen, self.percentile))
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        entities = data.entities(comparison.candidate, view.table)[found.query_rows]
        share = share_of(found.to_training <= threshold + TIE, entities)
        baseline = share_of(unseen <= threshold + TIE, unseen_entities)
        excess = share.value - baseline.value
        return [
            self.of_view(
                view,
                share.value,
                comparison,
                Evidence(excess, share=share, baselines=(baseline,)),
                unseen=baseline.value,
                excess=excess,
                threshold=threshold,
                median_distance=float(np.median(found.to_training)),
                median_distance_unseen=float(np.median(unseen)),
                rows=len(found.to_training),
                training_records=found.training_records,
                searched=found.training_records / len(data.training_rows[view.table]),
                columns=len(view.reference),
            )
        ]

    def _unseen(self, data: EvaluationData, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return how far real rows are from training rows of other entities, and the real rows' entities.

        For held-out rows that is the distance to training; training rows join them as if their entity had been held
        out, so that the line rests on ten times as many rows.
        """
        generator = data.generator(self.name, "unseen", view.where)
        real, _ = mixed_rows(view.reference, view.reference)
        entities = data.real_entities(view.table)
        rows = sampled(np.arange(len(real)), self.cap_queries, generator)
        records = sampled(data.training_rows[view.table], self.cap_records, generator)
        away = k_nearest(
            real.take(rows),
            real.take(records),
            1,
            threads=data.threads,
            query_entities=entities[rows],
            record_entities=entities[records],
        )[:, 0]
        return np.minimum(away, 1.0), entities[rows]
