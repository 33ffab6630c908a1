"""Row pointers: for each row of a child table the row of its parent, and what stands there when there is none.

A pointer is an int64 array (child rows,). Row numbers are 0 and above; the constants below are all negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

NULL = -1
"""The key, or a part of it, is missing."""
CENSORED = -2
"""The key refers to a row of the other part of the split."""
UNMATCHED = -3
"""A parent exists and is yet to be chosen."""
ORPHAN = -4
"""The key refers to no row at all."""


def through(pointer: np.ndarray, values: np.ndarray, nothing: float = NULL) -> np.ndarray:
    """Return ``values`` of the parent rows, ``nothing`` where there is none.

    Shape:
        pointer: (rows,). values: (parent rows,) of any number type; may be empty. Returned: (rows,).

    >>> through(np.array([1, NULL, 0]), np.array([7, 9])).tolist()
    [9, -1, 7]
    >>> through(np.array([NULL, CENSORED]), np.array([], dtype=int)).tolist()
    [-1, -1]
    """
    if not len(values):
        return np.full(len(pointer), nothing)
    return np.where(pointer >= 0, values[np.maximum(pointer, 0)], nothing)


def follow(path: Sequence[str], pointers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where each row ends up along a path of relations; what is negative on the way stays as it is.

    >>> follow(["a", "b"], {"a": np.array([1, CENSORED]), "b": np.array([0, 5])}).tolist()
    [5, -2]
    """
    row = pointers[path[0]]
    for name in path[1:]:
        onward = pointers[name]
        row = np.where(row >= 0, through(row, onward), row) if len(onward) else np.full(len(row), NULL, dtype=np.int64)
    return row


def concatenated_ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return ``[s0, s0+1, .., s0+l0-1, s1, ..]``, int64.

    Shape:
        starts, lengths: (ranges,) integers.

    >>> concatenated_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    if not len(starts):
        return np.empty(0, dtype=np.int64)
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(int(ends[-1]))


def rank_within(sorted_keys: np.ndarray) -> np.ndarray:
    """Return each element's place among equal neighbours, from 0.

    Shape:
        sorted_keys: (rows,), equal ones side by side.

    >>> rank_within(np.array([4, 4, 7, 7, 7])).tolist()
    [0, 1, 0, 1, 2]
    """
    places = np.arange(len(sorted_keys))
    is_first = np.ones(len(sorted_keys), dtype=bool)
    is_first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return places - np.maximum.accumulate(np.where(is_first, places, 0))
