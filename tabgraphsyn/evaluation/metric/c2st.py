"""C2ST: whether gradient boosting can tell synthetic rows from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabgraphsyn.evaluation.score import Result, Score
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.predictors import boosted_trees
from tabgraphsyn.evaluation.statistics.two_sample import TwoSample, most_telling
from tabgraphsyn.evaluation.two_sample_metric import TwoSampleMetric
from tabgraphsyn.ranges import Count, Pair


class C2ST(TwoSampleMetric):
    """Accuracy of XGBoost telling the two sides apart, per table, in 5-fold cross-validation at equal size.

    Args:
        folds: number of folds.
        rounds: trees.
        cap_rows: rows of each side at most.
        least_rows: fewer rows on a side than this are not judged.
    """

    name = "c2st"
    title = "C2ST"
    measures = (
        "Accuracy with which XGBoost tells real rows from compared rows of one table (columns besides keys), in "
        "stratified 5-fold cross-validation at equal size."
    )
    range = "0 to 1"
    direction = "half"
    reading = (
        "0.5: cannot be told apart; 1: every row is given away. Below 0.5: rows repeat across the two sides; compare "
        "with the real-against-real line, which is the floor to reach, not 0.5."
    )
    given_away = 1.0
    source = "Lopez-Paz and Oquab 2017; SyntheRela's XGBoost detection; XGBoost's default parameters, 100 trees."

    def __init__(
        self, *, folds: Pair = 5, rounds: Count = 100, cap_rows: Count = 50_000, least_rows: Count = 20
    ) -> None:
        super().__init__(folds=folds, cap_rows=cap_rows, least_rows=least_rows)
        self.rounds = rounds

    def classifier(self, seed: int) -> Any:
        """Return XGBoost."""
        return boosted_trees(seed, self.rounds)

    def tables(self, comparison: Comparison) -> Sequence[str]:
        """Return the tables to judge."""
        return comparison.schema.table_names

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per table and the worst of them."""
        results = [self.judged(data, comparison, table) for table in self.tables(comparison)]
        scores = [result for result in results if isinstance(result, Score)]
        if not scores:
            return [*results, self.unscored("database", "no table could be judged", comparison.name)]
        worst = max(scores, key=lambda score: score.value)
        mean = sum(score.value for score in scores) / len(scores)
        spread = {key: worst.detail[key] for key in ("sd", "interval", "spread") if key in worst.detail}
        detail = {"worst": worst.where, "mean": mean, "parts": len(scores), **spread}
        database = self.score("database", "database", worst.value, comparison.name, **detail)
        return [database, *results]

    def valued(self, result: TwoSample, features: list[Feature], least_rows: int) -> tuple[float, dict[str, Any]]:
        """Return the accuracy, and which features told most."""
        return result.accuracy, {
            "std": result.accuracy_std,
            "auc": result.auc,
            "rows": result.rows,
            "folds": result.folds,
            "repeats": result.repeats,
            "capped": least_rows > self.cap_rows,
            "telling": most_telling([feature.name for feature in features], result),
            **result.spread(result.accuracy, result.accuracy_std),
        }
