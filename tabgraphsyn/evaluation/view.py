"""What a privacy metric looks at: the rows of a table, or rows joined with their children or their parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.aggregate import with_aggregates
from tabgraphsyn.evaluation.base import Level
from tabgraphsyn.evaluation.feature import Feature
from tabgraphsyn.evaluation.side import Comparison, Side


@dataclass(frozen=True)
class View:
    """Rows of one table as columns that a metric compares.

    Attributes:
        where: the place that a score names: a table, or a relation for rows joined with their parent.
        kind: which columns; ``where`` alone does not tell a table from its families.
        level: ``table`` or ``relation``.
        table: the table whose rows these are.
        reference: columns over all real rows.
        candidate: the same columns over the compared rows.
    """

    where: str
    kind: Literal["rows", "families", "with_parent"]
    level: Level
    table: str
    reference: list[Feature]
    candidate: list[Feature]

    @property
    def rows(self) -> int:
        """Number of compared rows."""
        return len(self.candidate[0].values) if self.candidate else 0


def table_view(comparison: Comparison, table: str) -> View:
    """Return the rows of a table with their own columns."""
    whole = Side(comparison.reference.whole)
    return View(table, "rows", "table", table, whole.features(table), comparison.candidate.features(table))


def family_view(comparison: Comparison, table: str, relations: Sequence[Relation]) -> View:
    """Return parents with counts, means and numbers of distinct values of their children, rounded to ten digits."""
    whole = Side(comparison.reference.whole)
    sides = [with_aggregates(side, table, relations) for side in (whole, comparison.candidate)]
    reference, candidate = ([_rounded(feature) for feature in side] for side in sides)
    return View(table, "families", "table", table, reference, candidate)


def _rounded(feature: Feature) -> Feature:
    """Return means that do not depend on the order in which they were summed: a copied family may stand shuffled."""
    if feature.kind == "categorical":
        return feature
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 10.0 ** (10 - np.ceil(np.log10(np.abs(feature.values))))
        values = np.where(np.isfinite(power), np.rint(feature.values * power) / power, feature.values)
    return Feature(feature.name, feature.kind, values, feature.levels, feature.note)


def parent_view(comparison: Comparison, relation: Relation) -> View:
    """Return child rows with their parent's columns; where there is no parent those are missing."""
    whole = Side(comparison.reference.whole)
    reference, candidate = (_with_parent(side, relation) for side in (whole, comparison.candidate))
    return View(relation.name, "with_parent", "relation", relation.child_table, reference, candidate)


def _with_parent(side: Side, relation: Relation) -> list[Feature]:
    rows = side.row_numbers(relation.child_table)
    parent_row = side.whole.pointers[relation.name][rows]
    missing = parent_row < 0
    made = [feature.take(rows) for feature in side.whole.features[relation.child_table].values()]
    for feature in side.whole.features[relation.parent_table].values():
        absent = np.nan if feature.kind == "numerical" else -1
        if len(feature.values) == 0:
            values = np.full(len(rows), absent, feature.values.dtype)
        else:
            values = np.where(missing, absent, feature.values[np.where(missing, 0, parent_row)])
        values = values.astype(feature.values.dtype)
        made.append(Feature(f"{relation.parent_table}.{feature.name}", feature.kind, values, feature.levels))
    return made
