"""Models of the utility metrics: gradient boosting and a linear one, and how well they predict rows held back.

Skill is 0 for a model that knows the target's distribution only and 1 for one that is always right: ``2 AUC - 1`` (mean
over the classes of the test rows, one against the rest, weighted by how frequent they are) for categories, R squared
for numbers. Numbers are predicted as ranks among the real training values, so that neither unit nor outlier rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from sklearn.linear_model import Ridge
from xgboost import XGBClassifier, XGBRegressor

from tabgraphsyn.evaluation.statistics.feature import Feature

Kind = Literal["numerical", "categorical"]

# One-hot columns of a category; what is rarer shares one more.
MOST_LEVELS = 20
# Trees of all classes together: with twenty classes a hundred rounds would be two thousand trees.
MOST_TREES = 200


@dataclass(frozen=True)
class Rows:
    """Rows to fit or to test.

    Shape:
        features: each (rows,).
        target: (rows,) float64 ranks or int64 classes, without missing values.
    """

    features: Sequence[Feature]
    target: np.ndarray

    def take(self, rows: np.ndarray) -> Rows:
        """Return some rows, (taken,) int64."""
        return Rows([feature.take(rows) for feature in self.features], self.target[rows])

    def __len__(self) -> int:
        return len(self.target)


class Predictor(Protocol):
    """Fits one set of rows and returns predictions for another."""

    def __call__(self, fit: Rows, test: Sequence[Feature], classes: int, seed: int) -> np.ndarray:
        """Return (rows,) predicted ranks (``classes`` 0) or (rows, classes) scores, larger for likelier classes."""


def boosted(fit: Rows, test: Sequence[Feature], classes: int, seed: int, *, rounds: int = 100) -> np.ndarray:
    """Return the predictions of XGBoost with one thread, (rows,) or (rows, classes)."""
    x, other = _numbers(fit.features), _numbers(test)
    settings = {"tree_method": "hist", "n_jobs": 1, "random_state": seed}
    if not classes:
        return XGBRegressor(n_estimators=rounds, **settings).fit(x, fit.target).predict(other)
    seen, dense = np.unique(fit.target, return_inverse=True)
    scores = np.zeros((len(other), classes))
    if len(seen) == 1:
        scores[:, seen[0]] = 1.0
        return scores
    trees = rounds if len(seen) == 2 else max(10, min(rounds, MOST_TREES // len(seen)))
    scores[:, seen] = XGBClassifier(n_estimators=trees, **settings).fit(x, dense).predict_proba(other)
    return scores


def linear(fit: Rows, test: Sequence[Feature], classes: int, seed: int) -> np.ndarray:
    """Return the predictions of ridge regression on numbers, their ranks, and one-hot categories.

    Shape:
        (rows,) or (rows, classes).

    Classes are predicted as indicators, which orders rows as a linear discriminant does and always converges.
    """
    del seed  # a closed form
    design, other = (np.concatenate(parts, axis=1) for parts in zip(*encoded(fit.features, test), strict=True))
    target = np.eye(classes)[fit.target] if classes else fit.target
    found: np.ndarray = Ridge(alpha=1.0).fit(design, target).predict(other)
    return found


def boosted_trees(seed: int, rounds: int) -> XGBClassifier:
    """Return the judge of C2ST: a fresh classifier of one thread, histogram trees of depth 6, learning rate 0.3."""
    return XGBClassifier(
        n_estimators=rounds, tree_method="hist", n_jobs=1, random_state=seed, objective="binary:logistic"
    )


MODELS: Mapping[str, Predictor] = {"boosting": boosted, "linear": linear}


def skill(predicted: np.ndarray, target: np.ndarray, classes: int) -> float:
    """Return the skill of predictions; 0 where the target does not vary.

    >>> skill(np.array([0.1, 0.9]), np.array([0.1, 0.9]), 0)
    1.0
    >>> skill(np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 1, 0]), 2)
    1.0
    """
    if not classes:
        total = float(((target - target.mean()) ** 2).sum())
        return 1.0 - float(((target - predicted) ** 2).sum()) / total if total > 0 else 0.0
    counts = np.bincount(target, minlength=classes)
    there = np.flatnonzero((counts > 0) & (counts < len(target)))
    if not len(there):
        return 0.0
    areas = np.array([_area(predicted[:, name], target == name) for name in there])
    return float(2 * np.average(areas, weights=counts[there]) - 1)


def _area(score: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve by the sum of ranks, ties counted half."""
    ordered = np.sort(score)
    rank = (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right") + 1) / 2
    count = int(positive.sum())
    return float((rank[positive].sum() - count * (count + 1) / 2) / (count * (len(score) - count)))


def ranks(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return mid-ranks in 0 .. 1 of ``values`` among other values.

    >>> ranks(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0])).tolist()
    [0.25, 0.75, 1.0]
    """
    known = np.sort(among)
    both = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
    return both / (2.0 * len(known))


def _numbers(features: Sequence[Feature]) -> np.ndarray:
    return np.stack([feature.as_number for feature in features], 1).astype(np.float32)


def encoded(fit: Sequence[Feature], test: Sequence[Feature]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each feature of both sides as numbers: (rows, width) float64, by what the first side holds."""
    return [
        _one_hot(left, right) if left.kind == "categorical" else _standardised(left, right)
        for left, right in zip(fit, test, strict=True)
    ]


def _standardised(fit: Feature, test: Feature) -> tuple[np.ndarray, np.ndarray]:
    """Return values in deviations and as ranks (a line in a skewed number says little), and where they are missing."""
    known = fit.values[~fit.missing]
    if not len(known):
        return np.zeros((len(fit.values), 1)), np.zeros((len(test.values), 1))
    mean, deviation = known.mean(), known.std()
    made = []
    for side in (fit, test):
        scaled = np.clip((side.values - mean) / (deviation if deviation > 0 else 1.0), -5.0, 5.0)
        ranked = 2 * ranks(side.values, known) - 1
        values = [np.where(side.missing, 0.0, part) for part in (scaled, ranked)]
        made.append(np.stack([*values, side.missing.astype(np.float64)], 1))
    return made[0], made[1]


def _one_hot(fit: Feature, test: Feature) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(fit.values + 1, minlength=fit.levels + 1)
    place = np.full(len(counts), min(MOST_LEVELS, len(counts)))
    frequent = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    place[frequent] = np.arange(len(frequent))
    width = int(place.max()) + 1
    return np.eye(width)[place[fit.values + 1]], np.eye(width)[place[test.values + 1]]
