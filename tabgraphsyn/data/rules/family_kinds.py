"""Kinds of rules within the rows of one parent, and between a parent and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.rules.operand import Operand, span
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import parent_of

ENDS = ("first", "last")
AGGREGATES = ("sum", "count", "min", "max", "mean", *ENDS)


@dataclass(frozen=True, kw_only=True)
class Numbered(Rule):
    """The rows of a parent are numbered without a gap: 1, 2, ... n."""

    kind: ClassVar[str] = "numbered"
    relation: str
    column: Operand
    start: int = 1

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column."""
        return (self.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows whose number is outside 1 to n, or stands there twice; only whole families are asked."""
        applies = tables.is_whole(self.relation)
        value = tables.numbers(self.table, self.column) - self.start
        family = np.maximum(tables.family(self.relation), 0)
        size = np.bincount(family[applies], minlength=int(family.max(initial=0)) + 1)[family]
        inside = (value >= 0) & (value < size) & (value == np.floor(value))
        place = np.where(inside & applies, value, -1).astype(np.int64)
        key = np.where(place >= 0, family * (int(size.max(initial=0)) + 1) + place, -1)
        first = np.zeros(len(key), dtype=bool)
        first[np.unique(key, return_index=True)[1]] = True
        return Checked.of(applies, inside & first)

    def statement(self) -> str:
        """Return the rule in plain words."""
        to = "n" if self.start == 1 else f"n{self.start - 1:+d}"
        return f"{self.column} numbers the rows of each {parent_of(self.relation)} {self.start} to {to}"


@dataclass(frozen=True, kw_only=True)
class Rising(Rule):
    """A column rises, or falls, from row to row of a parent.

    Attributes:
        relation: whose families.
        column: what rises.
        by: what the rows are ordered by, None for their order in the file.
        strict: it never stays.
        falling: it falls instead.
    """

    kind: ClassVar[str] = "rising"
    relation: str
    column: Operand
    by: Operand | None = None
    strict: bool = False
    falling: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column, and what the rows are ordered by."""
        return (self.column, *((self.by,) if self.by else ()))

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows that are not above the row before them; the first of a family is not asked."""
        value = tables.numbers(self.table, self.column)
        by = np.arange(len(value), dtype=np.float64) if self.by is None else tables.numbers(self.table, self.by)
        later, before = steps(tables.family(self.relation), by, ~(np.isnan(value) | np.isnan(by)))
        rise = (value[before] - value[later]) if self.falling else (value[later] - value[before])
        ordered = by[later] > by[before]
        return _of_rows(len(value), later[ordered], ((rise > 0) if self.strict else (rise >= 0))[ordered])

    def statement(self) -> str:
        """Return the rule in plain words."""
        if self.strict:
            verb = "falls" if self.falling else "rises"
        else:
            verb = "never rises" if self.falling else "never falls"
        by = "the order of the file" if self.by is None else f"order of {self.by}"
        return f"{self.column} {verb} within each {parent_of(self.relation)}, in {by}"


@dataclass(frozen=True, kw_only=True)
class EqualGap(Rule):
    """Sorted values of a parent's rows are equally far apart.

    Attributes:
        relation: whose families.
        column: numbers or times; times count in seconds.
        gap: how far, None where it is another for each parent.
        is_time: the column holds times, so the gap is told in days, hours or minutes.
    """

    kind: ClassVar[str] = "equal_gap"
    relation: str
    column: Operand
    gap: float | None = None
    is_time: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column."""
        return (self.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows whose distance to the one before is another; only whole families are asked."""
        value = tables.numbers(self.table, self.column)
        family = tables.family(self.relation)
        later, before = steps(family, value, ~np.isnan(value) & tables.is_whole(self.relation))
        gap = value[later] - value[before]
        near = 1e-6 * np.maximum(np.abs(gap), 1e-3)
        if self.gap is not None:
            return _of_rows(len(value), later, np.abs(gap - self.gap) <= near)
        owner = family[later]
        opens = np.flatnonzero(np.diff(owner, prepend=-1)) if len(owner) else np.empty(0, np.int64)
        sizes = np.diff(np.append(opens, len(owner)))
        # The median gap of a family is the one that the others are held against: one row off breaks one row or two.
        middle = np.lexsort((gap, owner))[opens + (sizes - 1) // 2] if len(owner) else opens
        wanted = np.repeat(gap[middle], sizes)
        asked = np.repeat(sizes, sizes) > 1
        return _of_rows(len(value), later[asked], (np.abs(gap - wanted) <= near)[asked])

    def statement(self) -> str:
        """Return the rule in plain words."""
        parent = parent_of(self.relation)
        if self.gap is None:
            return f"{self.column} is equally spaced within each {parent}"
        return f"{self.column} is {span(self.gap) if self.is_time else f'{self.gap:.10g}'} apart within each {parent}"


@dataclass(frozen=True, kw_only=True)
class ParentTotal(Rule):
    """A column of a parent is what its rows add up to, their number, their least, largest or mean value, or one row's.

    Attributes:
        column: the parent's.
        relation: to its rows.
        of: the rows' column, None for their number.
        how: ``sum``, ``count``, ``min``, ``max``, ``mean``, or ``first`` or ``last``, which take any value.
        by: the rows' column that says which is first and last, None for their order in the file.
        tolerance: how far a kept row may be off.
    """

    kind: ClassVar[str] = "parent_total"
    column: Operand
    relation: str
    of: str | None = None
    how: str = "sum"
    by: str | None = None
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.how not in AGGREGATES or (self.of is None) != (self.how == "count"):
            raise ValueError(f"how: one of {', '.join(AGGREGATES)}, with 'of' except for count; found {self.how!r}")
        if self.by is not None and self.how not in ENDS:
            raise ValueError(f"by: says which row is first or last; remove it, or how: first or last for {self.how!r}")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The parent's column."""
        return (self.column,)

    @property
    def follows(self) -> tuple[str, ...]:
        """The parent's column."""
        return (self.column.column,)

    @property
    def read_of_rows(self) -> tuple[str, ...]:
        """The rows' columns that it reads."""
        return tuple(one for one in (self.of, self.by) if one is not None)

    def missing(self, tables: RuleTables) -> list[str]:
        """Return what the rule reads and ``tables`` lack, the children's columns among it."""
        child = tables.relation(self.relation).child_table
        return [*super().missing(tables), *tables.missing(child, list(map(Operand, self.read_of_rows)))]

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return parents whose value is not what their rows say; only parents with all their rows are asked."""
        whole = tables.whole_parents(self.relation)
        child = tables.relation(self.relation).child_table
        if self.of is not None and not tables.is_measured(child, Operand(self.of)):
            row = end_rows(tables, self.relation, self.how, self.by)
            told = at_rows(tables.values(child, Operand(self.of)), row)
            same = pc.equal(tables.texts(self.table, self.column), told)
            return Checked.of(whole & _true(pc.is_valid(same)), _true(same))
        value = tables.numbers(self.table, self.column)
        wanted = aggregated(tables, self.relation, self.of, self.how, self.by)
        off = np.abs(value - wanted)
        return Checked.of(~np.isnan(off) & whole, off <= self.tolerance + 1e-12 * np.nan_to_num(np.abs(value)))

    def statement(self) -> str:
        """Return the rule in plain words."""
        child = self.relation.split(".", 1)[0]
        if self.of is None:
            return f"{self.column} is the number of its rows in {child}"
        words = {"min": "least", "max": "largest"}
        by = "" if self.by is None else f", in order of {self.by}"
        return f"{self.column} is the {words.get(self.how, self.how)} of {child}.{self.of} over its rows{by}"


@dataclass(frozen=True, kw_only=True)
class FamilyTotal(Rule):
    """The rows of each parent add up to one number: charges to 0, shares to 100; missing values do not count.

    Attributes:
        relation: whose families.
        column: what is added up.
        total: the number.
        tolerance: how far a kept family may be off.
    """

    kind: ClassVar[str] = "family_total"
    relation: str
    column: Operand
    total: float = 0.0
    tolerance: float = 1e-6

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column."""
        return (self.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return the rows of parents whose rows add up to another number; only whole families are asked."""
        value, family = tables.numbers(self.table, self.column), tables.family(self.relation)
        applies = tables.is_whole(self.relation) & (family >= 0) & ~np.isnan(value)
        total = aggregate("sum", np.where(applies, value, np.nan), family, int(family.max(initial=-1)) + 1)
        off = np.abs(np.append(total, self.total)[family] - self.total)
        return Checked.of(applies, off <= self.tolerance)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.column} adds up to {self.total:.10g} over the rows of each {parent_of(self.relation)}"


def aggregated(tables: RuleTables, relation: str, of: str | None, how: str, by: str | None = None) -> np.ndarray:
    """Return (parents,) float64: what the rows of each parent say; NaN for a parent without any (0 for sum and count).

    Missing values do not count, but in the first and the last row, which ``by`` or the file tells.
    """
    one = tables.relation(relation)
    parents, pointer = tables.num_rows(one.parent_table), tables.pointer(relation)
    if of is None:
        return np.bincount(pointer[pointer >= 0], minlength=parents).astype(np.float64)
    value = tables.numbers(one.child_table, Operand(of))
    if how in ENDS:
        return np.append(value, np.nan)[end_rows(tables, relation, how, by)]
    return aggregate(how, value, pointer, parents)


def end_rows(tables: RuleTables, relation: str, how: str, by: str | None = None) -> np.ndarray:
    """Return (parents,) int64: the first or last row of each parent, by a column or the file; -1 for none."""
    one = tables.relation(relation)
    pointer = tables.pointer(relation)
    order = None if by is None else tables.numbers(one.child_table, Operand(by))
    return ends_of(how, pointer, tables.num_rows(one.parent_table), order)


def ends_of(how: str, pointer: np.ndarray, parents: int, by: np.ndarray | None = None) -> np.ndarray:
    """Return (parents,) int64: the first or last row of each parent; -1 for none.

    Shape:
        pointer: (rows,), the parent of each row, negative for none.
        by: (rows,), what puts them in order, NaN for a row that is neither; None for the file.

    >>> ends_of("last", np.array([0, 0, 1, -1]), 3, np.array([5.0, 2.0, 1.0, 9.0])).tolist()
    [0, 2, -1]
    """
    row, there = np.full(parents, -1), pointer >= 0
    if by is None:
        rows = np.flatnonzero(there)
    else:
        rows = np.flatnonzero(there & ~np.isnan(by))
        rows = rows[np.argsort(by[rows], kind="stable")]
    rows = rows[::-1] if how == "first" else rows
    row[pointer[rows]] = rows  # of several the last one stays
    return row


def at_rows(values: pa.Array, row: np.ndarray) -> pa.Array:
    """Return (parents,) texts: what some rows of another table hold; ``row`` is (parents,), negative for none."""
    return as_text(values.take(pa.array(row, mask=row < 0)))


def _true(values: pa.Array) -> np.ndarray:
    return values.fill_null(False).to_numpy(zero_copy_only=False)


def aggregate(how: str, value: np.ndarray, pointer: np.ndarray, parents: int) -> np.ndarray:
    """Return (parents,) float64: the ``how`` of the values of each parent's rows; NaN values do not count.

    Of the first and the last row of a parent, in the file, they do.

    Shape:
        value, pointer: (rows,), a number and the parent of each row, negative for none.
    """
    if how in ENDS:
        return np.append(value, np.nan)[ends_of(how, pointer, parents)]
    has = (pointer >= 0) & ~np.isnan(value)
    if how in ("sum", "mean"):
        total = np.bincount(pointer[has], weights=value[has], minlength=parents)
        if how == "sum":
            return total
        count = np.bincount(pointer[has], minlength=parents)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    found = np.full(parents, np.inf if how == "min" else -np.inf)
    (np.minimum if how == "min" else np.maximum).at(found, pointer[has], value[has])
    return np.where(np.isinf(found), np.nan, found)


def steps(family: np.ndarray, by: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and the rows before them in their families, families in order.

    Shape:
        ``family``: (rows,) number of the parent, negative for none. ``by``: (rows,), what orders them. ``counts``:
            (rows,) bool, the rows that take part. Returned: two (pairs,) int64 of places.
    """
    rows = np.flatnonzero(counts & (family >= 0))
    rows = rows[np.lexsort((by[rows], family[rows]))]
    same = family[rows[1:]] == family[rows[:-1]]
    return rows[1:][same], rows[:-1][same]


def _of_rows(rows: int, asked: np.ndarray, kept: np.ndarray) -> Checked:
    applies, held = np.zeros(rows, dtype=bool), np.ones(rows, dtype=bool)
    applies[asked] = True
    held[asked] = kept
    return Checked.of(applies, held)
