"""A column that says another one of its row more coarsely: the date of a time, a price in whole units, the decade."""

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

HOWS = ("down", "nearest", "up")
MONTHS = {"month": 1, "quarter": 3, "year": 12}
SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
UNITS = (*SECONDS, *MONTHS)
MONDAY_S = 4 * 86_400.0
"""The first Monday since 1970."""
_MONTH = "datetime64[M]"
RATIOS = tuple(sorted({10.0**k for k in range(-9, 10)} | {12.0, 24.0, 7.0, 20.0, 50.0, 1_024.0}
                      | {unit * 10.0**k for unit in SECONDS.values() for k in (0, 3, 6)}))  # fmt: skip
"""How many units of the finer column make one of the coarser one's, as it is written."""
NUMBERS_MIN, TIMES_MIN = 3, 2
"""Distinct values of a coarse column."""
SHARE_MIN = 0.1
SEEN_MIN = 0.25
"""How much of a step the finer column's values fill."""
_CLOSE, _EXACT = 1e-6, 1e-14


@dataclass(frozen=True, kw_only=True)
class Coarse(Rule):
    """``column`` is ``of`` rounded; nothing is said where one of them is missing.

    Attributes:
        column: the coarser one.
        of: the finer one.
        unit: of two times, which calendar unit is kept, one of ``UNITS``; empty: numbers, see below.
        step: how much of ``of`` makes one unit, times in seconds.
        size: how much of ``column`` that is.
        first: ``column`` where ``of`` is below one step; of weeks how long after Monday they begin.
        how: ``down``, ``nearest`` or ``up``.
    """

    kind: ClassVar[str] = "coarse"
    column: Operand
    of: Operand
    unit: str = ""
    step: float = 1.0
    size: float = 1.0
    first: float = 0.0
    how: str = "down"

    def __post_init__(self) -> None:
        if self.unit and self.unit not in UNITS:
            raise ValueError(f"unit: one of {', '.join(UNITS)}, found {self.unit!r}")
        if self.how not in HOWS:
            raise ValueError(f"how: one of {', '.join(HOWS)}, found {self.how!r}")
        if not (0 < self.step < np.inf and 0 < self.size < np.inf):
            raise ValueError(f"step and size: numbers above 0, found {self.step!r} and {self.size!r}")
        if self.column == self.of:
            raise ValueError(f"column and of: two columns, found {self.column} twice")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Both."""
        return (self.column, self.of)

    @property
    def follows(self) -> tuple[str, ...]:
        """The coarser one."""
        return (self.column.column,) if self.column.is_own else ()

    def value(self, fine: np.ndarray) -> np.ndarray:
        """Return the coarse values of fine ones, (rows,) float64 each, NaN for none."""
        return self._number(self._place(fine))

    def cell(self, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least fine value that goes with coarse ones, and where the next begins, (rows,) each."""
        if self.unit in MONTHS:
            place = self._place(coarse)
            return self._number(place), self._number(place + 1)
        step, size, first, shift = self._steps()
        below = {"down": 0.0, "nearest": 0.5, "up": 1.0}[self.how]
        low = ((coarse - first) / size - below) * step + shift
        return low, low + step

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the coarse value is not that of the fine one; halves may be rounded either way."""
        fine, coarse = (tables.numbers(self.table, one) for one in (self.of, self.column))
        has = ~(np.isnan(fine) | np.isnan(coarse))
        return Checked.of(has, self._agree(np.where(has, fine, 0.0), np.where(has, coarse, 0.0)))

    def _agree(self, fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        near = _CLOSE * self._steps()[1] + _EXACT * np.abs(coarse)
        if self.unit or self.how != "nearest":
            return np.abs(self.value(fine) - coarse) <= near
        half = self.step * (0.5 + _CLOSE) + _EXACT * np.abs(fine)
        place = np.rint((coarse - self.first) / self.size)
        return (np.abs(self._number(place) - coarse) <= near) & (np.abs(fine - place * self.step) <= half)

    def _steps(self) -> tuple[float, float, float, float]:
        """Return step, size, first, and where the units of the finer column begin."""
        if self.unit in SECONDS:
            start = MONDAY_S + self.first if self.unit == "week" else 0.0
            return SECONDS[self.unit], SECONDS[self.unit], start, start
        return self.step, self.size, self.first, 0.0

    def _place(self, fine: np.ndarray) -> np.ndarray:
        if self.unit in MONTHS:
            has = np.isfinite(fine)
            month = np.floor(np.where(has, fine, 0.0)).astype("datetime64[s]").astype(_MONTH).astype(np.int64)
            return np.where(has, month // MONTHS[self.unit], np.nan)
        step, _, _, shift = self._steps()
        place = (fine - shift) / step
        if not self.unit:  # a decimal that stands on the edge is there, however binary numbers write it
            edge = np.rint(place)
            place = np.where(np.abs(place - edge) <= 10 * _EXACT * np.maximum(np.abs(place), 1.0), edge, place)
        rounded = {"down": np.floor, "nearest": np.rint, "up": np.ceil}[self.how](place)
        return np.asarray(rounded, dtype=np.float64)

    def _number(self, place: np.ndarray) -> np.ndarray:
        if self.unit in MONTHS:
            has = np.isfinite(place)
            month = (np.where(has, place, 0.0).astype(np.int64) * MONTHS[self.unit]).astype(_MONTH)
            return np.where(has, month.astype("datetime64[s]").astype(np.float64), np.nan)
        _, size, first, _ = self._steps()
        return np.asarray(first + size * place, dtype=np.float64)

    def statement(self) -> str:
        """Return the rule in plain words."""
        if self.unit:
            begins = f" (from {span(self.first)} after Monday)" if self.first else ""
            return f"{self.column} is the {self.unit} of {self.of}{begins}"
        how = {"down": "rounded down", "nearest": "rounded", "up": "rounded up"}[self.how]
        if self.size == self.step and not self.first:
            return f"{self.column} is {self.of} {how} to {_plain(self.step)}"
        size = "" if self.size == 1 else f"{_plain(self.size)} x "
        first = "" if not self.first else f" {'+' if self.first > 0 else '-'} {_plain(abs(self.first))}"
        return f"{self.column} is {size}({self.of} / {_plain(self.step)}, {how}){first}"


def _plain(value: float) -> str:
    return f"{value:.10g}"


def find_coarse(search: Search, told: Iterable[Rule]) -> list[Coarse]:
    """Return the columns that are others rounded, each by the coarsest of those that are finer.

    Args:
        search: the table.
        told: rules found before: of equal columns one is looked at.
    """
    same = {rule.right for rule in told if isinstance(rule, Same)}
    columns = {one: v for one, v in search.numeric([*search.attributes, *search.inherited]).items() if one not in same}
    written = {one: v for one, v in search.written(search.attributes).items() if one not in same}
    times = {one for one in (*columns, *written) if search.sample.is_time(search.table, one, as_text=True)}
    levels = {one: len(np.unique(values[~np.isnan(values)])) for one, values in (*columns.items(), *written.items())}
    found: dict[tuple[Operand, Operand], Coarse] = {}
    for of, fine in (*columns.items(), *written.items()):
        for column, coarse in (*columns.items(), *written.items()):
            if column == of or not (of.is_own or column.is_own) or (column in written and of in written):
                continue
            # Of a column in one form and one in several that say the same, the latter is the finer one.
            if levels[of] < levels[column] + (column in written):
                continue
            if levels[column] < (TIMES_MIN if column in times else NUMBERS_MIN):
                continue
            if not _rises(fine[search.glance], coarse[search.glance]) or not _rises(fine, coarse):
                continue
            if of not in written and np.array_equal(fine, coarse, equal_nan=True):
                continue
            candidates = _candidates(search.table, column, of, fine, coarse, times)
            accepted = next((one for rule in candidates if (one := search.accept(rule, SHARE_MIN))), None)
            if isinstance(accepted, Coarse):
                found[(column, of)] = accepted
    return [
        rule
        for (column, of), rule in found.items()
        if not any((column, middle) in found and (middle, of) in found for middle in columns)
    ]


def _candidates(
    table: str, column: Operand, of: Operand, fine: np.ndarray, coarse: np.ndarray, times: set[Operand]
) -> Iterator[Coarse]:
    if column in times and of in times:
        for unit in reversed(UNITS):
            for first in range(7 if unit == "week" else 1):
                rule = Coarse(table=table, column=column, of=of, unit=unit, first=first * SECONDS["day"])
                if _holds(rule, fine, coarse):
                    yield rule
    elif of not in times:  # parts of a time in numbers are the calendar's
        yield from _numbers(table, column, of, fine, coarse)


def _rises(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Return whether what both hold is in the same order."""
    has = ~(np.isnan(fine) | np.isnan(coarse))
    if has.sum() < BY_CHANCE_MIN:
        return False
    fine, coarse = fine[has], coarse[has]
    return bool((np.diff(coarse[np.lexsort((coarse, fine))]) >= 0).all())


