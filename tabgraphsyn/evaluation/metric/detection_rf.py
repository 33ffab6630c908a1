"""Detection: whether a random forest can tell synthetic rows from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.ensemble import RandomForestClassifier

from tabgraphsyn.evaluation.base import mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.two_sample import TwoSample
from tabgraphsyn.evaluation.two_sample_metric import TwoSampleMetric
from tabgraphsyn.ranges import Count, Pair


class DetectionRF(TwoSampleMetric):
    """1 - (2 max(AUC, 0.5) - 1) of a random forest, per table.

    Args:
        folds: number of folds.
        trees: trees of the forest.
        cap_rows: rows of each side at most.
        least_rows: fewer rows on a side than this are not judged.
    """

    name = "detection_rf"
    title = "Detection (random forest)"
    measures = "How little a random forest tells real rows from compared rows: 1 - (2 max(AUC, 0.5) - 1), per table."
    range = "0 to 1"
    direction = "higher"
    reading = "1: cannot be told apart; 0: every row is given away."
    given_away = 0.0
    source = "SDMetrics' detection metrics, with scikit-learn's random forest in 5-fold cross-validation."

    def __init__(
        self, *, folds: Pair = 5, trees: Count = 100, cap_rows: Count = 10_000, least_rows: Count = 20
    ) -> None:
        super().__init__(folds=folds, cap_rows=cap_rows, least_rows=least_rows)
        self.trees = trees

    def classifier(self, seed: int) -> Any:
        """Return a random forest."""
        return RandomForestClassifier(self.trees, n_jobs=1, random_state=seed)

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per table and their mean."""
        scores = [self.judged(data, comparison, table) for table in comparison.schema.table_names]
        return [*mean_score(self, "database", "database", scores), *scores]

    def valued(self, result: TwoSample, features: list[Feature], least_rows: int) -> tuple[float, dict[str, Any]]:
        """Return how little of the area under the curve exceeds chance."""
        value = 1 - (2 * max(result.auc, 0.5) - 1)
        return value, {
            "auc": result.auc,
            "auc_std": result.auc_std,
            "rows": result.rows,
            "folds": result.folds,
            "repeats": result.repeats,
            **result.spread(value, 2 * result.auc_std),
        }
