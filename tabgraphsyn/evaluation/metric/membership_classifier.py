"""Membership inference by a classifier on what the released rows look like around a real row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold

from tabgraphsyn.evaluation.base import Result
from tabgraphsyn.evaluation.boosting import boosted_trees
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.distance import MixedRows, mixed_rows, sampled
from tabgraphsyn.evaluation.evidence import auc_evidence
from tabgraphsyn.evaluation.neighbours import k_nearest
from tabgraphsyn.evaluation.privacy import PrivacyMetric, attacked_rows
from tabgraphsyn.evaluation.side import Comparison
from tabgraphsyn.evaluation.view import View

NEIGHBOURS = 8
# The nearer the released rows, the more a row looks trained on, never the reverse: rows that are far because the others
# were copied are no leak of their own, and a classifier that cannot learn it errs less on small tables.
NEARER_IS_MEMBER = (*[-1] * NEIGHBOURS, -1, -1, 1)


class MembershipClassifier(PrivacyMetric):
    """Cross-validated AUC of gradient boosting that tells training rows from holdout rows by their neighbourhood.

    Args:
        folds: folds of whole entities.
        rounds: boosting rounds.
        cap_queries: real rows of each kind at most.
        cap_records: released rows searched at most.
    """

    name = "membership_classifier"
    scores_holdout = False
    title = "Membership inference (classifier)"
    measures = (
        "AUC of a classifier that tells training rows from holdout rows by distances to their eight nearest released "
        "rows and how dense the released rows are there; folds keep entities whole."
    )
    range = "0 to 1"
    direction = "half"
    reading = (
        "0.5 is chance. The attacker knows of some rows whether they were trained on, and may combine distances: it "
        "finds copies of a part of the rows that the distance attack averages away. `sd` is chance's spread."
    )
    finding = "a classifier tells who was trained on (AUC {value:.2f}; .50 is guessing)"
    source = "Own, shadow-free: features of Hilprecht et al. 2019 and Chen et al. 2020, learnt as in Hu et al. 2022."

    def __init__(
        self, *, folds: int = 5, rounds: int = 40, cap_queries: int = 2_000, cap_records: int = 20_000
    ) -> None:
        self.folds = folds
        self.rounds = rounds
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the AUC of one view."""
        generator = data.generator(self.name, comparison.name, view.where)
        real, released = mixed_rows(view.reference, view.candidate)
        rows, is_member, entities = attacked_rows(data, view, self.cap_queries, generator)
        fewest = min(len(np.unique(entities[is_member])), len(np.unique(entities[~is_member])))
        if fewest < 2 * self.folds:
            return [
                self.unscored(
                    view.where, f"tiny: {fewest} entities; {2 * self.folds} of each are needed", comparison.name
                )
            ]
        records = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        features = neighbourhood(real.take(rows), records, data.threads)
        told = self._told(features, is_member, entities, data.seed_of(self.name, comparison.name, view.where))
        value, evidence = auc_evidence(told[is_member], told[~is_member], entities[is_member], entities[~is_member])
        detail: dict[str, float] = {
            "members": int(is_member.sum()),
            "others": int((~is_member).sum()),
            "records": len(records),
        }
        detail["searched"] = len(records) / len(released)
        return [self.of_view(view, value, comparison, evidence, sd=evidence.sd, **detail)]

    def _told(self, features: np.ndarray, is_member: np.ndarray, entities: np.ndarray, seed: int) -> np.ndarray:
        """Return per row how much it looks like a training row, as a rank within its fold.

        Ranks, because the folds' classifiers are calibrated apart: raw values would mix their offsets into the AUC.
        """
        label = is_member.astype(np.int64)
        # Members are the many: without weights every leaf says "member".
        weight = np.where(is_member, 0.5 / is_member.mean(), 0.5 / (~is_member).mean())
        told = np.zeros(len(label))
        folds = StratifiedGroupKFold(self.folds, shuffle=True, random_state=seed)
        for number, (fit, judge) in enumerate(folds.split(features, label, entities)):
            model = boosted_trees(seed + number, self.rounds)
            model.set_params(max_depth=3, min_child_weight=5, learning_rate=0.1, monotone_constraints=NEARER_IS_MEMBER)
            model.fit(features[fit], label[fit], sample_weight=weight[fit])
            told[judge] = rankdata(model.predict_proba(features[judge])[:, 1]) / len(judge)
        return told


def neighbourhood(rows: MixedRows, records: MixedRows, threads: int) -> np.ndarray:
    """Return (rows, features) float32: distances to the nearest released rows, their ratios, and density."""
    near = k_nearest(rows, records, NEIGHBOURS, threads=threads)
    near = np.where(np.isfinite(near), near, 1.0)
    ratio = near[:, 0] / np.maximum(near[:, 1], 1e-6)
    step = near[:, 0] / np.maximum(near[:, -1], 1e-6)
    density = 1 / np.maximum(near.mean(1), 1e-6)
    return np.column_stack([near, ratio, step, density]).astype(np.float32)
