"""Membership inference: whether distance to the synthetic rows gives away who was in the training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.distance import mixed_rows, sampled, two_nearest
from tabgraphsyn.evaluation.evidence import auc_evidence
from tabgraphsyn.evaluation.privacy import PrivacyMetric, attacked_rows
from tabgraphsyn.evaluation.side import Comparison
from tabgraphsyn.evaluation.view import View


class Membership(PrivacyMetric):
    """AUC of guessing that a real row was trained on from its distance to the nearest synthetic row.

    Args:
        cap_queries: real rows of each kind at most.
        cap_records: synthetic rows searched at most.
    """

    name = "membership"
    scores_holdout = False
    title = "Membership inference (distance)"
    measures = "AUC of telling training rows from holdout rows by their distance to the nearest released row."
    range = "0 to 1"
    direction = "half"
    reading = "0.5: the released rows say nothing about who was trained on; above 0.6 they do. `sd` is chance's spread."
    finding = "distances give away who was trained on (AUC {value:.2f}; .50 is guessing)"
    source = "Shadow-free distance attack, Chen et al. 2020 (GAN-Leaks), black box."

    def __init__(self, *, cap_queries: int = 3_000, cap_records: int = 30_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the AUC of one view; the holdout cannot be attacked with itself."""
        generator = data.generator(self.name, comparison.name, view.where)
        real, released = mixed_rows(view.reference, view.candidate)
        rows, is_member, entities = attacked_rows(data, view, self.cap_queries, generator)
        records = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        distance, _, _ = two_nearest(real.take(rows), records, data.threads)
        near = -distance.astype(np.float64)
        value, evidence = auc_evidence(near[is_member], near[~is_member], entities[is_member], entities[~is_member])
        detail: dict[str, float] = {
            "members": int(is_member.sum()),
            "others": int((~is_member).sum()),
            "records": len(records),
        }
        detail["searched"] = len(records) / len(released)
        return [self.of_view(view, value, comparison, evidence, sd=evidence.sd, **detail)]
