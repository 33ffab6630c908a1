"""Membership inference: whether distance to the synthetic rows gives away who was in the training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.distance import mixed_rows, sampled, two_nearest
from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.side import Comparison, Side


class Membership(PrivacyMetric):
    """AUC of guessing that a real row was trained on from its distance to the nearest synthetic row.

    Args:
        cap_queries: real rows of each kind at most.
        cap_records: synthetic rows searched at most.
    """

    name = "membership"
    title = "Membership inference (distance)"
    measures = "AUC of telling training rows from holdout rows by their distance to the nearest released row."
    range = "0 to 1"
    direction = "half"
    reading = "0.5: the released rows say nothing about who was trained on; above 0.6 they do. `sd` is chance's spread."
    source = "Shadow-free distance attack, Chen et al. 2020 (GAN-Leaks), black box."

    def __init__(self, *, cap_queries: int = 3_000, cap_records: int = 30_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def table(self, data: EvaluationData, comparison: Comparison, table: str) -> Sequence[Result]:
        """Return the AUC of one table; the holdout cannot be attacked with itself."""
        if comparison.name == "real_real":
            return []
        generator = data.generator(self.name, comparison.name, table)
        whole = Side(comparison.reference.whole).features(table)
        real, released = mixed_rows(whole, comparison.candidate.features(table))
        members = sampled(data.training_rows[table], self.cap_queries, generator)
        others = sampled(data.holdout_rows[table], self.cap_queries, generator)
        records = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        distance, _, _ = two_nearest(real.take(np.concatenate([members, others])), records, data.threads)
        value = float(roc_auc_score(np.repeat([1, 0], [len(members), len(others)]), -distance))
        spread = float(np.sqrt((len(members) + len(others) + 1) / (12 * len(members) * len(others))))
        detail = {"members": len(members), "others": len(others), "records": len(records), "sd": spread}
        return [self.score("table", table, value, comparison.name, table=table, **detail)]
