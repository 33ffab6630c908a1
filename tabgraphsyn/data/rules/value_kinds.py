"""Kinds of rules about which values stand together: fixed columns, groups of flags, gaps, keys, repetitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import column_codes, mixed_in, repeated, tuple_codes
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.tables import RuleTables, as_text
from tabgraphsyn.errors import listing


@dataclass(frozen=True, kw_only=True)
class Fixed(Rule):
    """A column follows from others: a city has one state, a plane one carrier, a route one distance.

    Attributes:
        determinant: what fixes it.
        dependent: what is fixed.
        strength: share of training rows that agree; below 1 it is a strong habit and no rule.
        by_key: the determinant is made anew in synthetic tables, so its values cannot be held against real ones.
    """

    kind: ClassVar[str] = "fixed"
    determinant: tuple[Operand, ...]
    dependent: Operand
    strength: float = 1.0
    by_key: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The determinant and the dependent."""
        return (*self.determinant, self.dependent)

    @property
    def follows(self) -> tuple[str, ...]:
        """The dependent."""
        return (self.dependent.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the value is not the one that goes with its determinant.

        That is the one of the reference, where it knows the determinant, otherwise the most frequent one here; keys are
        made anew, so where one takes part it is always the latter.
        """
        if reference is None or self.by_key or self._names_keys(tables):
            codes = [tables.codes(self.table, one) for one in self.determinant]
            own = codes.pop() if len(codes) == 1 else tuple_codes(codes)
            return agreeing(own, tables.codes(self.table, self.dependent) + 1)
        here, there = ([as_text(side.values(self.table, one)) for one in self.operands] for side in (tables, reference))
        rows = len(here[0])
        codes = [
            column_codes(pa.concat_arrays([one, two]), null_code=False) for one, two in zip(here, there, strict=True)
        ]
        determinant, dependent = tuple_codes(codes[:-1]), codes[-1] + 1
        known, value = most_frequent(determinant[rows:], dependent[rows:])
        own_known, own_value = most_frequent(determinant[:rows], dependent[:rows])
        wanted = np.full(int(determinant.max(initial=-1)) + 1, -1, dtype=np.int64)
        wanted[own_known] = own_value
        wanted[known] = value
        has = determinant[:rows] >= 0
        return Checked.of(has, ~has | (wanted[np.maximum(determinant[:rows], 0)] == dependent[:rows]))

    def _names_keys(self, tables: RuleTables) -> bool:
        schema = tables.schema
        held = {
            one: self.table if one.is_own else schema.way(str(one.through))[-1].parent_table for one in self.operands
        }
        return any(one.column in schema.key_columns(table) for one, table in held.items())

    def statement(self) -> str:
        """Return the rule in plain words."""
        share = "" if self.strength == 1 else f" in {self.strength:.1%} of real rows"
        verb = "fixes" if len(self.determinant) == 1 else "together fix"
        return f"{' and '.join(map(str, self.determinant))} {verb} {self.dependent}{share}"


@dataclass(frozen=True, kw_only=True)
class Combination(Rule):
    """Only combinations of values that real rows have; declared only.

    Attributes:
        columns: which values stand together.
        filled: of each column only whether there is a value.
    """

    kind: ClassVar[str] = "combination"
    columns: tuple[Operand, ...]
    filled: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The columns."""
        return self.columns

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows whose values stand together in no row of the reference; without one nothing is asked."""
        rows = tables.num_rows(self.table)
        if reference is None:
            return Checked.of(np.zeros(rows, dtype=bool), np.ones(rows, dtype=bool))
        read = self._filled if self.filled else self._texts
        here, there = ([read(side, one) for one in self.columns] for side in (tables, reference))
        codes = tuple_codes(
            [column_codes(pa.concat_arrays([a, b]), null_code=False) + 1 for a, b in zip(here, there, strict=True)]
        )
        return Checked.of(np.ones(rows, dtype=bool), np.isin(codes[:rows], codes[rows:]))

    def statement(self) -> str:
        """Return the rule in plain words."""
        what = "are filled" if self.filled else "stand together"
        return f"{', '.join(map(str, self.columns))} {what} only as in real rows"

    def _texts(self, tables: RuleTables, operand: Operand) -> pa.Array:
        return as_text(tables.values(self.table, operand))

    def _filled(self, tables: RuleTables, operand: Operand) -> pa.Array:
        return as_text(pa.array(tables.filled(self.table, operand)))


@dataclass(frozen=True, kw_only=True)
class OneOf(Rule):
    """Of a group of columns exactly one, or at most one, is set.

    Attributes:
        columns: the group.
        at_most: none may be set, too.
        filled: to be set means to have a value; otherwise it means to be true, or not 0.
    """

    kind: ClassVar[str] = "one_of"
    columns: tuple[Operand, ...]
    at_most: bool = False
    filled: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The group."""
        return self.columns

    @property
    def follows(self) -> tuple[str, ...]:
        """Each flag of an exact group, known the others; of an amount whether it is 0."""
        return () if self.at_most or self.filled else tuple(one.column for one in self.columns if one.is_own)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where more than one is set, or none in an exact group."""
        rows = tables.num_rows(self.table)
        count, applies = np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=bool)
        for one in self.columns:
            if self.filled:
                count += tables.filled(self.table, one)
                continue
            value = tables.numbers(self.table, one)
            applies &= ~np.isnan(value)
            count += np.nan_to_num(value) != 0
        return Checked.of(applies, (count <= 1) if self.at_most else (count == 1))

    def statement(self) -> str:
        """Return the rule in plain words."""
        how = "at most one" if self.at_most else "exactly one"
        return f"{how} of {', '.join(map(str, self.columns))} is {'filled' if self.filled else 'set'}"


@dataclass(frozen=True, kw_only=True)
class NullTogether(Rule):
    """Columns are missing in the same rows."""

    kind: ClassVar[str] = "null_together"
    columns: tuple[Operand, ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The columns."""
        return self.columns

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where some are missing and some are not."""
        first = tables.filled(self.table, self.columns[0])
        kept = np.ones(len(first), dtype=bool)
        for one in self.columns[1:]:
            kept &= tables.filled(self.table, one) == first
        return Checked.of(np.ones(len(first), dtype=bool), kept)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{', '.join(map(str, self.columns))} are missing in the same rows"


@dataclass(frozen=True, kw_only=True)
class NullBy(Rule):
    """A column is missing exactly where another one says so.

    Attributes:
        column: what is missing or not.
        by: the column that says so; values that are in neither list say nothing.
        null_where: values at which the column is always missing, as text; an empty text where ``by`` is missing itself.
        filled_where: values at which it never is.
    """

    kind: ClassVar[str] = "null_by"
    column: Operand
    by: Operand
    null_where: tuple[str, ...]
    filled_where: tuple[str, ...] = ()

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Both."""
        return (self.column, self.by)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the column is filled but should not be, or the other way round."""
        levels = pc.fill_null(tables.texts(self.table, self.by), "")
        null, filled = (
            pc.is_in(levels, value_set=pa.array(list(values), pa.string())).to_numpy(zero_copy_only=False)
            for values in (self.null_where, self.filled_where)
        )
        return Checked.of(null | filled, tables.filled(self.table, self.column) == filled)

    def statement(self) -> str:
        """Return the rule in plain words."""
        null, filled = (listing([one or "(missing)" for one in side]) for side in (self.null_where, self.filled_where))
        text = f"{self.column} is missing where {self.by} is {null}"
        return f"{text} and filled where it is {filled}" if self.filled_where else text


@dataclass(frozen=True, kw_only=True)
class Unique(Rule):
    """Values of some columns together stand in one row only, over all rows or within a parent.

    Attributes:
        columns: own columns, key columns among them.
        relation: name of the relation within whose families they are unique, None for the whole table.
    """

    kind: ClassVar[str] = "unique"
    columns: tuple[Operand, ...]
    relation: str | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The columns."""
        return self.columns

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows that repeat one before them; rows in which a value is missing are not asked."""
        rows = tables.num_rows(self.table)
        has, mixed = np.ones(rows, dtype=bool), np.zeros(rows, dtype=np.uint64)
        if self.relation is not None:
            family = tables.family(self.relation)
            has &= family >= 0
            mixed_in(mixed, family)
        for one in self.columns:
            has &= tables.filled(self.table, one)
            mixed_in(mixed, tables.hashes(self.table, one))
        return Checked.of(has, ~repeated(mixed, has))

    def statement(self) -> str:
        """Return the rule in plain words."""
        names = " and ".join(map(str, self.columns))
        within = "" if self.relation is None else f" within a row of {parent_of(self.relation)}"
        return f"{names} {'is' if len(self.columns) == 1 else 'together are'} unique{within}"


@dataclass(frozen=True, kw_only=True)
class Differ(Rule):
    """Two columns of a row never hold the same value: a team does not play itself."""

    kind: ClassVar[str] = "differ"
    left: Operand
    right: Operand

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Both."""
        return (self.left, self.right)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where both are filled and equal."""
        left, right = tables.joint(self.table, self.operands)
        return Checked.of((left >= 0) & (right >= 0), left != right)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.left} and {self.right} differ"


@dataclass(frozen=True, kw_only=True)
class Among(Rule):
    """A column holds the value of one of some others: the winner is one of the two who played."""

    kind: ClassVar[str] = "among"
    column: Operand
    others: tuple[Operand, ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column and the others."""
        return (self.column, *self.others)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the column is filled and equals none of the others."""
        own, *others = tables.joint(self.table, self.operands)
        return Checked.of(own >= 0, np.any([own == other for other in others], axis=0))

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.column} is one of {', '.join(map(str, self.others))}"


def parent_of(relation: str) -> str:
    """Return the parent table that a relation's name ends with."""
    return relation.rsplit("--", 1)[-1]


def agreeing(determinant: np.ndarray, dependent: np.ndarray) -> Checked:
    """Return which rows hold another dependent code than most rows of their determinant code; -1 is not asked.

    Shape:
        determinant: (rows,) int64, 0 and above, or -1. dependent: (rows,) int64, 0 and above.
    """
    known, value = most_frequent(determinant, dependent)
    wanted = np.full(int(determinant.max(initial=-1)) + 2, -1, dtype=np.int64)
    wanted[known] = value
    return Checked.of(determinant >= 0, wanted[np.maximum(determinant, 0)] == dependent)


def most_frequent(determinant: np.ndarray, dependent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the determinant codes that occur, and the most frequent dependent code of each.

    Shape:
        determinant: (rows,) int64, 0 and above, or -1. dependent: (rows,) int64, 0 and above.
    """
    has = determinant >= 0
    if not has.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    width = int(dependent.max()) + 1
    rows = determinant[has] * width
    rows += dependent[has]
    rows.sort()  # np.unique would hash all of them
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    pairs, counts = rows[first], np.diff(np.append(first, len(rows)))
    order = np.lexsort((counts, pairs // width))
    owner = pairs[order] // width
    last = np.flatnonzero(np.append(np.diff(owner) != 0, True))
    return owner[last], pairs[order][last] % width
