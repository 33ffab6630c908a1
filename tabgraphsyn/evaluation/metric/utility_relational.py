"""Relational utility: whether what other tables say about a row is learnt from synthetic families as from real ones."""

from __future__ import annotations

from collections.abc import Sequence

from tabgraphsyn.evaluation.metric.utility import Utility
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.relatives import related_features
from tabgraphsyn.evaluation.sides.side import Comparison, FeatureDatabase
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.ranges import Count, Share


class UtilityRelational(Utility):
    """Utility with the columns of a row's parents and aggregates of its children as features.

    Args:
        targets: columns to predict, each ``table.column``; None chooses them per table.
        per_table: number of columns chosen per table.
        cap_rows: rows to fit and rows to test at most.
        least_rows: fewer rows to fit or to test than this are not judged.
        least_skill: a model that reaches less than this after training on real rows does not count.
        own_columns: True adds the other columns of the row itself; they usually say more than other tables do, and
            then hide what the keys carry.
    """

    name = "utility_relational"
    title = "Utility across tables"
    measures = (
        "As utility, with a column predicted from other tables only: the columns of its row's parents, and for each "
        "foreign key to it the number of children, the mean of each number and the distinct values of each category."
    )
    source = (
        "Train on synthetic, test on real, on SyntheRela's aggregates and the columns of parents; XGBoost and ridge "
        "regression."
    )

    def __init__(
        self,
        *,
        targets: Sequence[str] | None = None,
        per_table: Count = 2,
        cap_rows: Count = 5_000,
        least_rows: Count = 50,
        least_skill: Share = 0.05,
        own_columns: bool = False,
    ) -> None:
        super().__init__(
            targets=targets, per_table=per_table, cap_rows=cap_rows, least_rows=least_rows, least_skill=least_skill
        )
        self.own_columns = own_columns

    def features(self, whole: FeatureDatabase, table: str) -> list[Feature]:
        """Return the features from other tables, and with ``own_columns`` those of the row."""
        own = super().features(whole, table) if self.own_columns else []
        return own + related_features(whole, table)

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per target, per table, and over all targets."""
        if not comparison.schema.relations:
            return [self.unscored("database", "no foreign keys", comparison.name)]
        return super().compare(data, comparison)
