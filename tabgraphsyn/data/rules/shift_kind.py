"""A time that is another one some calendar months later: a policy ends a year after it starts, or the day before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tabgraphsyn.data.rules.operand import Operand, span
from tabgraphsyn.data.rules.row_kinds import Same
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search
from tabgraphsyn.data.rules.tables import RuleTables

DAY_S = 86_400.0
BESIDE = (0.0, -DAY_S, DAY_S)
"""Seconds that are looked for beside whole months: none, the day before, the day after."""
_SECOND, _MONTH = "datetime64[s]", "datetime64[M]"
_MONTHS_MAX = 12_000


@dataclass(frozen=True, kw_only=True)
class Shift(Rule):
    """``result`` is ``of`` some months later; nothing is said where one of them is missing.

    Attributes:
        result: the later time, or the earlier one where ``months`` is negative.
        of: the other time.
        months: how many, of each that ``by`` counts.
        by: a column that says how often; None: once.
        seconds: what is added last.
    """

    kind: ClassVar[str] = "shift"
    result: Operand
    of: Operand
    months: int
    by: Operand | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < abs(self.months) <= _MONTHS_MAX:
            raise ValueError(f"months: a whole number but 0, {_MONTHS_MAX} at most, found {self.months!r}")
        if not np.isfinite(self.seconds):
            raise ValueError(f"seconds: a number, found {self.seconds!r}")
        if len(set(self.operands)) != len(self.operands):
            raise ValueError("result, of and by: different columns expected")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The times, and what counts the months."""
        return (self.result, self.of, *((self.by,) if self.by else ()))

    @property
    def follows(self) -> tuple[str, ...]:
        """The result: how long a month was does not say from which day it was counted."""
        return (self.result.column,) if self.result.is_own else ()

    def value(self, of: np.ndarray, by: np.ndarray | None = None, *, spills: bool = False) -> np.ndarray:
        """Return the result of times, (rows,) seconds since 1970 each, NaN for none.

        Args:
            of: the times.
            by: how often, NaN for none.
            spills: a day that the month does not have is one of the next month, else the month's last.
        """
        count = np.full(len(of), 1.0) if by is None else by
        has = np.isfinite(of) & np.isfinite(count) & (np.abs(of) < 2.0**40) & (np.abs(count) <= _MONTHS_MAX)
        has &= count % 1 == 0
        whole = np.floor(np.where(has, of, 0.0))
        month = whole.astype(np.int64).astype(_SECOND).astype(_MONTH)
        inside = whole - _seconds(month)
        later = month + self.months * np.where(has, count, 0).astype(np.int64)
        if not spills:
            last = (_seconds(later + 1) - _seconds(later)) - DAY_S
            inside = np.minimum(inside // DAY_S * DAY_S, last) + inside % DAY_S
        return np.where(has, _seconds(later) + inside + (of - whole) + self.seconds, np.nan)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the result is another time; a day that a month does not have may be of the next one."""
        result, of = (tables.numbers(self.table, one) for one in (self.result, self.of))
        by = None if self.by is None else tables.numbers(self.table, self.by)
        return Checked.of(*self.agree(result, of, by))

    def agree(self, result: np.ndarray, of: np.ndarray, by: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return where all is known, and where the rule is kept or says nothing, (rows,) bool each.

        ``result``, ``of`` and ``by`` are (rows,) numbers.
        """
        has = np.isfinite(result) & np.isfinite(of) & (True if by is None else np.isfinite(by))
        near = [np.abs(self.value(of, by, spills=spills) - result) < 1e-3 for spills in (False, True)]
        return has, ~has | near[0] | near[1]

    def statement(self) -> str:
        """Return the rule in plain words."""
        size = abs(self.months)
        unit, count = ("year", size // 12) if size % 12 == 0 else ("month", size)
        sign = "+" if self.months > 0 else "-"
        often = f"{count} {unit}{'s' if count > 1 else ''}"
        if self.by is not None:
            often = f"{self.by} in {unit}s" if count == 1 else f"{self.by} x {often}"
        rest = "" if not self.seconds else f" {'+' if self.seconds > 0 else '-'} {span(abs(self.seconds))}"
        return f"{self.result} = {self.of} {sign} {often}{rest}"


def _seconds(month: np.ndarray) -> np.ndarray:
    return np.asarray(month.astype(_SECOND).astype(np.int64), dtype=np.float64)


def _months(seconds: np.ndarray) -> np.ndarray:
    """Return months since 1970 of times, (rows,) float64 each, NaN for none."""
    has = np.isfinite(seconds)
    month = np.floor(np.where(has, seconds, 0.0)).astype(_SECOND).astype(_MONTH).astype(np.int64)
    return np.where(has, month, np.nan)


def find_shifts(search: Search, told: Iterable[Rule]) -> Iterator[Shift]:
    """Yield candidates for own times that are another time, own or a parent's, some whole months later.

    Args:
        search: the table.
        told: rules found before: equal columns are looked at once, what is told of two columns is not told again.
    """
    told = list(told)
    same = {rule.right for rule in told if isinstance(rule, Same)}
    columns = {one: v for one, v in search.numeric([*search.attributes, *search.inherited]).items() if one not in same}
    times = [one for one in columns if search.sample.is_time(search.table, one)]
    counts = [one for one in columns if one not in times and one.is_own and not (columns[one] % 1 > 0).any()]
    few = {one: values[search.glance] for one, values in columns.items()}
    done: set[frozenset[Operand]] = {frozenset(rule.operands) for rule in told}
    for result in (one for one in times if one.is_own):
        for of in times:
            pair = frozenset((result, of))
            if of == result or pair in done:
                continue
            for rule in _candidates(search.table, result, of, few, counts):
                if np.nanmin(few[rule.of]) < np.nanmax(few[rule.of]) and _holds(rule, columns):
                    done.add(pair)
                    yield rule
                    break


def _candidates(
    table: str, result: Operand, of: Operand, few: dict[Operand, np.ndarray], counts: Iterable[Operand]
) -> Iterator[Shift]:
    """Yield what a few rows leave: one number of months between two times, or one that a column counts."""
    for seconds in BESIDE:
        gap = _months(few[result] - seconds) - _months(few[of])
        known = ~np.isnan(gap)
        if known.sum() < min(BY_CHANCE_MIN, len(gap)) or np.abs(gap[known]).max() > _MONTHS_MAX:
            continue
        # The day that a month does not have may be one of the next.
        usual = int(np.median(gap[known]))
        if usual > 0 and np.abs(gap[known] - usual).max() <= 1:
            yield Shift(table=table, result=result, of=of, months=usual, seconds=seconds)
        if (gap[known] < 0).any():
            continue
        for by in counts:
            for months in (1, 12):
                off = np.abs(gap - months * few[by])
                if (~np.isnan(off)).sum() >= min(BY_CHANCE_MIN, len(off)) and np.nanmax(off) <= 1:
                    yield Shift(table=table, result=result, of=of, months=months, by=by, seconds=seconds)


def _holds(rule: Shift, columns: dict[Operand, np.ndarray]) -> bool:
    by = None if rule.by is None else columns[rule.by]
    return bool(rule.agree(columns[rule.result], columns[rule.of], by)[1].all())
