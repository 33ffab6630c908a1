"""A column that rises, or falls, from row to row of a parent: values change rows, equal ones are set apart.

Times and whole numbers stay multiples of what all of the column are. How far equal values are set apart is drawn from
the gaps between the others, shortened to the room that neighbours and rules about the row leave.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.rules.family_kinds import Rising
from tabgraphsyn.data.rules.row_kinds import Bounds, Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.generation.keeping.moved_times import between
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

_FINEST = 1e-9
"""Least distance of numbers without end, as a part of the range of their column."""


def keep_rising(
    rule: Rising,
    rows: RuleRows,
    family: np.ndarray,
    of_rows: Sequence[Rule],
    protected: frozenset[str],
    rng: np.random.Generator,
) -> None:
    """Put the values of each family into the order of its rows; where the rise is strict, no two stay equal.

    Args:
        rule: what rises, and in which order.
        rows: changed in place.
        family: (rows,) number of the parent, negative for none.
        of_rows: rules about single rows: what they leave of the column is not left.
        protected: columns that stay as they are.
        rng: draws how far equal values are set apart.
    """
    name, sign = rule.column.column, -1.0 if rule.falling else 1.0
    value = rows.numbers(rule.column) * sign
    by = np.arange(rows.count, dtype=np.float64) if rule.by is None else rows.numbers(rule.by)
    here = np.flatnonzero((family >= 0) & ~np.isnan(value) & ~np.isnan(by))
    if not len(here):
        return
    places, order = (here[np.lexsort((one[here], family[here]))] for one in (by, value))
    source = np.arange(rows.count)
    source[places] = order
    rows.take(name, source, source != np.arange(rows.count))
    if not rule.strict:
        return
    grain = rows.grain(name) or max(float(np.ptp(value[here])), 1.0) * _FINEST
    low, high = (one[places] for one in _limits(rule, rows, of_rows, protected, grain))
    if rule.falling:
        low, high = -high, -low
    low, high = np.fmax(low, value[here].min()), np.fmin(high, value[here].max())
    wanted = np.full(rows.count, np.nan)
    wanted[places] = set_apart(value[order], family[order], grain, low, high, rng) * sign
    rows.put_numbers(name, wanted, ~np.isnan(wanted) & (np.abs(wanted - value[source] * sign) > grain / 2))


def _limits(
    rule: Rising, rows: RuleRows, of_rows: Sequence[Rule], protected: frozenset[str], grain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value that rules about single rows leave of a column, (rows,) each."""
    low, high = np.full(rows.count, -np.inf), np.full(rows.count, np.inf)
    for one in of_rows:
        if isinstance(one, Bounds) and one.column == rule.column:
            low = np.fmax(low, -np.inf if one.low is None else one.low)
            high = np.fmin(high, np.inf if one.high is None else one.high)
        if isinstance(one, Order) and rule.column in one.columns:
            place = one.columns.index(rule.column)
            ends = [np.full(rows.count, -np.inf), np.full(rows.count, np.inf)]
            for number, other in enumerate(one.columns):
                if other.column in protected and number < place:
                    ends[0] = np.fmax(ends[0], rows.numbers(other))
                elif other.column in protected and number > place:
                    ends[1] = np.fmin(ends[1], rows.numbers(other))
            ends = [*between(ends[0], ends[1], grain)] if one.strict else ends
            low, high = np.fmax(low, ends[0]), np.fmin(high, ends[1])
    return low, high


def set_apart(
    value: np.ndarray, family: np.ndarray, grain: float, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return values of families, ascending in each, of which no two of a family are equal.

    Equal ones go up towards the next value, the last ones of a family down towards the one before, by half of the way
    at most; a family that holds one value alone goes up while there is room.

    Shape:
        value, family, low, high: (rows,), rows of a family side by side; what is returned too.

    Args:
        value: multiples of ``grain``, those that are none become ones.
        family: whose rows they are.
        grain: least distance.
        low: the least that each may be; given up where the room is too small.
        high: the largest.
        rng: draws gaps from those between other values.

    >>> rng, open_ = np.random.default_rng(0), np.full(5, np.inf)
    >>> set_apart(np.array([1.0, 2, 2, 3, 3]), np.zeros(5), 0.1, -open_, open_, rng).round(1).tolist()
    [1.0, 2.0, 2.5, 2.6, 3.0]
    >>> set_apart(np.array([5.0, 5, 5]), np.zeros(3), 1.0, np.zeros(3), np.full(3, 6.0), rng).tolist()
    [4.0, 5.0, 6.0]
    """
    opens = np.diff(family, prepend=np.nan) != 0
    gap = np.diff(value, prepend=np.nan)
    gap[opens] = np.nan
    if not (gap == 0).any():
        return value
    spread = value + _spread(value, gap, opens, high, rng)
    least, most = np.ceil(low / grain - 1e-6), np.floor(high / grain + 1e-6)
    number = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    rank = np.arange(len(value)) - first[number]
    units = np.rint(spread / grain)
    units = _never_falling(np.maximum(units, least) - rank, number) + rank
    units = np.minimum(units, most)
    back = (np.diff(np.append(first, len(value)))[number] - 1 - rank)[::-1]
    units = (-(_never_falling(-units[::-1] - back, number[::-1].max() - number[::-1]) + back))[::-1]
    found: np.ndarray = units * grain
    return found


def _spread(
    value: np.ndarray, gap: np.ndarray, opens: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return how far each of several equal values goes up, or down, (rows,) float64."""
    first = np.flatnonzero(opens | (gap > 0))
    size = np.diff(np.append(first, len(value)))
    run = np.repeat(np.arange(len(first)), size)
    is_first, is_last = opens[first], np.append(opens[first][1:], True)
    low = value[first]
    up = np.where(is_last, np.inf, np.append(low[1:], np.inf) - low) / 2
    down = np.where(is_first, 0.0, np.append(0.0, low[1:] - low[:-1])) / 2
    alone = is_first & is_last
    up[alone] = np.maximum(np.minimum.reduceat(high, first) - low, 0.0)[alone]
    others = gap[gap > 0]
    step = rng.choice(others, len(value)) if len(others) else np.ones(len(value))
    step[first] = 0.0
    climbed = np.cumsum(step)
    climbed -= climbed[first][run]
    whole = climbed[np.append(first[1:], len(value)) - 1]
    goes_down = is_last & ~is_first
    room = np.where(goes_down, down, up)
    share = np.where(whole > 0, np.minimum(room / np.where(whole > 0, whole, 1.0), 1.0), 1.0)
    found: np.ndarray = (climbed - np.where(goes_down, whole, 0.0)[run]) * share[run]
    return found


def _never_falling(value: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return for each row the largest value of its family up to it, (rows,); families count from 0, side by side."""
    least = value.min()
    lift = family * (value.max() - least + 1)
    found: np.ndarray = np.maximum.accumulate(value - least + lift) - lift + least
    return found
