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
from tabgraphsyn.generation.keeping.family_ends import UNITS
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
    first, last = (each.reduce(values[:, free], axis=1) for each in (np.fmin, np.fmax))
    begin = _begins(low, high, first, last, broken, rng)
    out = broken & np.isfinite(begin) & ((first < low) | (last > high)) & (high >= low)
    with np.errstate(invalid="ignore", divide="ignore"):
        span = np.where(last > first, np.minimum((high - low) / (last - first), 1.0), 1.0)
    tied = rows.together.get(names[free[0]], frozenset(names[place] for place in free))
    for name in sorted(tied):
        own = rows.numbers(Operand(name))
        moved = begin + (own - first) * span
        if name in names:
            moved = _in_units(moved, own, low, high)
        else:
            moved = _in_units(moved, own, np.full(len(own), -np.inf), np.full(len(own), np.inf))
        rows.put_numbers(name, moved, out & np.isfinite(moved))


def _begins(
    low: np.ndarray, high: np.ndarray, first: np.ndarray, last: np.ndarray, broken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return where the times of each row begin if they lie within bounds as those of another row do; (rows,) each."""
    begin = np.full(len(low), np.nan)
    width, whole = last - first, ~broken & np.isfinite(first)
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    room = np.where(has_low & has_high, high - low - width, np.nan)
    cases = (
        (has_low & has_high, (first - low) / np.where(room > 0, room, np.nan), low, np.maximum(room, 0.0)),
        (has_low & ~has_high, first - low, low, np.ones(len(low))),
        (~has_low & has_high, last - high, high - width, np.ones(len(low))),
    )
    for here, place, start, scale in cases:
        found = place[here & whole & np.isfinite(place)]
        drawn = rng.choice(found, len(low)) if len(found) else np.zeros(len(low))
        begin = np.where(here, start + drawn * scale, begin)
    return begin


def _in_units(moved: np.ndarray, own: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return times in whole days, hours ... as the column's are, within bounds where one lies there; (rows,) each."""
    filled = own[np.isfinite(own)]
    unit = next((one for one in UNITS if (np.mod(filled, one) == 0).all()), None)
    if unit is None:
        return np.clip(moved, low, high)
    whole = np.rint(moved / unit)
    return np.clip(whole, np.ceil(low / unit), np.maximum(np.floor(high / unit), np.ceil(low / unit))) * unit
