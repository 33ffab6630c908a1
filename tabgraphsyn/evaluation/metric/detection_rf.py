"""Detection: whether a random forest can tell synthetic rows from real ones."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.ensemble import RandomForestClassifier

from tabgraphsyn.evaluation.base import ComparisonMetric, Result, mean_score
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.side import Comparison
from tabgraphsyn.evaluation.two_sample import matrix, two_sample


class DetectionRF(ComparisonMetric):
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
    source = "SDMetrics' detection metrics, with scikit-learn's random forest in 5-fold cross-validation."

    def __init__(self, *, folds: int = 5, trees: int = 100, cap_rows: int = 10_000, least_rows: int = 20) -> None:
        self.folds = folds
        self.trees = trees
        self.cap_rows = cap_rows
        self.least_rows = least_rows

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per table and their mean."""
        scores = [self._table(data, comparison, table) for table in comparison.schema.table_names]
        return [*mean_score(self, "database", "database", scores), *scores]

    def _table(self, data: EvaluationData, comparison: Comparison, table: str) -> Result:
        real, other = comparison.reference.features(table), comparison.candidate.features(table)
        rows = [comparison.reference.num_rows(table), comparison.candidate.num_rows(table)]
        if not real:
            return self.unscored(table, "no columns besides keys", comparison.name)
        if rows[0] and not rows[1] and not comparison.is_baseline:
            return self.score("table", table, 0.0, comparison.name, reason="the synthetic table has no rows")
        if min(rows) < self.least_rows:
            reason = f"{min(rows)} rows on one side; at least {self.least_rows} are needed to judge"
            return self.unscored(table, reason, comparison.name)
        result = two_sample(
            matrix(real),
            matrix(other),
            classifier=lambda seed: RandomForestClassifier(self.trees, n_jobs=1, random_state=seed),
            folds=self.folds,
            cap_rows=self.cap_rows,
            seed=data.seed_of(self.name, table),
            each=data.map,
        )
        value = 1 - (2 * max(result.auc, 0.5) - 1)
        return self.score(
            "table",
            table,
            value,
            comparison.name,
            auc=result.auc,
            auc_std=result.auc_std,
            rows=result.rows,
            folds=result.folds,
            repeats=result.repeats,
            **result.spread(value, 2 * result.auc_std),
        )
