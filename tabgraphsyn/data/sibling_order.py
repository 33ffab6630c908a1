"""In which order the rows of one parent stand: that of the file, where it says something, else that of a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

IN_ORDER = 0.95
"""Share of the changes from sibling to sibling that go one way, from which on a column sorts the file."""
CHANGES_SHARE, CHANGES_LEAST = 0.05, 20


def order_column(keys: Mapping[str, np.ndarray | None], parent_row: np.ndarray, times: Iterable[str]) -> str | None:
    """Return the time that siblings follow one another by, None for the order of the file.

    A file that is sorted by any of its columns says something by its order: a shop's sales by department and week are
    followed week by week of one department. Where it is not, a time puts siblings in order.

    Args:
        keys: column -> (rows,) numbers in the order of its values, NaN for a missing one; None: without order.
        parent_row: (rows,) int64, negative for none.
        times: names of the columns of times.

    >>> order_column({"at": np.array([3.0, 1.0, 2.0] * 20)}, np.zeros(60, dtype=int), ["at"])
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
    return next((column for column, key in found if key is not None and not np.isnan(key).any()), None)


def _is_sorted(steps: np.ndarray) -> bool:
    """Return whether steps from sibling to sibling, (steps,), climb, or fall, where there is a change.

    Of a column that hardly ever changes among siblings nothing is known.
    """
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    changes = up + down
    return changes >= max(CHANGES_LEAST, CHANGES_SHARE * len(steps)) and max(up, down) >= IN_ORDER * changes
