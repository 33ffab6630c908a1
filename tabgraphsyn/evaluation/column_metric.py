"""Metrics that say one number per column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import entity_groups
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Influences, jackknifed
from tabgraphsyn.evaluation.statistics.statistics import marginals
from tabgraphsyn.ranges import Count, NotNegative


class ColumnMetric(ComparisonMetric):
    """One number per column, and their means per table and over the database.

    Attributes:
        kinds: kinds of features it is defined for.
        worst: value of a column that has lost all its values.
        undefined: why ``column`` may return None.
    """

    kinds: ClassVar[tuple[str, ...]] = ("numerical", "categorical")
    undefined: ClassVar[str] = "undefined for this column"
    worst: NotNegative = 0.0

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return the mean over all columns, per table the mean, and the columns."""
        everything: list[Result] = []
        columns: list[Result] = []
        for table in comparison.schema.table_names:
            if comparison.is_baseline and comparison.candidate.num_rows(table) == 0:
                everything.append(
                    self.unscored(table, "the real part it is compared with has no rows", comparison.name)
                )
                continue
            pairs = [pair for pair in comparison.feature_pairs(table) if pair[0].kind in self.kinds]
            groups = entity_groups(data, comparison, table) if pairs else None
            scored = data.map(partial(self._column, table, comparison, groups), pairs)
            everything += [*mean_score(self, "table", table, scored), *scored]
            columns += scored
        overall = mean_score(self, "database", "database", columns)
        return [*(overall or [self.unscored("database", "no column to score", comparison.name)]), *everything]

    def _column(
        self, table: str, comparison: Comparison, groups: GroupPair | None, pair: tuple[Feature, Feature]
    ) -> Result:
        real, other = pair
        where = f"{table}.{real.name}"
        detail: dict[str, Any] = {"table": table, "column": real.name, "kind": real.kind}
        if other.note:
            detail["reason"] = other.note
        if len(real.values) == 0 or real.missing.all():
            return self.unscored(where, "no value in the real column; see null_rates", comparison.name)
        if len(other.values) == 0 or other.missing.all():
            reason = other.note or "no value where the real column has some"
            if comparison.is_baseline:
                return self.unscored(where, reason, comparison.name)
            return self.score("column", where, self.worst, comparison.name, **{**detail, "reason": reason})
        value = self.column(real, other)
        if value is None:
            return self.unscored(where, self.undefined, comparison.name)
        influences = self.influences(real, other, groups) if groups else None
        return self.with_error(self.score("column", where, value, comparison.name, **detail), influences)

    @abstractmethod
    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the value of one column whose real side has values; None where it is undefined."""

    def influences(self, real: Feature, other: Feature, groups: GroupPair) -> Influences | None:
        """Return by how much each group of entities moves the value of one column."""

        def without(rows: np.ndarray, other_rows: np.ndarray) -> float | None:
            left, right = real.take(rows), other.take(other_rows)
            return None if left.missing.all() or right.missing.all() else self.column(left, right)

        return jackknifed(groups, without)


class MarginalMetric(ColumnMetric):
    """A difference between the shares of categories, or of equal-width bins of the real range.

    Args:
        bins: bins of a number; values outside the real range fall into the outer bins, missing values into their own.
    """

    range = "0 to 1"
    direction = "lower"
    reading = "0: equal marginals. Many categories make it small: compare columns with themselves, not with each other."
    source = "The ancestors' tables; own definition of the bins, stated here."
    worst = 1.0

    def __init__(self, *, bins: Count = 20) -> None:
        self.bins = bins

    def column(self, real: Feature, other: Feature) -> float | None:
        """Return the difference of one column."""
        left, right = marginals(real, other, self.bins)
        return self.difference(left - right)

    @abstractmethod
    def difference(self, gaps: np.ndarray) -> float:
        """Return one number for the differences of the shares, (shares,)."""
