"""One rule at a time made true in a batch of rows; each function changes only rows that break its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Multiple, Order, Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.shift_kind import Shift
from tabgraphsyn.data.rules.value_kinds import Among, NullBy, NullTogether, OneOf, most_frequent
from tabgraphsyn.generation.keeping.moved_times import between, in_grains, move_times, placed_within
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

Repair = Callable[[Any, RuleRows, frozenset[str], np.random.Generator], None]


def adjust(rule: Rule, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    """Make rows keep a rule that leaves a choice, as far as its columns may be changed.

    Args:
        rule: nulls, a group, an order, a choice among others, multiples; nothing is done for other kinds.
        rows: changed in place.
        protected: columns that stay as they are.
        rng: chooses.
    """
    if repair := _REPAIRS.get(type(rule)):
        repair(rule, rows, protected, rng)


def compute(rule: Rule, target: str, rows: RuleRows, where: np.ndarray | None = None) -> None:
    """Compute one column of a rule from its others.

    Args:
        rule: ``Same``, ``Coarse``, ``Shift``, ``Total`` or ``Product``.
        target: what is computed.
        rows: changed in place.
        where: (rows,) bool, in which rows; None: in those that break it.
    """
    where = rows.broken(rule) if where is None else where
    if not where.any():
        return
    if isinstance(rule, Same):
        other = rule.left if rule.right.column == target else rule.right
        _copy(rows, other.column, target, where)
    elif isinstance(rule, Product):
        rows.put_numbers(target, rule.value(rows.numbers), where)
    elif isinstance(rule, Coarse):
        rows.put_numbers(target, rule.value(rows.numbers(rule.of)), where)
    elif isinstance(rule, Shift):
        often = None if rule.by is None else rows.numbers(rule.by)
        rows.put_numbers(target, rule.value(rows.numbers(rule.of), often), where)
    elif isinstance(rule, Total):
        rows.put_numbers(target, _rest(rule, target, rows), where)


def _copy(rows: RuleRows, source: str, target: str, where: np.ndarray) -> None:
    values, kind = rows.column(source), rows.column(target).type
    if values.type == kind:
        rows.put(target, values, where)
        return
    rows.nulls(target, where & ~rows.filled(source))
    numbers = rows.numbers(Operand(source))
    if np.isfinite(numbers).any():
        rows.put_numbers(target, numbers, where)
    elif pa.types.is_string(kind):
        rows.put(target, values.cast(pa.string()), where)


def _rest(rule: Total, target: str, rows: RuleRows) -> np.ndarray:
    """Return (rows,) what a column has to be for a sum to come out."""
    total = np.full(rows.count, rule.constant if rule.result else 0.0)
    own = 0.0
    for term in rule.terms:
        if term.operand.column == target:
            own += term.factor
            continue
        part = rows.numbers(term.operand)
        total = total + term.factor * (np.nan_to_num(part) if rule.nulls_are_zero and rule.result else part)
    if rule.result is not None and rule.result.column == target:
        return total
    whole = rows.numbers(rule.result) if rule.result else np.full(rows.count, rule.constant)
    rest: np.ndarray = (whole - total) / own
    if rule.result is None:  # what is left of a fixed total lies where the column's values lie
        values = rows.numbers(Operand(target))
        low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (-np.inf, np.inf)
        rest = np.where((rest >= low - rule.tolerance) & (rest <= high + rule.tolerance), rest, np.nan)
    return rest


def _null_together(rule: NullTogether, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    names = [one.column for one in rule.columns]
    leader = next((name for name in names if name in protected), names[0])
    free = [name for name in names if name not in protected]
    filled = rows.filled(leader)
    donors = np.flatnonzero(np.all([rows.filled(name) for name in names], axis=0))
    for name in free:
        rows.nulls(name, ~filled & rows.filled(name))
    lacking = filled & rows.broken(rule)
    _from_donors(rows, free, lacking, donors, rng)


def _null_by(rule: NullBy, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    name = rule.column.column
    if name in protected:
        return
    broken, filled = rows.broken(rule), rows.filled(name)
    rows.nulls(name, broken & filled)
    _from_donors(rows, [name], broken & ~filled, np.flatnonzero(filled & ~broken), rng)


def _from_donors(
    rows: RuleRows, names: Sequence[str], where: np.ndarray, donors: np.ndarray, rng: np.random.Generator
) -> None:
    if where.any() and len(donors):
        source = np.arange(rows.count)
        source[where] = rng.choice(donors, int(where.sum()))
        for name in names:
            rows.take(name, source, where)


def _one_of(rule: OneOf, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    """Leave one of those that are set; where none is, set one, each as often as it is set elsewhere."""
    names = [one.column for one in rule.columns]
    if protected & set(names):
        return
    broken = rows.broken(rule)
    if rule.filled:
        is_set = np.stack([rows.filled(name) for name in names], axis=1)
    else:
        is_set = np.stack([np.nan_to_num(rows.numbers(one)) != 0 for one in rule.columns], axis=1)
    usual = is_set[~broken].sum(axis=0) + 1.0
    weight = np.where(is_set.any(axis=1, keepdims=True), is_set, usual[None, :])
    chosen = (rng.random(is_set.shape) ** (1 / np.maximum(weight, 1e-9)) * (weight > 0)).argmax(axis=1)
    for number, name in enumerate(names):
        drop, gain = broken & (chosen != number) & is_set[:, number], broken & (chosen == number) & ~is_set[:, number]
        if rule.filled:
            rows.nulls(name, drop)
        else:
            rows.put_numbers(name, np.zeros(rows.count), drop)
            rows.put_numbers(name, np.ones(rows.count), gain)  # stays where nothing tells how large it is elsewhere
        _from_donors(rows, [name], gain, np.flatnonzero(is_set[:, number]), rng)


def _order(rule: Order, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    """Put the values of rows that break an order into order; where they cannot change places, draw within bounds."""
    names = [one.column for one in rule.columns]
    broken = rows.broken(rule)
    if broken.any() and not protected & set(names) and rows.written_like(names):
        _sort(rule, names, rows, broken)
        broken = rows.broken(rule)
    if broken.any() and protected & set(names):
        _sort_free(rule, rows, protected)
        move_times(rule, rows, rows.broken(rule), protected, rng)
        broken = rows.broken(rule)
    if broken.any():
        _draw_between(rule, rows, broken, protected, rng)


def _sort_free(rule: Order, rows: RuleRows, protected: frozenset[str]) -> None:
    """Put the free times of an order into order among themselves."""
    free = tuple(one for one in rule.columns if one.column not in protected)
    names = [one.column for one in free]
    if len(names) > 1 and all(map(rows.is_time, names)) and rows.written_like(names):
        own = replace(rule, columns=free)
        _sort(own, names, rows, rows.broken(own))


def _draw_between(
    rule: Order, rows: RuleRows, broken: np.ndarray, protected: frozenset[str], rng: np.random.Generator
) -> None:
    """Draw values that are out of order again: numbers from those of other made rows that lie between their neighbours.

    Times, and numbers where no other row's lies there, lie between them as those of rows in order do.
    """
    for place, one in enumerate(rule.columns):
        if one.column in protected:
            continue
        values, is_time = rows.numbers(one), rows.is_time(one.column)
        grain = rows.grain(one.column)
        low, high = np.full(rows.count, -np.inf), np.full(rows.count, np.inf)
        for earlier in rule.columns[:place]:
            low = np.fmax(low, rows.numbers(earlier))
        for later in rule.columns[place + 1 :]:
            if later.column in protected:
                high = np.fmin(high, rows.numbers(later))
        if rule.strict:
            low, high = between(low, high, grain)
        out = broken & ((values < low) | (values > high))
        if not is_time:
            out = _from_between(one, rows, values, out, low, high, rng)
        if out.any():
            drawn = in_grains(placed_within(low, high, values, values, broken, rng), grain, low, high)
            rows.put_numbers(one.column, drawn, out & (low <= high))


def _from_between(
    one: Operand,
    rows: RuleRows,
    values: np.ndarray,
    out: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Take values of other rows that lie within bounds; return where there is none, (rows,) bool."""
    order = np.argsort(values, kind="stable")[: int((~np.isnan(values)).sum())]
    first = np.searchsorted(values[order], low, side="left")
    last = np.searchsorted(values[order], high, side="right")
    has = out & (last > first)
    pick = first + np.floor(rng.random(rows.count) * np.maximum(last - first, 1)).astype(np.int64)
    source = np.arange(rows.count)
    source[has] = order[pick[has]]
    rows.take(one.column, source, has)
    return out & ~has


