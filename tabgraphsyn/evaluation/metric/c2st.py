"""C2ST: whether gradient boosting can tell synthetic rows from real ones."""

from __future__ import annotations

from collections.abc import Sequence

from tabgraphsyn.evaluation.base import ComparisonMetric, Result, Score
from tabgraphsyn.evaluation.boosting import boosted_trees
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.feature import Feature
from tabgraphsyn.evaluation.side import Comparison, Side
from tabgraphsyn.evaluation.two_sample import matrix, most_telling, two_sample


class C2ST(ComparisonMetric):
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
    source = "Lopez-Paz and Oquab 2017; SyntheRela's XGBoost detection; XGBoost's default parameters, 100 trees."

    def __init__(self, *, folds: int = 5, rounds: int = 100, cap_rows: int = 50_000, least_rows: int = 20) -> None:
        self.folds = folds
        self.rounds = rounds
        self.cap_rows = cap_rows
        self.least_rows = least_rows

    def tables(self, comparison: Comparison) -> Sequence[str]:
        """Return the tables to judge."""
        return comparison.schema.table_names

    def side_features(self, side: Side, table: str) -> list[Feature]:
        """Return what the judge sees of ``table``."""
        return side.features(table)

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per table and the worst of them."""
        results = [self._table(data, comparison, table) for table in self.tables(comparison)]
        scores = [result for result in results if isinstance(result, Score)]
        if not scores:
            return [*results, self.unscored("database", "no table could be judged", comparison.name)]
        worst = max(scores, key=lambda score: score.value)
        mean = sum(score.value for score in scores) / len(scores)
        spread = {key: worst.detail[key] for key in ("sd", "interval", "spread") if key in worst.detail}
        detail = {"worst": worst.where, "mean": mean, "parts": len(scores), **spread}
        database = self.score("database", "database", worst.value, comparison.name, **detail)
        return [database, *results]

    def _table(self, data: EvaluationData, comparison: Comparison, table: str) -> Result:
        real, other = (self.side_features(side, table) for side in (comparison.reference, comparison.candidate))
        rows = [comparison.reference.num_rows(table), comparison.candidate.num_rows(table)]
        if not real:
            return self.unscored(table, "no columns besides keys", comparison.name)
        if rows[0] and not rows[1] and not comparison.is_baseline:
            return self.score("table", table, 1.0, comparison.name, reason="the synthetic table has no rows")
        if min(rows) < self.least_rows:
            reason = f"{min(rows)} rows on one side; at least {self.least_rows} are needed to judge"
            return self.unscored(table, reason, comparison.name)
        result = two_sample(
            matrix(real),
            matrix(other),
            classifier=lambda seed: boosted_trees(seed, self.rounds),
            folds=self.folds,
            cap_rows=self.cap_rows,
            seed=data.seed_of(self.name, table),
            each=data.map,
        )
        return self.score(
            "table",
            table,
            result.accuracy,
            comparison.name,
            std=result.accuracy_std,
            auc=result.auc,
            rows=result.rows,
            folds=result.folds,
            repeats=result.repeats,
            capped=min(rows) > self.cap_rows,
            telling=most_telling([feature.name for feature in real], result),
            **result.spread(result.accuracy, result.accuracy_std),
        )
