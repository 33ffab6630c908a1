"""In which order the rows of one parent stand: that of the file, else that of a time, where they say something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

IN_ORDER = 0.95
"""Share of the changes from sibling to sibling that go one way, from which on a column sorts the file."""
CHANGES_SHARE, CHANGES_LEAST = 0.05, 20
DEALT, FURTHER_SD, FURTHER = 19, 4.0, 0.05
"""How often times are dealt out at random, and how far apart the siblings' must lie from that to be in an order."""
LOOKED_AT = 20_000
"""Rows of whole families among which it is told, about."""


def order_column(keys: Mapping[str, np.ndarray | None], parent_row: np.ndarray, times: Iterable[str]) -> str | None:
    """Return the time that siblings follow one another by, None for the order of the file.

    A file that is sorted by any of its columns says something by its order: a shop's sales by department and week are
    followed week by week of one department. Where it is not, a time puts siblings in order, if theirs lie otherwise
    than times dealt out at random: clients of a town follow nobody by their dates of birth, and rows that climb from
    one to the next would end beyond all dates.

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
    whole = ((column, key) for column, key in found if key is not None and not np.isnan(key).any())
    return next((column for column, key in whole if _is_telling(key, parent_row)), None)


def _is_telling(key: np.ndarray, parent_row: np.ndarray) -> bool:
    """Return whether siblings' times, (rows,), lie nearer together, or further apart, than dealt out at random.

    So do times of which most siblings share one.
    """
    rows = np.flatnonzero(parent_row >= 0)
    parts = max(1, len(rows) // LOOKED_AT)
    rows = rows[parent_row[rows] % parts == 0]
    family, rank = parent_row[rows], np.searchsorted(np.sort(key[rows]), key[rows]) / max(len(rows), 1)
    steps = _steps(rank, family)
    if not len(steps) or (steps == 0).mean() > 0.5:
        return bool(len(steps))
    generator = np.random.default_rng(0)
    dealt = [_steps(generator.permutation(rank), family) for _ in range(DEALT)]
    apart, *others = (float(np.log(one + 1 / len(rank)).mean()) for one in [steps, *dealt])
    return abs(apart - float(np.mean(others))) > max(FURTHER_SD * float(np.std(others)), FURTHER)


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
