"""Membership inference: whether distance to the synthetic rows gives away who was in the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.privacy import PrivacyMetric, attacked_rows
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import MixedRows, mixed_rows, sampled, two_nearest
from tabgraphsyn.evaluation.statistics.evidence import auc_evidence
from tabgraphsyn.ranges import Count


@dataclass(frozen=True)
class Attacked:
    """What an attacker holds.

    Attributes:
        rows: real rows that may have been trained on.
        is_member: (rows,) whether they were: for scoring, and for an attacker who knows of some.
        entities: (rows,) the entity of each.
        records: released rows.
        threads: CPU threads for the search.
    """

    rows: MixedRows
    is_member: np.ndarray
    entities: np.ndarray
    records: MixedRows
    threads: int


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
    # Distinct entities of members and of others below which the attack says nothing.
    entities_needed = 1
    source = "Shadow-free distance attack, Chen et al. 2020 (GAN-Leaks), black box."

    def __init__(self, *, cap_queries: Count = 3_000, cap_records: Count = 30_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the AUC of one view; the holdout cannot be attacked with itself."""
        generator = data.generator(self.name, comparison.name, view.where)
        real, released = mixed_rows(view.reference, view.candidate)
        rows, is_member, entities = attacked_rows(data, view, self.cap_queries, generator)
        fewest = min(len(np.unique(entities[is_member])), len(np.unique(entities[~is_member])))
        if fewest < self.entities_needed:
            reason = f"tiny: {fewest} entities; {self.entities_needed} of each are needed"
            return [self.unscored(view.where, reason, comparison.name)]
        records = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        attacked = Attacked(real.take(rows), is_member, entities, records, data.threads)
        scores = self.membership_scores(attacked, data.seed_of(self.name, comparison.name, view.where))
        value, evidence = auc_evidence(scores[is_member], scores[~is_member], entities[is_member], entities[~is_member])
        detail: dict[str, float] = {
            "members": int(is_member.sum()),
            "others": int((~is_member).sum()),
            "records": len(records),
            "searched": len(records) / len(released),
        }
        return [self.of_view(view, value, comparison, evidence, sd=evidence.sd, **detail)]

    def membership_scores(self, attacked: Attacked, seed: int) -> np.ndarray:
        """Return per row how much it looks like a training row, (rows,): here, how near a released row is."""
        distance, _, _ = two_nearest(attacked.rows, attacked.records, attacked.threads)
        return -distance.astype(np.float64)
