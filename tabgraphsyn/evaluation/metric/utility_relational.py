"""Relational utility: whether what other tables say about a row is learnt from synthetic families as from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabgraphsyn.evaluation.metric.utility import Utility
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.relatives import related_features
from tabgraphsyn.evaluation.sides.side import Comparison, FeatureDatabase
from tabgraphsyn.evaluation.statistics.feature import Feature


class UtilityRelational(Utility):
    """Utility with the columns of a row's parents and aggregates of its children as features.

    Args:
        own_columns: True adds the other columns of the row itself; they usually say more than other tables do, and
            then hide what the keys carry.

    The other arguments are those of ``Utility``.
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

    def __init__(self, *, own_columns: bool = False, **others: Any) -> None:
        super().__init__(**others)
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
