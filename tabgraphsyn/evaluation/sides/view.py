"""What a privacy metric looks at: the rows of a table, or rows joined with their children or their parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.score import Level
from tabgraphsyn.evaluation.sides.relatives import with_aggregates
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.feature import Feature


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
        has_columns: False where the table has none besides keys; columns without information are left out.
    """

    where: str
    kind: Literal["rows", "families", "with_parent"]
    level: Level
    table: str
    reference: list[Feature]
    candidate: list[Feature]
    has_columns: bool = True

    @property
    def key(self) -> tuple:
        """What the real side of the view depends on: place and columns."""
        return self.kind, self.where, tuple(feature.name for feature in self.reference)


def _view(
    where: str,
    kind: Literal["rows", "families", "with_parent"],
    level: Level,
    table: str,
    reference: list[Feature],
    candidate: list[Feature],
) -> View:
    """Return a view without the columns that say nothing on the compared side.

    A column that is absent, unreadable or one value throughout is left out on both sides: kept, it would put every row
    at a distance from every real one, and a copy of all other columns would pass for none. Where no other column is
    left, single values stay: one row repeated may still be a real one.
    """
    pairs = list(zip(reference, candidate, strict=True))
    there = [pair for pair in pairs if pair[0].missing.all() or not pair[1].missing.all()]
    kept = [pair for pair in there if is_constant(pair[0]) or not is_constant(pair[1])]
    kept = kept if any(not is_constant(right) for _, right in kept) else there
    return View(where, kind, level, table, [left for left, _ in kept], [right for _, right in kept], bool(pairs))


def is_constant(feature: Feature) -> bool:
    """Return whether all rows have the same value, or all have none."""
    values, missing = feature.values, feature.missing
    return bool(missing.all()) if missing.any() else bool((values == values[:1]).all())


def table_view(comparison: Comparison, table: str) -> View:
    """Return the rows of a table with their own columns."""
    whole = Side(comparison.reference.whole)
    return _view(table, "rows", "table", table, whole.features(table), comparison.candidate.features(table))


def family_view(comparison: Comparison, table: str, relations: Sequence[Relation]) -> View:
    """Return parents with counts, means and numbers of distinct values of their children, rounded to ten digits."""
    whole = Side(comparison.reference.whole)
    sides = [with_aggregates(side, table, relations) for side in (whole, comparison.candidate)]
    reference, candidate = ([_rounded(feature) for feature in side] for side in sides)
    return _view(table, "families", "table", table, reference, candidate)


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
    return _view(relation.name, "with_parent", "relation", relation.child_table, reference, candidate)


def _with_parent(side: Side, relation: Relation) -> list[Feature]:
    rows = side.row_numbers(relation.child_table)
    parent_row = side.whole.pointers[relation.name][rows]
    missing = parent_row < 0
    made = side.features(relation.child_table)
    for feature in side.whole.features[relation.parent_table].values():
        absent = np.nan if feature.kind == "numerical" else -1
        if len(feature.values) == 0:
            values = np.full(len(rows), absent, feature.values.dtype)
        else:
            values = np.where(missing, absent, feature.values[np.where(missing, 0, parent_row)])
        values = values.astype(feature.values.dtype)
        made.append(Feature(f"{relation.parent_table}.{feature.name}", feature.kind, values, feature.levels))
    return made
