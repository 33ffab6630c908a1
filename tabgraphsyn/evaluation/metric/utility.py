"""Utility: whether a model that learnt from synthetic rows predicts unseen real rows as one that learnt from real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison, FeatureDatabase
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.predictors import MODELS, skill
from tabgraphsyn.evaluation.statistics.utility_targets import (
    chosen_targets,
    given_targets,
    prepared,
    why_no_target,
    without,
)
from tabgraphsyn.ranges import Count, Share

# Model -> predictions of the test rows after learning from compared and from real rows; the truth of the test rows.
Predictions = tuple[Mapping[str, tuple[np.ndarray, np.ndarray]], np.ndarray]

# Groups of test rows that are left out in turn for the spread.
GROUPS = 10


@dataclass(frozen=True)
class Parts:
    """Rows that have the target, shuffled: real ones to learn from, compared ones, and real ones to test.

    Shape: three arrays (rows,) int64, row numbers of the whole real or compared table; ``among`` (real rows,).

    Attributes:
        column: the target among the compared rows.
        among: its values in the real rows, by which numbers are ranked.
    """

    real: np.ndarray
    made: np.ndarray
    test: np.ndarray
    column: Feature
    among: np.ndarray

    @staticmethod
    def drawn(data: EvaluationData, comparison: Comparison, table: str, target: str, cap_rows: int) -> Parts:
        """Return the parts of one comparison; real against real is one half of the training rows and the other."""
        generator = data.generator("utility", comparison.name, table, target)
        column = comparison.reference.whole.features[table][target]
        real, test = (
            generator.permutation(rows[~column.missing[rows]])
            for rows in (data.training_rows[table], data.holdout_rows[table])
        )
        if comparison.name == "real_real":
            halves = np.array_split(real, 2)
            return Parts(halves[0], halves[1], test[:cap_rows], column, column.values[halves[0]])
        other = comparison.candidate.whole.features[table][target]
        made = generator.permutation(np.flatnonzero(~other.missing))
        return Parts(real, made, test[:cap_rows], other, column.values[real])


class Utility(ComparisonMetric):
    """Skill on real holdout rows after training on the compared rows, over the skill after training on real ones.

    Args:
        targets: columns to predict, each ``table.column``; None chooses them per table.
        per_table: number of columns chosen per table.
        cap_rows: rows to fit and rows to test at most.
        least_rows: fewer rows to fit or to test than this are not judged.
        least_skill: a model that reaches less than this after training on real rows does not count.
    """

    name = "utility"
    title = "Utility"
    measures = (
        "How well a column is predicted from the others of its table, on real holdout rows, by models (gradient "
        "boosting, linear) that learnt from as many synthetic rows, relative to models that learnt from real rows."
    )
    range = "0 to 1"
    direction = "higher"
    reading = (
        "1: synthetic rows teach as much as real ones; 0: no more than the target's distribution. Skill is 2 AUC - 1 "
        "for categories and R squared of ranks for numbers; both skills are in the detail. Real against real is one "
        "half of the training rows against the other."
    )
    source = "Train on synthetic, test on real (Esteban, Hyland and Raetsch 2017), XGBoost and ridge regression."

    def __init__(
        self,
        *,
        targets: Sequence[str] | None = None,
        per_table: Count = 2,
        cap_rows: Count = 5_000,
        least_rows: Count = 50,
        least_skill: Share = 0.05,
    ) -> None:
        self.targets = tuple(targets or ())
        self.per_table = per_table
        self.cap_rows = cap_rows
        self.least_rows = least_rows
        self.least_skill = least_skill

    def features(self, whole: FeatureDatabase, table: str) -> list[Feature]:
        """Return what a column of ``table`` is predicted from, for every row; the column itself is left out later."""
        return list(whole.features[table].values())

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per target, per table, and over all targets."""
        results: list[Result] = []
        scored: list[Result] = []
        given = given_targets(data.schema, self.targets, self.name)
        for table in given or data.schema.table_names:
            parts = self._table(data, comparison, table, given.get(table, ()))
            results += [*mean_score(self, "table", table, parts), *parts]
            scored += parts
        database = mean_score(self, "database", "database", scored)
        return [*(database or [self.unscored("database", "no target could be judged", comparison.name)]), *results]

    def _table(self, data: EvaluationData, comparison: Comparison, table: str, given: Sequence[str]) -> list[Result]:
        rows = {"training": len(data.training_rows[table]), "holdout": len(data.holdout_rows[table])}
        part = min(rows, key=lambda name: rows[name])
        if rows[part] < self.least_rows:
            reason = f"tiny: {rows[part]} {part} rows; at least {self.least_rows} are needed to learn and to test"
            return [self.unscored(table, reason, comparison.name)]
        real = self.features(comparison.reference.whole, table)
        targets = given or self._chosen(data, comparison, table, real)
        if not targets:
            reason = "no column that real rows teach anything about: a category of 2 to 20 levels, or a number"
            return [self.unscored(table, reason, comparison.name)]
        made = self.features(comparison.candidate.whole, table)
        return data.map(lambda target: self._target(data, comparison, table, target, (real, made)), targets)

    def _chosen(
        self, data: EvaluationData, comparison: Comparison, table: str, features: Sequence[Feature]
    ) -> Sequence[str]:
        """Return the columns about which real training rows teach most; the same for every comparison."""
        rows = data.training_rows[table]
        columns = {name: feature.take(rows) for name, feature in comparison.reference.whole.features[table].items()}
        found = chosen_targets(
            columns, [feature.take(rows) for feature in features], self.per_table, data.seed_of(self.name, table)
        )
        return [name for name, reached in found.items() if reached >= self.least_skill]

    def _target(
        self,
        data: EvaluationData,
        comparison: Comparison,
        table: str,
        target: str,
        features: tuple[Sequence[Feature], Sequence[Feature]],
    ) -> Result:
        where = f"{table}.{target}"
        column = comparison.reference.whole.features[table][target]
        reason = why_no_target(column.take(data.training_rows[table]))
        if reason:
            return self.unscored(where, reason, comparison.name)
        parts = Parts.drawn(data, comparison, table, target, self.cap_rows)
        if min(len(parts.real), len(parts.test)) < self.least_rows:
            reason = f"tiny: {len(parts.test)} holdout rows have a value; at least {self.least_rows} are needed"
            return self.unscored(where, reason, comparison.name)
        rows = min(len(parts.real), len(parts.made), self.cap_rows)
        if rows < self.least_rows:
            reason = parts.column.note or f"{len(parts.made)} rows have a value to learn from"
            return self._cannot_fit(where, comparison, reason)
        parts = replace(parts, real=parts.real[:rows], made=parts.made[:rows])
        predicted, truth = self.predictions(data, comparison, table, target, parts, features)
        detail: dict[str, Any] = {
            "fit_rows": rows,
            "test_rows": len(truth),
            "kind": "class" if column.levels else "rank",
        }
        if not data.trained_without_holdout:
            detail["note"] = "the generator may have seen the test rows"
        return self._judged(where, comparison, predicted, truth, column.levels, detail)

    def predictions(
        self,
        data: EvaluationData,
        comparison: Comparison,
        table: str,
        target: str,
        parts: Parts,
        features: tuple[Sequence[Feature], Sequence[Feature]],
    ) -> Predictions:
        """Return what each model says of the test rows after learning from compared and from real rows.

        Args:
            data: of the evaluation.
            comparison: of two sides.
            table: of the target.
            target: column to predict.
            parts: rows to learn from and to test.
            features: of the real and of the compared table.
        """
        column = comparison.reference.whole.features[table][target]
        real, made = (without(target, side) for side in features)
        fits = [prepared(parts.column, made, parts.made, parts.among), prepared(column, real, parts.real, parts.among)]
        test = prepared(column, real, parts.test, parts.among)
        seed = data.seed_of(self.name, table, target) & 0x7FFFFFFF
        found = {}
        with ThreadpoolController().limit(limits=1):
            for name, model in MODELS.items():
                both = [model(side, test.features, column.levels, seed) for side in fits]
                found[name] = (both[0], both[1])
        return found, test.target

    def _cannot_fit(self, where: str, comparison: Comparison, reason: str) -> Result:
        """Return a failure where a synthetic table leaves nothing to learn from; a baseline lacks real rows."""
        if comparison.is_baseline:
            return self.unscored(where, reason, comparison.name)
        return self.score("column", where, 0.0, comparison.name, reason=reason)

    def _judged(
        self,
        where: str,
        comparison: Comparison,
        found: Mapping[str, tuple[np.ndarray, np.ndarray]],
        truth: np.ndarray,
        classes: int,
        detail: dict[str, Any],
    ) -> Result:
        predicted: list[tuple[np.ndarray, np.ndarray]] = []
        for name, both in found.items():
            made, real = (skill(each, truth, classes) for each in both)
            detail[name] = {"skill": made, "skill_real": real}
            if real >= self.least_skill:
                predicted.append(both)
        if not predicted:
            reason = f"nothing to learn: after training on real rows no model reaches a skill of {self.least_skill}"
            return self.unscored(where, reason, comparison.name)
        value = _ratio(predicted, truth, classes, self.least_skill)
        detail |= {"difference": float(np.mean([detail[m]["skill"] - detail[m]["skill_real"] for m in found]))}
        detail |= _spread(value, predicted, truth, classes, self.least_skill)
        return self.score("column", where, value, comparison.name, **detail)


