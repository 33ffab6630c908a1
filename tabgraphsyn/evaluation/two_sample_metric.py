"""Metrics that ask a classifier to tell the two sides of a table apart."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.two_sample import TwoSample, two_sample


class TwoSampleMetric(ComparisonMetric):
    """One judgement a table; a subclass says who judges and what the judgement is worth.

    Args:
        folds: number of folds.
        cap_rows: rows of each side at most.
        least_rows: fewer rows on a side than this are not judged.

    Attributes:
        given_away: value of a table whose rows are all told apart.
    """

    given_away: ClassVar[float]

    def __init__(self, *, folds: int, cap_rows: int, least_rows: int) -> None:
        self.folds = folds
        self.cap_rows = cap_rows
        self.least_rows = least_rows

    @abstractmethod
    def classifier(self, seed: int) -> Any:
        """Return a fresh classifier of one thread."""

    @abstractmethod
    def valued(self, result: TwoSample, features: list[Feature], least_rows: int) -> tuple[float, dict[str, Any]]:
        """Return the value of one judgement and its details.

        Args:
            result: what the classifier reached.
            features: what it saw of the real side.
            least_rows: rows of the smaller side.
        """

    def side_features(self, side: Side, table: str) -> list[Feature]:
        """Return what the judge sees of ``table``."""
        return side.features(table)

    def judged(self, data: EvaluationData, comparison: Comparison, table: str) -> Result:
        """Return the score of one table, or why there is none."""
        real, other = (self.side_features(side, table) for side in (comparison.reference, comparison.candidate))
        rows = [comparison.reference.num_rows(table), comparison.candidate.num_rows(table)]
        if not real:
            return self.unscored(table, "no columns besides keys", comparison.name)
        if rows[0] and not rows[1] and not comparison.is_baseline:
            reason = "the synthetic table has no rows"
            return self.score("table", table, self.given_away, comparison.name, reason=reason)
        if min(rows) < self.least_rows:
            reason = f"{min(rows)} rows on one side; at least {self.least_rows} are needed to judge"
            return self.unscored(table, reason, comparison.name)
        result = two_sample(
            real,
            other,
            classifier=self.classifier,
            folds=self.folds,
            cap_rows=self.cap_rows,
            seed=data.seed_of(self.name, table),
            each=data.map,
        )
        value, detail = self.valued(result, real, min(rows))
        return self.score("table", table, value, comparison.name, **detail)
