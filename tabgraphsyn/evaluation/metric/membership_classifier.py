"""Membership inference by a classifier on what the released rows look like around a real row."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold

from tabgraphsyn.evaluation.metric.membership import Attacked, Membership
from tabgraphsyn.evaluation.statistics.distance import MixedRows
from tabgraphsyn.evaluation.statistics.neighbours import k_nearest
from tabgraphsyn.evaluation.statistics.predictors import boosted_trees
from tabgraphsyn.ranges import Count, Pair

NEIGHBOURS = 8
# The nearer the released rows, the more a row looks trained on, never the reverse: rows that are far because the others
# were copied are no leak of their own, and a classifier that cannot learn it errs less on small tables.
NEARER_IS_MEMBER = (*[-1] * NEIGHBOURS, -1, -1, 1)


class MembershipClassifier(Membership):
    """Cross-validated AUC of gradient boosting that tells training rows from holdout rows by their neighbourhood.

    Args:
        folds: folds of whole entities.
        rounds: boosting rounds.
        cap_queries: real rows of each kind at most.
        cap_records: released rows searched at most.
    """

    name = "membership_classifier"
    title = "Membership inference (classifier)"
    measures = (
        "AUC of a classifier that tells training rows from holdout rows by distances to their eight nearest released "
        "rows and how dense the released rows are there; folds keep entities whole."
    )
    reading = (
        "0.5 is chance. The attacker knows of some rows whether they were trained on, and may combine distances: it "
        "finds copies of a part of the rows that the distance attack averages away. `sd` is chance's spread."
    )
    finding = "a classifier tells who was trained on (AUC {value:.2f}; .50 is guessing)"
    source = "Own, shadow-free: features of Hilprecht et al. 2019 and Chen et al. 2020, learnt as in Hu et al. 2022."

    def __init__(
        self, *, folds: Pair = 5, rounds: Count = 40, cap_queries: Count = 2_000, cap_records: Count = 20_000
    ) -> None:
        super().__init__(cap_queries=cap_queries, cap_records=cap_records)
        self.folds = folds
        self.rounds = rounds
        self.entities_needed = 2 * folds

    def membership_scores(self, attacked: Attacked, seed: int) -> np.ndarray:
        """Return per row how much it looks like a training row, as a rank within its fold.

        Ranks, because the folds' classifiers are calibrated apart: raw values would mix their offsets into the AUC.
        """
        is_member = attacked.is_member
        features = neighbourhood(attacked.rows, attacked.records, attacked.threads)
        label = is_member.astype(np.int64)
        # Members are the many: without weights every leaf says "member".
        weight = np.where(is_member, 0.5 / is_member.mean(), 0.5 / (~is_member).mean())
        scores = np.zeros(len(label))
        folds = StratifiedGroupKFold(self.folds, shuffle=True, random_state=seed)
        for number, (fit, judge) in enumerate(folds.split(features, label, attacked.entities)):
            model = boosted_trees(seed + number, self.rounds)
            model.set_params(max_depth=3, min_child_weight=5, learning_rate=0.1, monotone_constraints=NEARER_IS_MEMBER)
            model.fit(features[fit], label[fit], sample_weight=weight[fit])
            scores[judge] = rankdata(model.predict_proba(features[judge])[:, 1]) / len(judge)
        return scores


def neighbourhood(rows: MixedRows, records: MixedRows, threads: int) -> np.ndarray:
    """Return (rows, features) float32: distances to the nearest released rows, their ratios, and density."""
    near = k_nearest(rows, records, NEIGHBOURS, threads=threads)
    near = np.where(np.isfinite(near), near, 1.0)
    ratio = near[:, 0] / np.maximum(near[:, 1], 1e-6)
    step = near[:, 0] / np.maximum(near[:, -1], 1e-6)
    density = 1 / np.maximum(near.mean(1), 1e-6)
    return np.column_stack([near, ratio, step, density]).astype(np.float32)
