"""Times of a row that lie outside what its parent's times leave: they move together, and keep what lies between them.

A claim is reported some days after what happened, and both within the policy. Were the day that is out drawn again by
itself, the other would be years from it; so all times that orders tie together move by the same span, to a place that
other rows have within their bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.generation.keeping.rule_rows import RuleRows


def tied_times(rules: Sequence[Rule], free: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return for each free column that an order names all free columns that orders tie to it, itself among them."""
    groups: list[frozenset[str]] = []
    for rule in rules:
        if isinstance(rule, Order):
            names = frozenset(one.column for one in rule.columns) & free
            groups = [one for one in groups if not one & names] + [names.union(*(one for one in groups if one & names))]
    return {name: group for group in groups for name in group}


def move_times(
    rule: Order, rows: RuleRows, broken: np.ndarray, protected: frozenset[str], rng: np.random.Generator
) -> None:
    """Move the times of rows into the bounds that protected columns of an order set, as far as they are out.

    Args:
        rule: whose free columns stand side by side.
        rows: changed in place.
        broken: (rows,) bool, which rows break the rule.
        protected: columns that stay as they are.
        rng: chooses the rows whose place is taken.
    """
    names = [one.column for one in rule.columns]
    free = [place for place, name in enumerate(names) if name not in protected]
    if not free or len(free) == len(names) or free[-1] - free[0] >= len(free) or not all(map(rows.is_time, names)):
        return
    values = np.stack([rows.numbers(one) for one in rule.columns], axis=1)
    low = np.fmax.reduce(values[:, : free[0]], axis=1, initial=-np.inf)
    high = np.fmin.reduce(values[:, free[-1] + 1 :], axis=1, initial=np.inf)
    if rule.strict:
        low, high = between(low, high, rows.grain(names[free[0]]))
    first, last = (each.reduce(values[:, free], axis=1) for each in (np.fmin, np.fmax))
    begin = placed_within(low, high, first, last, broken, rng)
    out = broken & np.isfinite(begin) & ((first < low) | (last > high)) & (high >= low)
    with np.errstate(invalid="ignore", divide="ignore"):
        span = np.where(last > first, np.minimum((high - low) / (last - first), 1.0), 1.0)
    tied = rows.together.get(names[free[0]], frozenset(names[place] for place in free))
    for name in sorted(tied):
        own, grain, open_ = rows.numbers(Operand(name)), rows.grain(name), np.full(rows.count, np.inf)
        moved = begin + (own - first) * span
        moved = in_grains(moved, grain, low, high) if name in names else in_grains(moved, grain, -open_, open_)
        rows.put_numbers(name, moved, out & np.isfinite(moved))


def placed_within(
    low: np.ndarray, high: np.ndarray, first: np.ndarray, last: np.ndarray, broken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return where the values of each row begin if they lie within bounds as those of another row do; (rows,) each.

    Where no row lies within such bounds, they lie as the rows do among each other, the nearest one on its bound.

    Args:
        low: the least that a value may be, infinite for any.
        high: the largest.
        first: the least value of each row.
        last: its largest.
        broken: (rows,) bool, which rows are no example.
        rng: chooses the rows whose place is taken.
    """
    begin = np.full(len(low), np.nan)
    width, whole = last - first, ~broken & np.isfinite(first)
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    room = np.where(has_low & has_high, high - low - width, np.nan)
    cases = (
        (has_low & has_high, (first - low) / np.where(room > 0, room, np.nan), low, np.maximum(room, 0.0)),
        (has_low & ~has_high, first - low, low, np.ones(len(low))),
        (~has_low & has_high, last - high, high - width, np.ones(len(low))),
    )
    for number, (here, place, start, scale) in enumerate(cases):
        usable = here & np.isfinite(place)
        found = place[usable & whole]
        if not len(found) and usable.any():
            found = rng.random(len(low)) if number == 0 else place[usable] - (np.min, np.max)[number - 1](place[usable])
        drawn = rng.choice(found, len(low)) if len(found) else np.zeros(len(low))
        begin = np.where(here, start + drawn * scale, begin)
    return begin


def between(low: np.ndarray, high: np.ndarray, grain: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the next multiples of ``grain`` above and below bounds that are out themselves, (rows,) each.

    >>> between(np.array([2.0, 2.5]), np.array([5.0, np.inf]), 1.0)
    (array([3., 3.]), array([ 4., inf]))
    """
    if grain is None:
        return np.nextafter(low, np.inf), np.nextafter(high, -np.inf)
    return (np.floor(low / grain + 1e-6) + 1) * grain, (np.ceil(high / grain - 1e-6) - 1) * grain


def in_grains(moved: np.ndarray, grain: float | None, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return values as multiples of what those of the column are, within bounds where one lies there; (rows,) each."""
    if grain is None:
        return np.clip(moved, low, high)
    least, most = np.ceil(low / grain - 1e-6), np.floor(high / grain + 1e-6)
    return np.clip(np.rint(moved / grain), least, np.maximum(most, least)) * grain
