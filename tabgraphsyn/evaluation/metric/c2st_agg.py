"""C2ST-Agg: whether gradient boosting can tell synthetic families from real ones."""

from __future__ import annotations

from collections.abc import Sequence

from tabgraphsyn.evaluation.metric.c2st import C2ST
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.relatives import with_aggregates
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.feature import Feature


class C2STAgg(C2ST):
    """C2ST on parent rows with the count, means and distinct values of their children; the worst parent counts."""

    name = "c2st_agg"
    title = "C2ST-Agg"
    measures = (
        "Accuracy with which XGBoost tells real parents from compared ones when it sees their columns and, per foreign "
        "key, how many children they have, the mean of each number and how many distinct values of each category."
    )
    reading = (
        "0.5: families cannot be told apart. Independent columns under real keys reach 0.98. The database's value is "
        "that of its worst parent table; compare with the real-against-real line."
    )
    source = "SyntheRela, detection with aggregation (DDA); XGBoost's default parameters, 100 trees."

    def tables(self, comparison: Comparison) -> Sequence[str]:
        """Return the tables that a foreign key refers to."""
        schema = comparison.schema
        return [name for name in schema.table_names if schema.relations_of_parent(name)]

    def side_features(self, side: Side, table: str) -> list[Feature]:
        """Return the columns of the parent rows and the aggregates of their children."""
        return with_aggregates(side, table)

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per parent table and the worst of them."""
        if not comparison.schema.relations:
            return [self.unscored("database", "no foreign keys", comparison.name)]
        return super().compare(data, comparison)
