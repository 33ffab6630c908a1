"""A column that never falls from a row to those that refer to it, and from row to row of a family, at once."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np


def in_order(value: np.ndarray, edges: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return for each row the row whose value it takes, (rows,) int64, so that no value falls along an edge.

    Rows that edges tie together keep their values among them; a row that may be next and holds the least is served
    first, so that most stay near their own. Rows on a ring, and those without a value, keep what they hold.

    Args:
        value: (rows,) float64, NaN for none.
        edges: (edges,) rows and the rows that come after them, any number of such pairs of arrays.

    >>> in_order(np.array([3.0, 1.0, 2.0]), [(np.array([0, 0]), np.array([1, 2]))]).tolist()
    [1, 2, 0]
    """
    before = np.concatenate([low for low, _ in edges]).astype(np.int64)
    after = np.concatenate([high for _, high in edges]).astype(np.int64)
    is_real = ~(np.isnan(value[before]) | np.isnan(value[after])) & (before != after)
    before, after = before[is_real], after[is_real]
    source = np.arange(len(value))
    if not (value[after] < value[before]).any():
        return source
    by_row = np.argsort(before, kind="stable")
    following = after[by_row]
    start = np.searchsorted(before[by_row], np.arange(len(value) + 1))
    waits = np.bincount(after, minlength=len(value))
    part = _parts(len(value), before, after)
    touched = np.flatnonzero(np.bincount(np.concatenate([before, after]), minlength=len(value)))
    ready = [(value[row], int(row)) for row in touched[waits[touched] == 0]]
    heapq.heapify(ready)
    served: list[int] = []
    while ready:
        _, row = heapq.heappop(ready)
        served.append(row)
        for one in following[start[row] : start[row + 1]].tolist():
            waits[one] -= 1
            if not waits[one]:
                heapq.heappush(ready, (value[one], one))
    turn = np.asarray(served, dtype=np.int64)
    places = turn[np.argsort(part[turn], kind="stable")]
    holders = turn[np.lexsort((turn, value[turn], part[turn]))]
    source[places] = holders
    return source


def _parts(rows: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return (rows,) int64: the number of the part that edges tie a row to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = coo_array((np.ones(len(before), dtype=bool), (before, after)), shape=(rows, rows))
    found: np.ndarray = connected_components(ties, directed=False)[1].astype(np.int64)
    return found