def _sort(rule: Order, names: Sequence[str], rows: RuleRows, broken: np.ndarray) -> None:
    here = np.flatnonzero(broken)
    values = np.stack([rows.numbers(one)[here] for one in rule.columns], axis=1)
    ranked = np.argsort(values, axis=1, kind="stable")  # NaN comes last
    filled = ~np.isnan(values)
    place = np.cumsum(filled, axis=1) - 1
    columns = [rows.column(name) for name in names]
    together = pa.concat_arrays(columns)
    for number, name in enumerate(names):
        has = filled[:, number]
        source = np.arange(rows.count) + number * rows.count
        source[here[has]] = here[has] + ranked[has, place[has, number]] * rows.count
        rows.put(name, together.take(pa.array(source)), broken)


def _among(rule: Among, rows: RuleRows, protected: frozenset[str], rng: np.random.Generator) -> None:
    name = rule.column.column
    if name in protected:
        return
    broken = rows.broken(rule)
    chosen = rng.integers(0, len(rule.others), rows.count)
    for number, other in enumerate(rule.others):
        _copy(rows, other.column, name, broken & (chosen == number) & rows.filled(other.column))


def _coarse(rule: Coarse, rows: RuleRows, protected: frozenset[str], _: np.random.Generator) -> None:
    """Move the finer value to the place in its cell that it had in another, where the coarser one stays."""
    if rule.column.column not in protected or rule.of.column in protected:
        return
    fine, coarse = rows.numbers(rule.of), rows.numbers(rule.column)
    broken = rows.broken(rule)
    low, high = rule.cell(coarse)
    old, end = rule.cell(rule.value(fine))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (fine - old) / (end - old)
    rows.put_numbers(rule.of.column, low + part * (high - low), broken)


