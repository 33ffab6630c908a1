"""In which order the rows of one parent stand: that of the file, else that of a time, where they say something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

IN_ORDER = 0.95
"""Share of the changes from sibling to sibling that go one way, from which on a column sorts the file."""
CHANGES_SHARE, CHANGES_LEAST = 0.05, 20
DEALT, FURTHER_SD, FURTHER = 19, 4.0, 0.05
"""How often times are dealt out at random, and how far apart the siblings' must lie from that to be in an order."""
SAME_THING, TIMES_APART, ALIKE = 0.9, 20, 0.1
"""Columns that rank as the time does say nothing more; the parts of time whose means are taken off; and how much more
alike a row and the next one must be than any two siblings."""
LOOKED_AT = 20_000
"""Rows of whole families among which it is told, about."""


def order_column(keys: Mapping[str, np.ndarray | None], parent_row: np.ndarray, times: Iterable[str]) -> str | None:
    """Return the time that siblings follow one another by, None for the order of the file.

    A file that is sorted by any of its columns says something by its order: a shop's sales by department and week are
    followed week by week of one department. Where it is not, a time puts siblings in order, if theirs lie otherwise
    than times dealt out at random, or if what they hold goes on from one to the next (a pulse from visit to visit):
    clients of a town follow nobody by their dates of birth, and rows that climb from one to the next would end beyond
    all dates.

    Args:
        keys: column -> (rows,) numbers in the order of its values, NaN for a missing one; None: without order.
        parent_row: (rows,) int64, negative for none.
        times: names of the columns of times.

    >>> family = np.repeat(np.arange(40), 3)
    >>> order_column({"at": np.array([3.0, 1.0, 2.0] * 40) + 5 * family}, family, ["at"])
    'at'
    >>> order_column({"at": np.arange(60.0)}, np.zeros(60, dtype=int), ["at"]) is None
    True
    """
    by_family = np.lexsort((np.arange(len(parent_row)), parent_row))
    is_sibling = (parent_row[by_family][1:] == parent_row[by_family][:-1]) & (parent_row[by_family][1:] >= 0)
    if not is_sibling.any():
        return None
    if any(key is not None and _is_sorted(np.diff(key[by_family])[is_sibling]) for key in keys.values()):
        return None
    found = ((column, keys[column]) for column in times)
    whole = (column for column, key in found if key is not None and not np.isnan(key).any())
    return next((column for column in whole if _is_telling(column, keys, parent_row)), None)


def _is_telling(column: str, keys: Mapping[str, np.ndarray | None], parent_row: np.ndarray) -> bool:
    """Return whether siblings follow one another by a time: by where their times lie, or by what they hold."""
    rows = np.flatnonzero(parent_row >= 0)
    rows = rows[parent_row[rows] % max(1, len(rows) // LOOKED_AT) == 0]
    time, family = _ranks(np.asarray(keys[column])[rows]), parent_row[rows]
    generator = np.random.default_rng(0)
    if _lie_together(time, family, generator):
        return True
    dealt = [_next_to(generator.random(len(rows)), family) for _ in range(DEALT)]
    others = (_ranks(key[rows]) for name, key in keys.items() if name != column and key is not None)
    return any(_carries_on(other, time, _next_to(time, family), dealt) for other in others)


def _lie_together(time: np.ndarray, family: np.ndarray, generator: np.random.Generator) -> bool:
    """Return whether siblings' times, (rows,), lie nearer together, or further apart, than dealt out at random.

    So do times of which most siblings share one.
    """
    steps = _steps(time, family)
    if not len(steps) or (steps == 0).mean() > 0.5:
        return bool(len(steps))
    dealt = [_steps(generator.permutation(time), family) for _ in range(DEALT)]
    apart, *others = (float(np.log(one + 1 / len(time)).mean()) for one in [steps, *dealt])
    return abs(apart - float(np.mean(others))) > max(FURTHER_SD * float(np.std(others)), FURTHER)


def _carries_on(value: np.ndarray, time: np.ndarray, pairs: np.ndarray, dealt: Sequence[np.ndarray]) -> bool:
    """Return whether a column is more alike from a sibling to the next in time than between any two of them.

    What the time says by itself is taken off: the older of a town earn more, and yet follow nobody.

    Args:
        value: (rows,) ranks of the column, NaN for none.
        time: (rows,) ranks.
        pairs: (pairs, 2) rows, each with its sibling after it in time.
        dealt: the same of siblings in orders that say nothing.
    """
    known = ~np.isnan(value)
    if known.sum() < CHANGES_LEAST or not np.ptp(value[known]) or not np.ptp(time[known]):
        return False
    if abs(np.corrcoef(value[known], time[known])[0, 1]) > SAME_THING:
        return False
    part = np.minimum((time * TIMES_APART).astype(int), TIMES_APART - 1)
    counts = np.maximum(np.bincount(part[known], minlength=TIMES_APART), 1)
    means = np.bincount(part[known], value[known], TIMES_APART) / counts
    left = value - means[part]
    steps = [np.abs(np.diff(left[one], axis=1)) for one in [pairs, *dealt]]
    if any(np.isnan(one).all() for one in steps):
        return False
    apart, *others = (float(np.nanmean(one)) for one in steps)
    return float(np.mean(others)) - apart > max(FURTHER_SD * float(np.std(others)), ALIKE * float(np.mean(others)))


def _next_to(key: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return each row beside its sibling after it by a key, (rows,), as rows: (pairs, 2) int64."""
    order = np.lexsort((key, family))
    is_pair = family[order][1:] == family[order][:-1]
    return np.stack([order[:-1][is_pair], order[1:][is_pair]], axis=1)


def _ranks(key: np.ndarray) -> np.ndarray:
    """Return the share of the known values below each, (rows,) float64; NaN stays."""
    known = np.sort(key[~np.isnan(key)])
    return np.where(np.isnan(key), np.nan, np.searchsorted(known, key) / max(len(known), 1))


def _steps(rank: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return how far each row's time, (rows,), lies from that of its sibling before, (pairs of siblings,)."""
    order = np.lexsort((rank, family))
    found: np.ndarray = np.diff(rank[order])[family[order][1:] == family[order][:-1]]
    return found


def _is_sorted(steps: np.ndarray) -> bool:
    """Return whether steps from sibling to sibling, (steps,), climb, or fall, where there is a change.

    Of a column that hardly ever changes among siblings nothing is known.
    """
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    changes = up + down
    return changes >= max(CHANGES_LEAST, CHANGES_SHARE * len(steps)) and max(up, down) >= IN_ORDER * changes
