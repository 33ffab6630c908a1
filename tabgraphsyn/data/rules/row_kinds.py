"""Kinds of rules between the columns of one row, and those of the rows that its keys lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tabgraphsyn.data.rules.operand import Operand, Term, span
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.errors import listing

_UNITS = {60.0: "minutes", 3_600.0: "hours", 86_400.0: "days", 604_800.0: "weeks"}


@dataclass(frozen=True, kw_only=True)
class Same(Rule):
    """Two columns hold the same value, or neither holds one: an item has the price of its product."""

    kind: ClassVar[str] = "same"
    left: Operand
    right: Operand

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Both."""
        return (self.left, self.right)

    @property
    def follows(self) -> tuple[str, ...]:
        """Whichever are the row's own."""
        return tuple(one.column for one in self.operands if one.is_own)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the values differ; a row whose key leads nowhere is not asked."""
        left, right = tables.joint(self.table, self.operands)
        return Checked.of(_reached(tables, self.operands, len(left)), left == right)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.left} = {self.right}"


@dataclass(frozen=True, kw_only=True)
class Order(Rule):
    """Numbers or times never fall along a chain of columns: low <= mid <= high."""

    kind: ClassVar[str] = "order"
    columns: tuple[Operand, ...]
    strict: bool = False

    def __post_init__(self) -> None:
        if len(set(self.columns)) != len(self.columns) or len(self.columns) < 2:
            raise ValueError(f"columns: two different ones at least, found {listing(list(map(str, self.columns)))}")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The chain."""
        return self.columns

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where a filled value falls below the filled one before it."""
        before = tables.numbers(self.table, self.columns[0])
        applies, kept = np.zeros(len(before), dtype=bool), np.ones(len(before), dtype=bool)
        for operand in self.columns[1:]:
            value = tables.numbers(self.table, operand)
            both = ~(np.isnan(before) | np.isnan(value))
            applies |= both
            kept &= ~both | ((value > before) if self.strict else (value >= before))
            before = np.where(np.isnan(value), before, value)
        return Checked.of(applies, kept)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return (" < " if self.strict else " <= ").join(map(str, self.columns))


@dataclass(frozen=True, kw_only=True)
class Total(Rule):
    """A column is the sum of others, or their sum is one fixed number: shares that add up to 100.

    Attributes:
        result: the sum, None where it is ``constant`` alone.
        terms: summands with their factors; 1 for all of them in a plain sum. Times count in seconds.
        constant: what is added.
        tolerance: how far a kept row may be off: half a unit where the result is rounded.
        nulls_are_zero: a missing term counts as 0; otherwise such a row is not asked.
        is_time: times are among the operands, so factors are told in days, hours or minutes.
    """

    kind: ClassVar[str] = "sum"
    terms: tuple[Term, ...]
    result: Operand | None = None
    constant: float = 0.0
    tolerance: float = 1e-6
    nulls_are_zero: bool = False
    is_time: bool = False

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The result, if any, and the terms."""
        return (*((self.result,) if self.result else ()), *(term.operand for term in self.terms))

    @property
    def follows(self) -> tuple[str, ...]:
        """Every own column is what the others leave."""
        return tuple(one.column for one in self.operands if one.is_own)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the sum is off by more than the tolerance."""
        rest = tables.numbers(self.table, self.result) if self.result else self.constant
        total = np.zeros(tables.num_rows(self.table)) + (self.constant if self.result else 0.0)
        scale = np.abs(rest)
        for term in self.terms:
            part = tables.numbers(self.table, term.operand)
            part = np.where(np.isnan(part), 0.0, part) if self.nulls_are_zero and self.result else part
            total = total + term.factor * part
            scale = np.maximum(scale, np.abs(term.factor * part))
        off = np.abs(total - rest)
        return Checked.of(~np.isnan(off), off <= self.tolerance + 1e-12 * np.nan_to_num(scale))

    def statement(self) -> str:
        """Return the rule in plain words."""
        text = " ".join(_signed(term, number == 0, self.is_time) for number, term in enumerate(self.terms))
        if self.result is None:
            return f"{text} = {self._size(self.constant)}"
        rest = "" if self.constant == 0 else f" {'+' if self.constant > 0 else '-'} {self._size(abs(self.constant))}"
        nulls = ", where missing ones count as 0" if self.nulls_are_zero else ""
        return f"{self.result} = {text}{rest}{nulls}"

    def _size(self, value: float) -> str:
        return span(value) if self.is_time else f"{value:.10g}"


@dataclass(frozen=True, kw_only=True)
class Product(Rule):
    """A column is the product of others: an amount is a price times a quantity, less a discount.

    Attributes:
        result: the product.
        factors: what is multiplied.
        scale: a plain number that is multiplied, too.
        share: the last factor is what this column leaves of a whole; None for no such factor.
        whole: of which the share is told: 1, or 100 for per cent.
        adds: the share is put on the whole instead: a tax.
        tolerance: how far a kept row may be off: half a unit where the result is rounded.
    """

    kind: ClassVar[str] = "product"
    result: Operand
    factors: tuple[Operand, ...]
    scale: float = 1.0
    share: Operand | None = None
    whole: float = 1.0
    adds: bool = False
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if not self.whole > 0:
            raise ValueError(f"whole: a number above 0, found {self.whole!r}")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The result, the factors and the share."""
        return (self.result, *self.factors, *((self.share,) if self.share else ()))

    def value(self, numbers: Callable[[Operand], np.ndarray]) -> np.ndarray:
        """Return the product in each row, (rows,) float64, from the numbers of its factors, (rows,) each."""
        first, *others = self.factors
        total = numbers(first) * self.scale
        for factor in others:
            total = total * numbers(factor)
        if self.share is None:
            return total
        part = numbers(self.share) / self.whole
        return total * (1 + part if self.adds else 1 - part)

    @property
    def follows(self) -> tuple[str, ...]:
        """The result: a factor that rounding hides does not follow."""
        return (self.result.column,) if self.result.is_own else ()

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the product is off by more than the tolerance."""
        total = self.value(lambda one: tables.numbers(self.table, one))
        result = tables.numbers(self.table, self.result)
        off = np.abs(total - result)
        return Checked.of(~np.isnan(off), off <= self.tolerance + 1e-12 * np.nan_to_num(np.abs(result)))

    def statement(self) -> str:
        """Return the rule in plain words."""
        scale = "" if self.scale == 1 else f" x {self.scale:.10g}"
        share = ""
        if self.share is not None:
            of = "" if self.whole == 1 else f" / {self.whole:.10g}"
            share = f" x (1 {'+' if self.adds else '-'} {self.share}{of})"
        return f"{self.result} = {' x '.join(map(str, self.factors))}{share}{scale}"


@dataclass(frozen=True, kw_only=True)
class Bounds(Rule):
    """A number stays within bounds; declared only: those of the training rows are no rule."""

    kind: ClassVar[str] = "bounds"
    column: Operand
    low: float | None = None
    high: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("low or high: one of them at least is needed")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column."""
        return (self.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where a filled value is outside."""
        value = tables.numbers(self.table, self.column)
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        kept = ((value > low) & (value < high)) if self.strict else ((value >= low) & (value <= high))
        return Checked.of(~np.isnan(value), kept)

    def statement(self) -> str:
        """Return the rule in plain words."""
        sign = "<" if self.strict else "<="
        low = "" if self.low is None else f"{self.low:.10g} {sign} "
        return f"{low}{self.column}{'' if self.high is None else f' {sign} {self.high:.10g}'}"


@dataclass(frozen=True, kw_only=True)
class Multiple(Rule):
    """A number is a whole multiple of a step; declared only."""

    kind: ClassVar[str] = "multiple"
    column: Operand
    step: float

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"step: a number above 0, found {self.step!r}")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column."""
        return (self.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where a filled value is between two multiples."""
        value = tables.numbers(self.table, self.column)
        return Checked.of(~np.isnan(value), np.abs(value / self.step - np.round(value / self.step)) < 1e-6)

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.column} is a multiple of {self.step:.10g}"


def _reached(tables: RuleTables, operands: tuple[Operand, ...], rows: int) -> np.ndarray:
    reached = np.ones(rows, dtype=bool)
    for operand in operands:
        if operand.through is not None:
            reached &= tables.pointer(operand.through) >= 0
    return reached


def _signed(term: Term, is_first: bool, is_time: bool) -> str:
    size, sign = abs(term.factor), "-" if term.factor < 0 else "+"
    text = str(term.operand if is_time and size == 1e-6 else Term(term.operand, size))  # a span of time
    if is_time and size in _UNITS:
        text = f"{term.operand} in {_UNITS[size]}"
    return text if is_first and sign == "+" else f"{sign} {text}"