def _multiple(rule: Multiple, rows: RuleRows, protected: frozenset[str], _: np.random.Generator) -> None:
    if rule.column.column not in protected:
        values = rows.numbers(rule.column)
        rows.put_numbers(rule.column.column, np.round(values / rule.step) * rule.step, rows.broken(rule))


_REPAIRS: Mapping[type[Rule], Repair] = {
    NullTogether: _null_together,
    NullBy: _null_by,
    OneOf: _one_of,
    Order: _order,
    Among: _among,
    Coarse: _coarse,
    Multiple: _multiple,
}


def look_up(
    given: Sequence[pa.Array],
    known: Mapping[tuple[str, ...], str | None],
    values: pa.Array,
    rows: RuleRows,
    target: str,
) -> dict[tuple[str, ...], str | None]:
    """Give rows the value that goes with what fixes it: a known one, else the most frequent one of these rows.

    Args:
        given: (rows,) each, what fixes the column, as text.
        known: what is known of it.
        values: (rows,) the column as text.
        rows: changed in place.
        target: the column.

    Returns:
        What was decided here, for batches to come.
    """
    group = tuple_codes([column_codes(one, null_code=False) for one in given])
    has = group >= 0
    if not has.any():
        return {}
    codes = column_codes(values, null_code=True)
    owners, usual = most_frequent(group, codes)
    first_row = np.zeros(int(group.max()) + 1, dtype=np.int64)
    first_row[group[has][::-1]] = np.flatnonzero(has)[::-1]
    row_of_code = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    row_of_code[codes[::-1]] = np.arange(len(codes))[::-1]
    keys = list(zip(*(one.take(pa.array(first_row[owners])).to_pylist() for one in given), strict=True))
    own = values.take(pa.array(row_of_code[usual])).to_pylist()
    decided = {key: value for key, value in zip(keys, own, strict=True) if key not in known}
    wanted = pa.array([known.get(key, value) for key, value in zip(keys, own, strict=True)], pa.string())
    place = np.zeros(len(first_row), dtype=np.int64)
    place[owners] = np.arange(len(owners))
    new = wanted.take(pa.array(place[np.maximum(group, 0)]))
    differs = pc.not_equal(pc.fill_null(new, "\0"), pc.fill_null(values, "\0")).to_numpy(zero_copy_only=False)
    rows.put(target, new.cast(rows.column(target).type), has & differs)
    return decided