def _holds(rule: Coarse, fine: np.ndarray, coarse: np.ndarray) -> bool:
    has = ~(np.isnan(fine) | np.isnan(coarse))
    return bool(rule._agree(fine[has], coarse[has]).all())


def _numbers(table: str, column: Operand, of: Operand, fine: np.ndarray, coarse: np.ndarray) -> Iterator[Coarse]:
    """Yield candidates by the unit in which the coarse column is written and plain ratios of the two units."""
    has = ~(np.isnan(fine) | np.isnan(coarse))
    fine, coarse = fine[has], coarse[has]
    if not len(coarse) or coarse.min() == coarse.max():
        return
    span_of, span_column = float(fine.max() - fine.min()), float(coarse.max() - coarse.min())
    for size in _units(coarse):
        for ratio in RATIOS:
            step = float(f"{ratio * size:.12g}")
            # Both ends of the range are off by less than a step.
            if abs(span_of - ratio * span_column) > step * (1 + 1e-9):
                continue
            off = fine - coarse * ratio
            low, high = float(off.min()), float(off.max())
            # Where too little of a step is seen nothing tells where it begins.
            if not step * SEEN_MIN <= high - low <= step * (1 + 1e-9):
                continue
            for how, edge in (("down", 0.0), ("nearest", -0.5), ("up", -1.0)):
                first = float(f"{np.ceil(edge - low / step - 1e-9) * size:.12g}") + 0.0
                rule = Coarse(table=table, column=column, of=of, step=step, size=size, first=first, how=how)
                if _holds(rule, fine, coarse):
                    yield rule


def _units(values: np.ndarray) -> list[float]:
    """Return the largest number of which all values are multiples, and the last decimal that they are written with.

    At most eight decimals; none for finer ones.
    """
    for decimals in range(9):
        scaled = values * 10.0**decimals
        whole = np.rint(scaled)
        if np.abs(scaled).max() < 2**53 and np.allclose(scaled, whole, rtol=1e-12, atol=1e-7):
            found = int(np.gcd.reduce(np.abs(whole.astype(np.int64))))
            units = dict.fromkeys([found, 1]) if found else ()
            return [float(f"{one / 10.0**decimals:.12g}") for one in units]
    return []
