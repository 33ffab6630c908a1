"""Exact arithmetic between times of day written as hhmm: an arrival is a plan plus a delay, an hour is a clock's hour.

A model hits such a rule to within a few minutes; every reader of the table, and every classifier, sees that at once.
The rules are found in the training rows, must hold in all of them, and are restored after decoding. Sums of other
numbers are the business of ``data.rules``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.bands import BandRule
from tabgraphsyn.data.plain import Plain, read
from tabgraphsyn.data.untrusted import Name

DAY_MIN = 1440
COLUMNS_MAX = 40
ROWS_MIN = 50


@dataclass(frozen=True)
class SumRule(Plain):
    """``column = start + change`` in every row where all three are known: two times of day, and minutes between them.

    Attributes:
        midnight: how midnight is written, 0 or 2400.
    """

    kind_key, kind = "rule", "sum"
    column: Name
    start: Name
    change: Name
    midnight: Literal[0, 2400] = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return (self.start, self.change)

    def holds(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (known rows,) bool: where the rule is kept, in rows where all three columns are known."""
        column, start, change = (values[name] for name in (self.column, self.start, self.change))
        known = ~(np.isnan(column) | np.isnan(start) | np.isnan(change))
        column, start, change = column[known], start[known], change[known]
        return (minutes(column) - minutes(start) - change) % DAY_MIN == 0

    def restored(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Return the column with the rule kept wherever both inputs are known, (rows,)."""
        old = columns[self.column]
        new, known = self.follows(columns)
        return pc.if_else(pa.array(known), new.cast(old.type, safe=False), old)

    def follows(self, columns: Mapping[str, pa.Array]) -> tuple[pa.Array, np.ndarray]:
        """Return the times that follow, (rows,), and where both inputs are known, (rows,) bool."""
        start, change = (_numbers(columns[name]) for name in self.inputs)
        minute = (minutes(start) + change) % DAY_MIN
        total = minute // 60 * 100 + minute % 60
        total = np.where(total == 0, self.midnight, total)
        known = ~np.isnan(total)
        return pa.array(np.where(known, total, 0.0), pa.float64()), known


@dataclass(frozen=True)
class HourRule(Plain):
    """The hour of the time in ``column`` is the hour of ``clock``, a time of day written as hhmm."""

    kind_key, kind = "rule", "hour"
    column: Name
    clock: Name

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return (self.clock,)

    def restored(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Return the times with their hour replaced wherever the clock is known, (rows,)."""
        old, clock = columns[self.column], _numbers(columns[self.clock])
        hour = np.where(np.isnan(clock), 0, clock // 100 % 24)
        shift = hour - np.asarray(pc.fill_null(pc.hour(old), 0))
        moved = pc.add(old, pa.array((shift * 3_600_000_000).astype(np.int64), pa.duration("us")).cast(_span(old.type)))
        return pc.if_else(pa.array(~np.isnan(clock)), moved, old)

    def imposed(self, clock: pa.Array, times: pa.Array, is_fixed: np.ndarray) -> pa.Array:
        """Return the clock with the hour of the time wherever that is fixed; minutes, and what is missing, stay.

        Shape:
            (rows,).
        """
        own, hour = _numbers(clock), np.asarray(pc.fill_null(pc.hour(times), 0))
        new = hour * 100 + np.where(np.isnan(own), 0, own) % 100
        return pc.if_else(pa.array(is_fixed & ~np.isnan(own)), pa.array(new).cast(clock.type), clock)


Rule = SumRule | HourRule | BandRule


def minutes(clock: np.ndarray) -> np.ndarray:
    """Return minutes since midnight of times written as hhmm, (rows,).

    >>> minutes(np.array([517.0, 2400.0])).tolist()
    [317.0, 1440.0]
    """
    return clock // 100 * 60 + clock % 100


def find_rules(columns: Mapping[str, pa.Array]) -> tuple[Rule, ...]:
    """Return the rules that hold in every row of some training rows, none reading what another restores.

    Args:
        columns: numerical and datetime columns.
    """
    values = {
        name: _numbers(array)
        for name, array in list(columns.items())[:COLUMNS_MAX]
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    }
    values = {name: array for name, array in values.items() if np.unique(array[~np.isnan(array)]).size > 2}
    clocks = [name for name, array in values.items() if _is_clock(array)]
    accepted: list[Rule] = []
    for rule in _candidates(columns, values, clocks):
        restored = {one.column for one in accepted}
        read = {name for one in accepted for name in one.inputs}
        if rule.column not in restored | read and not restored & set(rule.inputs):
            accepted.append(rule)
    return tuple(accepted)


def clocks(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the columns that rules read as times of day and do not restore themselves."""
    timed = [rule for rule in rules if not isinstance(rule, BandRule)]
    read = [rule.clock if isinstance(rule, HourRule) else rule.start for rule in timed]
    return tuple(dict.fromkeys(read))


def rules_to_dict(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return the json form."""
    return [rule.to_dict() for rule in rules]


def rules_from_dict(raw: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Read the form that ``rules_to_dict`` writes."""
    return tuple(read(one, Rule) for one in raw)


def _candidates(
    columns: Mapping[str, pa.Array], values: Mapping[str, np.ndarray], clocks: Sequence[str]
) -> Iterator[Rule]:
    for column in clocks:
        midnight: Literal[0, 2400] = 2400 if np.nanmax(values[column]) == 2400 else 0
        for start in clocks:
            for change in values:
                rule = SumRule(column, start, change, midnight)
                if len({column, start, change}) == 3 and _always(rule, values):
                    yield rule
    for name, array in columns.items():
        if pa.types.is_timestamp(array.type):
            hours = pc.hour(array).cast(pa.float64()).to_numpy(zero_copy_only=False)
            for clock_name in clocks:
                known = ~(np.isnan(hours) | np.isnan(values[clock_name]))
                kept = hours[known] == values[clock_name][known] // 100 % 24
                if known.sum() >= ROWS_MIN and kept.all() and np.unique(hours[known]).size > 2:
                    yield HourRule(name, clock_name)


def _always(rule: SumRule, values: Mapping[str, np.ndarray]) -> bool:
    # A glance at the first rows rules out nearly every triple.
    glance = {name: values[name][:200] for name in (rule.column, *rule.inputs)}
    if not rule.holds(glance).all():
        return False
    kept = rule.holds(values)
    return kept.size >= ROWS_MIN and bool(kept.all())


def _is_clock(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    whole = np.all(known == np.floor(known)) and known.min(initial=0) >= 0 and known.max(initial=0) <= 2400
    return bool(whole and np.all(known % 100 < 60) and known.max(initial=0) >= 1000 and np.unique(known).size > 24)


def _numbers(array: pa.Array) -> np.ndarray:
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _span(kind: pa.TimestampType) -> pa.DurationType:
    return pa.duration(kind.unit)
