"""Which entities hold which values, up to a few of them: whether enough do is all that is ever asked."""

from __future__ import annotations

import numpy as np

CHUNK_ROWS = 1 << 18


def some_members(group: np.ndarray, member: np.ndarray, groups: int, most: int) -> np.ndarray:
    """Return up to ``most`` different members of each group, (groups, most) int64, -1 where there are fewer.

    Rows are looked at piece by piece and a group that is full drops out, so ten million rows are neither sorted nor
    paired all at once.

    Args:
        group: (rows,) number of the group, 0 to ``groups - 1``.
        member: (rows,) int64, 0 and above.
        groups: how many groups there are.
        most: see above.

    >>> some_members(np.array([0, 0, 0, 1]), np.array([7, 7, 9, 7]), 2, 2).tolist()
    [[7, 9], [7, -1]]
    """
    found = np.full((groups, most), -1, dtype=np.int64)
    size = np.zeros(groups, dtype=np.int64)
    width = int(member.max(initial=0)) + 1
    for start in range(0, len(group), CHUNK_ROWS):
        place, one = group[start : start + CHUNK_ROWS], member[start : start + CHUNK_ROWS]
        is_open = size[place] < most
        place, one = place[is_open], one[is_open]
        if start and len(place):
            is_new = (found[place] != one[:, None]).all(axis=1)
            place, one = place[is_new], one[is_new]
        pairs = np.sort(place.astype(np.int64) * width + one)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        place, one = pairs // width, pairs % width
        first = np.flatnonzero(np.diff(place, prepend=-1))
        rank = np.arange(len(place)) - np.repeat(first, np.diff(np.append(first, len(place))))
        rank += size[place]
        fits = rank < most
        found[place[fits], rank[fits]] = one[fits]
        size[place[first]] += np.diff(np.append(first, len(place)))
    return found


def are_held(group: np.ndarray, member: np.ndarray, counts: np.ndarray, least: int) -> np.ndarray:
    """Return (groups,) bool: which groups have at least ``least`` different members.

    Args:
        group: (rows,) number of the group.
        member: (rows,) int64.
        counts: (groups,) rows of each group.
        least: see above.

    >>> are_held(np.array([0, 0, 1, 1]), np.array([3, 4, 5, 5]), np.array([2, 2]), 2).tolist()
    [True, False]
    """
    may_be = counts >= least
    if least <= 1 or not may_be.any():
        return may_be
    rows = may_be[group]
    number = (np.cumsum(may_be) - 1).astype(np.int32)
    held = may_be.copy()
    held[may_be] = some_members(number[group[rows]], member[rows], int(may_be.sum()), least)[:, -1] >= 0
    return held
