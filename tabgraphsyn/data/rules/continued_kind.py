"""A column that goes on from where the row before stood: a status history, periods end to end, the reading before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tabgraphsyn.data.rules.family_kinds import EqualGap, Numbered, steps
from tabgraphsyn.data.rules.find_families import CHANGES_MIN, times_in_order
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import parent_of
from tabgraphsyn.data.schema import Relation

ORDERS_MOST = 2
"""Columns that rows may be ordered by, beside the order of the file, at most."""


@dataclass(frozen=True, kw_only=True)
class Continued(Rule):
    """A column holds what another one holds in the row before it under the same parent.

    Attributes:
        relation: whose families.
        column: what goes on.
        of: what it goes on from.
        by: what the rows are ordered by, None for their order in the file.
        opens_empty: the first row of a parent has none; else it may hold anything.
    """

    kind: ClassVar[str] = "continued"
    relation: str
    column: Operand
    of: Operand
    by: Operand | None = None
    opens_empty: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column, what it goes on from, and what the rows are ordered by."""
        return (self.column, self.of, *((self.by,) if self.by else ()))

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows that hold something else than the row before left; only whole families are asked."""
        by = in_order(tables, self.table, self.by)
        is_asked = tables.is_whole(self.relation) & ~np.isnan(by)
        later, before = steps(tables.family(self.relation), by, is_asked)
        own, of = tables.joint(self.table, (self.column, self.of))
        applies, held = np.zeros(len(by), dtype=bool), np.zeros(len(by), dtype=bool)
        applies[later], held[later] = True, own[later] == of[before]
        if self.opens_empty:
            is_first = is_asked & ~applies
            applies |= is_first
            held |= is_first & (own < 0)
        return Checked.of(applies, held)

    def statement(self) -> str:
        """Return the rule in plain words."""
        by = "" if self.by is None else f", in order of {self.by}"
        first = ", and missing in the first" if self.opens_empty else ""
        return f"{self.column} is {self.of} of the row before under the same {parent_of(self.relation)}{by}{first}"


def in_order(tables: RuleTables, table: str, by: Operand | None) -> np.ndarray:
    """Return what puts the rows of a family in order, (rows,) float64: the file, or a column, NaN where it is empty."""
    return np.arange(tables.num_rows(table), dtype=np.float64) if by is None else tables.numbers(table, by)


def find_continued(search: Search, relation: Relation, told: Iterable[Rule]) -> Iterator[Continued]:
    """Yield candidates for columns that go on from another one of the row before, one for each column.

    Args:
        search: of the child table, its sample made of whole families of ``relation``.
        relation: the key.
        told: rules found before.
    """
    sample, table = search.sample, search.table
    rules = [one for one in told if isinstance(one, Numbered | EqualGap) and one.relation == relation.name]
    counted = {one.column for one in rules}
    numbered = [one.column for one in rules if isinstance(one, Numbered)]
    columns = _comparable(search)
    # A number says more than the file: made rows are numbered anew where their numbers have gaps.
    orders = [*[*numbered, *times_in_order(search, relation, columns)][:ORDERS_MOST], None]
    done: set[Operand] = set()
    for by in orders:
        order = in_order(sample, table, by)
        is_asked = sample.is_whole(relation.name) & ~np.isnan(order)
        later, before = steps(sample.family(relation.name), order, is_asked)
        if len(later) < BY_CHANCE_MIN:
            continue
        opens = np.setdiff1d(np.flatnonzero(is_asked & (sample.family(relation.name) >= 0)), later)
        for column in (one for one in columns if one not in counted | done):
            of = _goes_on_from(column, columns, later, before)
            if of is not None:
                done.add(column)
                is_empty = bool(len(opens)) and not sample.filled(table, column)[opens].any()
                yield Continued(table=table, relation=relation.name, column=column, of=of, by=by, opens_empty=is_empty)


def _comparable(search: Search) -> dict[Operand, np.ndarray]:
    """Return the columns whose values can be held against one another: (sampled rows,) uint64 each."""
    sample, table, found = search.sample, search.table, {}
    for one in search.attributes:
        if sample.is_number(table, one) or sample.is_time(table, one):
            found[one] = (np.nan_to_num(sample.numbers(table, one), nan=-np.inf) + 0.0).view(np.uint64)
        else:
            found[one] = np.where(sample.filled(table, one), sample.hashes(table, one), 0).astype(np.uint64)
    return found


def _goes_on_from(
    column: Operand, columns: dict[Operand, np.ndarray], later: np.ndarray, before: np.ndarray
) -> Operand | None:
    """Return the column whose value in the row before, (steps,) rows, is always that of another; None for none.

    A column that stays from row to row, or that is equal to the other in its own row, goes on from nothing.
    """
    value = columns[column]
    if (value[later] != value[before]).mean() < CHANGES_MIN:
        return None
    for of, other in columns.items():
        if of == column or (value[later[:64]] != other[before[:64]]).any() or (value[later] != other[before]).any():
            continue
        if (value[later] != other[later]).mean() >= CHANGES_MIN:
            return of
    return None