def _ratio(predicted: Sequence[tuple[np.ndarray, np.ndarray]], target: np.ndarray, classes: int, least: float) -> float:
    """Return the mean over models of one skill over the other, each kept in 0 .. 1.

    A skill below 0 teaches nothing. What one model learns better than from real rows is luck of the draw and must not
    hide what another one does not learn.
    """
    pairs = [[skill(found, target, classes) for found in both] for both in predicted]
    return float(np.mean([min(max(made, 0.0) / max(real, least), 1.0) for made, real in pairs]))


def _spread(
    value: float,
    predicted: Sequence[tuple[np.ndarray, np.ndarray]],
    target: np.ndarray,
    classes: int,
    least: float,
) -> dict[str, Any]:
    """Return the spread over test rows, by leaving out one of ``GROUPS`` groups after the other."""
    group = np.arange(len(target)) % GROUPS
    left_out = [
        _ratio([(made[kept], real[kept]) for made, real in predicted], target[kept], classes, least)
        for kept in (group != number for number in range(GROUPS))
    ]
    error = float(np.sqrt((GROUPS - 1) * np.var(left_out)))
    interval = [round(max(value - 2 * error, 0.0), 6), round(min(value + 2 * error, 1.0), 6)]
    return {"sd": round(error, 6), "interval": interval, "spread": "rows"}
