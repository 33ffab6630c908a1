"""In which order tables are generated, and along which key their rows are created.

Pure functions of the relations and of how their keys are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tabgraphsyn.data.file_order import FileKey
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.schema import Relation

MAX_DRIVER_NULL_SHARE = 0.5
FAMILY_MOST, NULLS_FEW = 4, 0.05
"""A key takes the place of one to one keys if its families have so many rows at most, and so many nulls."""


@dataclass(frozen=True)
class KeyUse:
    """How one relation's keys are used.

    Attributes:
        distinct_parents: parent rows with at least one child.
        null_share: share of child rows whose key is null.
        has_siblings: some parent has several child rows.
    """

    distinct_parents: int
    null_share: float
    has_siblings: bool = True

    @staticmethod
    def measure(parent_row: np.ndarray) -> KeyUse:
        """Return the use of a key from its pointers.

        Shape:
            parent_row: (child rows,) int64, negative where there is no parent.

        >>> KeyUse.measure(np.array([0, 0, 2, -1]))
        KeyUse(distinct_parents=2, null_share=0.25, has_siblings=True)
        """
        rows = len(parent_row)
        linked = parent_row[parent_row >= 0]
        counts = np.bincount(linked) if len(linked) else np.zeros(1, dtype=np.int64)
        return KeyUse(
            distinct_parents=int((counts > 0).sum()),
            null_share=float(1 - len(linked) / rows) if rows else 0.0,
            has_siblings=bool(counts.max() > 1),
        )


@dataclass(frozen=True)
class Plan(Plain):
    """The contents of ``plan.json``.

    Attributes:
        order: tables, parents first.
        driver: per table the name of the relation along which its rows are created, or None.
        reference_tables: tables shared by training and holdout, which do not grow with ``scale``: the published ones
            and the small ones.
        published: of these, the ones whose real rows are kept -> why.
        kept_back: tables that others refer to and whose rows are made anew -> why they are not published.
        real_rows: rows per table, training and holdout together.
        training_rows: rows per table that may be trained on.
        min_entities: so many entities must hold a value before it is named.
        file_order: table -> what its file is sorted by, where rows of it are made anew and it is sorted by anything.
    """

    order: tuple[str, ...]
    driver: Mapping[str, str | None]
    reference_tables: tuple[str, ...]
    real_rows: Mapping[str, int]
    training_rows: Mapping[str, int]
    published: Mapping[str, str] = field(default_factory=dict)
    kept_back: Mapping[str, str] = field(default_factory=dict)
    min_entities: int = 5
    file_order: Mapping[str, tuple[FileKey, ...]] = field(default_factory=dict)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Tables too small to learn from: their attributes are drawn from coarse marginals."""
        return tuple(table for table in self.reference_tables if table not in self.published)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {**super().to_dict(), "coarse": list(self.coarse)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form that ``to_dict`` writes."""
        return super().from_dict({key: value for key, value in raw.items() if key != "coarse"})


def generation_order(
    tables: Sequence[str], relations: Sequence[Relation], null_shares: Mapping[str, float] | None = None
) -> tuple[str, ...]:
    """Return the tables with every parent before its children.

    Self references are ignored. Where tables refer to each other in a circle, no such order exists; then the table
    of the circle that goes first is the one whose keys into tables not placed yet hold the fewest values (sum of
    ``1 - null share`` over those relations), the first in ``tables`` among equals. Its keys are the ones that point
    ahead.

    >>> def refers(child, parent):
    ...     return Relation(child, (parent,), parent, ("id",))
    >>> generation_order(["A", "B", "C"], [refers("A", "C"), refers("A", "B"), refers("B", "C")])
    ('C', 'B', 'A')
    >>> generation_order(["A", "B", "C"], [refers("A", "B"), refers("B", "A"), refers("C", "A")])
    ('A', 'B', 'C')
    >>> generation_order(["A"], [refers("A", "A")])
    ('A',)
    """
    shares = null_shares or {}
    waits: dict[str, list[Relation]] = {table: [] for table in tables}
    for relation in relations:
        if not relation.is_self_reference:
            waits[relation.child_table].append(relation)
    order: list[str] = []
    while waits:
        free = [table for table in waits if not waits[table]]
        chosen = free[0] if free else _breaks_circle(waits, shares)
        order.append(chosen)
        del waits[chosen]
        waits = {table: [r for r in pending if r.parent_table != chosen] for table, pending in waits.items()}
    return tuple(order)


def _breaks_circle(waits: Mapping[str, list[Relation]], null_shares: Mapping[str, float]) -> str:
    parents = {table: {relation.parent_table for relation in pending} for table, pending in waits.items()}
    ancestors = {table: _reachable(table, parents) for table in parents}
    # A table that merely waits for a circle has ancestors that do not lead back to it; it must not go first.
    circle = [table for table in waits if all(table in ancestors[other] for other in ancestors[table])]

    def filled(table: str) -> float:
        return sum(1.0 - null_shares.get(relation.name, 0.0) for relation in waits[table])

    return min(circle, key=filled)


def _reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    stack = list(edges[start])
    while stack:
        table = stack.pop()
        if table not in seen:
            seen.add(table)
            stack.extend(edges[table])
    return seen


def driver_relations(
    order: Sequence[str], relations: Sequence[Relation], use: Mapping[str, KeyUse]
) -> dict[str, Relation | None]:
    """Return per table the relation along which its rows are created, or None.

    Candidates refer to a table that is generated earlier, so drivers form a forest. A key with less than half nulls
    is preferred, then the one that uses the most distinct parents, then the first in the schema; where that one leads
    each row to a parent of its own, another takes its place whose parents have a few rows: an account's two clients.

    >>> plane = Relation("flights", ("tailnum",), "planes", ("tailnum",))
    >>> airport = Relation("flights", ("origin",), "airports", ("faa",))
    >>> use = {plane.name: KeyUse(2600, 0.01), airport.name: KeyUse(3, 0.0)}
    >>> driver_relations(["airports", "planes", "flights"], [airport, plane], use)["flights"].parent_table
    'planes'
    """
    place = {table: number for number, table in enumerate(order)}
    drivers: dict[str, Relation | None] = {}
    for table in order:
        candidates = [r for r in relations if r.child_table == table and place[r.parent_table] < place[table]]
        first = min(candidates, key=lambda relation: _preference(use[relation.name]), default=None)
        drivers[table] = None if first is None else _with_siblings(first, candidates, use)
    return drivers


def _preference(use: KeyUse) -> tuple[bool, int]:
    return use.null_share >= MAX_DRIVER_NULL_SHARE, -use.distinct_parents


def _with_siblings(first: Relation, others: Sequence[Relation], use: Mapping[str, KeyUse]) -> Relation:
    """Return ``first``, or the key that parts a table's rows nearly as finely and lets some of them be siblings."""
    asked = use[first.name]
    if asked.has_siblings:
        return first
    fine = [
        one
        for one in others
        if use[one.name].has_siblings
        and FAMILY_MOST * use[one.name].distinct_parents >= asked.distinct_parents
        and use[one.name].null_share <= max(asked.null_share, NULLS_FEW)
    ]
    return min(fine, key=lambda relation: _preference(use[relation.name]), default=first)
