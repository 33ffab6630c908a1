"""Rows numbered among those that share the values of some columns: rounds of a year, lines of an order and day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from tabgraphsyn.data.rules.family_kinds import Numbered
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search
from tabgraphsyn.data.rules.tables import RuleTables

GROUPS_MIN = 5
"""Groups of two rows or more that no split cuts, at least."""
ROWS_PER_GROUP = 2


@dataclass(frozen=True, kw_only=True)
class Placed(Rule):
    """The rows that share the values of some columns are numbered without a gap, in the order of another column.

    Attributes:
        column: the numbers.
        within: own columns, keys among them.
        by: what the rows are ordered by; None: the numbers say nothing of the order.
        start: the first number.
    """

    kind: ClassVar[str] = "placed"
    column: Operand
    within: tuple[Operand, ...]
    by: Operand | None = None
    start: int = 1

    def __post_init__(self) -> None:
        if not all(one.is_own for one in self.operands) or self.column in self.within:
            raise ValueError("column, within, by: own columns of the row, the numbers not among what they are within")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The numbers, what they are within, and what orders them."""
        return (self.column, *self.within, *((self.by,) if self.by else ()))

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows whose number is not their place; only groups of which all rows are there are asked."""
        group = tables.whole_groups(self.table, self.within)
        value = tables.numbers(self.table, self.column) - self.start
        by = value if self.by is None else tables.numbers(self.table, self.by)
        group = np.where(np.isnan(by), -1, group)
        return Checked.of(group >= 0, places(group, by, value) == value)

    def statement(self) -> str:
        """Return the rule in plain words."""
        to = "n" if self.start == 1 else f"n{self.start - 1:+d}"
        order = "" if self.by is None else f", in order of {self.by}"
        return (
            f"{self.column} numbers the rows of one {' and '.join(map(str, self.within))} {self.start} to {to}{order}"
        )


def places(group: np.ndarray, by: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Return each row's place in its group from 0, (rows,) float64, NaN outside of groups.

    Shape:
        group: (rows,) int64, negative for none. by, then: (rows,) what orders the rows of a group, NaN last.
    """
    here = np.flatnonzero(group >= 0)
    order = here[np.lexsort((then[here], by[here], group[here]))]
    opens = np.flatnonzero(np.diff(group[order], prepend=-1))
    found = np.full(len(group), np.nan)
    found[order] = np.arange(len(order)) - np.repeat(opens, np.diff(np.append(opens, len(order))))
    return found


def find_placed(search: Search, told: Iterable[Rule]) -> Iterator[Placed]:
    """Yield what numbers the rows of one value of a column, or of one parent and a value.

    Args:
        search: of the table, its sample made of whole families where it has a relation.
        told: rules found before: what numbers the rows of a parent numbers those of no part of them.
    """
    numbered = {rule.column for rule in told if isinstance(rule, Numbered | Placed)}
    columns = search.numeric(search.attributes)
    times = [one for one in columns if search.sample.is_time(search.table, one)]
    keys = _keys(search)

    @cache
    def groups(one: Operand) -> np.ndarray:
        return search.sample.whole_groups(search.table, [*keys, one])

    for column, value in columns.items():
        start = float(np.nanmin(value))
        if column in numbered or column in times or start not in (0.0, 1.0) or not (value == np.floor(value)).all():
            continue
        for one in search.attributes:
            if one == column or not _may_be(groups(one), value - start):
                continue
            orders = [*(each for each in times if each != one), None]
            found = next(_accepted(search, column, (*keys, one), int(start), orders), None)
            if found is not None:
                yield found
                break


def _accepted(
    search: Search, column: Operand, within: tuple[Operand, ...], start: int, orders: Sequence[Operand | None]
) -> Iterator[Placed]:
    for by in orders:
        rule = Placed(table=search.table, column=column, within=within, by=by, start=start)
        found = search.accept(rule)
        if isinstance(found, Placed):
            yield found


def _keys(search: Search) -> list[Operand]:
    if search.relation is None:
        return []
    return [Operand(name) for name in search.tables.relation(search.relation).child_columns]


def _may_be(group: np.ndarray, value: np.ndarray) -> bool:
    """Return whether groups are of some size, and none holds a number twice or one beyond its size; (rows,) each."""
    here = group >= 0
    sizes = np.bincount(group[here]) if here.any() else np.zeros(0, dtype=np.int64)
    sizes = sizes[sizes > 0]
    if here.sum() < BY_CHANCE_MIN or (sizes > 1).sum() < GROUPS_MIN or sizes.mean() < ROWS_PER_GROUP:
        return False
    return bool((places(group, value, value)[here] == value[here]).all())
