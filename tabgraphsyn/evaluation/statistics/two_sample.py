"""Classifier two-sample tests: whether a classifier can tell the two sides apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import ThreadpoolController

from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.spread import described, folds_error

# Repetitions aim at so many judged rows, so that small tables are drawn and folded more often.
ROWS_TO_JUDGE = 4_000
MOST_REPEATS = 4

ClassifierFactory = Callable[[int], Any]


@dataclass(frozen=True)
class TwoSample:
    """What the classifier reached, over folds and repetitions.

    Attributes:
        accuracy: mean share of held-out rows told right; 0.5 is chance.
        accuracy_std: standard deviation over folds and repetitions.
        auc: mean area under the ROC curve.
        rows: rows of each side in one repetition.
        repeats: draws of rows and folds.
        importance: (features,) share of the total gain, when the classifier knows it.
    """

    accuracy: float
    accuracy_std: float
    auc: float
    auc_std: float
    rows: int
    repeats: int
    folds: int
    importance: np.ndarray

    def spread(self, value: float, deviation: float) -> dict[str, Any]:
        """Return the spread over folds of a value whose standard deviation over them is ``deviation``."""
        error = folds_error(deviation, self.folds, self.repeats)
        return described(value, error, "folds", self.folds * self.repeats - 1)


@dataclass(frozen=True)
class Fold:
    """One fit and what it is judged on.

    Shape:
        x: (2 * rows, features) float32, shared by the folds of a repetition.
        fit: (rows to fit,) int64 row numbers.
        judge: (rows to judge,) int64 row numbers.
    """

    x: np.ndarray
    fit: np.ndarray
    judge: np.ndarray
    seed: int


# Accuracy, AUC, (features,) gains.
Judged = tuple[float, float, np.ndarray]


def two_sample(
    real: Sequence[Feature],
    other: Sequence[Feature],
    *,
    classifier: ClassifierFactory,
    folds: int,
    cap_rows: int,
    seed: int,
    each: Callable[[Callable[[Fold], Judged], list[Fold]], list[Judged]],
) -> TwoSample:
    """Return how well ``classifier`` tells ``real`` from ``other`` at equal size, in stratified cross-validation.

    Args:
        real: columns of the real rows; at least one.
        other: the same columns of the compared rows.
        classifier: makes a fresh classifier of one thread from a seed.
        folds: number of folds.
        cap_rows: rows of each side at most.
        seed: seed of draws, folds and classifiers.
        each: runs the folds, each of them on one thread: OpenMP's threads wait actively for each other and are ten
            times slower than one where another process uses the core.
    """
    sizes = [len(side[0].values) for side in (real, other)]
    rows = min(*sizes, cap_rows)
    repeats = min(MOST_REPEATS, max(1, math.ceil(ROWS_TO_JUDGE / (2 * rows))))
    low = _lowest(real, other)
    label = np.repeat([0, 1], rows)
    jobs: list[Fold] = []
    for repeat in range(repeats):
        generator = np.random.default_rng(derive_seed(seed, "two_sample", repeat))
        drawn = [generator.permutation(size)[:rows] for size in sizes]
        x = np.concatenate([_matrix(side, low, chosen) for side, chosen in zip((real, other), drawn, strict=True)])
        splits = StratifiedKFold(folds, shuffle=True, random_state=(seed + repeat) & 0x7FFFFFFF).split(x, label)
        jobs += [
            Fold(x, fit, judge, (seed + 100 * repeat + fold) & 0x7FFFFFFF) for fold, (fit, judge) in enumerate(splits)
        ]

    pools = ThreadpoolController()

    def judged(fold: Fold) -> Judged:
        with pools.limit(limits=1):
            return _judged(fold)

    def _judged(fold: Fold) -> Judged:
        model = classifier(fold.seed).fit(fold.x[fold.fit], label[fold.fit])
        told, truth = model.predict_proba(fold.x[fold.judge])[:, 1], label[fold.judge]
        return float(((told > 0.5) == truth).mean()), float(roc_auc_score(truth, told)), model.feature_importances_

    found = each(judged, jobs)
    accuracies, aucs = [fold[0] for fold in found], [fold[1] for fold in found]
    gains = np.sum([fold[2] for fold in found], axis=0, dtype=np.float64)
    return TwoSample(
        accuracy=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        auc=float(np.mean(aucs)),
        auc_std=float(np.std(aucs)),
        rows=rows,
        repeats=repeats,
        folds=folds,
        importance=gains / max(gains.sum(), 1e-12),
    )


def _lowest(real: Sequence[Feature], other: Sequence[Feature]) -> list[float]:
    """Return the smallest value of each column over all rows of both sides, 0 where there is none."""
    found = []
    for pair in zip(real, other, strict=True):
        lows = [side.values[~side.missing].min() for side in pair if not side.missing.all()]
        found.append(float(min(lows, default=0.0)))
    return found


def _matrix(side: Sequence[Feature], low: Sequence[float], rows: np.ndarray) -> np.ndarray:
    """Return (rows, features) float32 of the drawn rows alone, less the lowest value of each column, NaN for missing.

    Classifiers of trees compute in float32, in which a timestamp of this century has steps of two minutes.
    """
    return np.stack([column.take(rows).as_number - least for column, least in zip(side, low, strict=True)], 1).astype(
        np.float32
    )


def most_telling(names: Sequence[str], result: TwoSample, shown: int = 5) -> list[dict[str, Any]]:
    """Return the features with the largest share of the gain."""
    order = np.argsort(-result.importance, kind="stable")[:shown]
    return [{"feature": names[i], "share": float(result.importance[i])} for i in order if result.importance[i] > 0]
