"""Made rows that go with each other, so that a value that one takes from another suits it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.codes import tuple_codes

LEAST_TOLD = 0.1
"""Nats by which a key or column must lessen the surprise of a value in other rows, to say which rows are alike."""
MOST_TOLD_BY = 5
LOOKED_AT = 20_000
"""Rows over which that is measured, at most."""
DOUBT = 1.0
"""Rows of the column by itself, which the rows that a key or a column tells are mixed with."""


class Alike:
    """Rows that share what tells most of a column: all of it first, then ever less, at last any row.

    Args:
        value: (rows,) int64, codes of the column, negative for none: such a row has nothing to give.
        others: (rows,) int64 each: keys and columns that may tell of it, negative for none.
        rng: chooses the rows that are looked at.
    """

    def __init__(self, value: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator) -> None:
        held = np.flatnonzero(value >= 0)
        part = held if len(held) <= LOOKED_AT else rng.permutation(held)[:LOOKED_AT]
        told = [(_told(value[part], one[part]), one) for one in others]
        best = sorted((pair for pair in told if pair[0] > LEAST_TOLD), key=lambda pair: -pair[0])[:MOST_TOLD_BY]
        kept = [one for _, one in best]
        self._circles = [
            _Circle(tuple_codes(kept[:count], rows=len(value)), held) for count in range(len(kept), -1, -1)
        ]

    @property
    def circles(self) -> int:
        """How many circles there are, from the rows that share all to any rows."""
        return len(self._circles)

    def drawn(self, rows: np.ndarray, circle: int, rng: np.random.Generator) -> np.ndarray:
        """Return a row of a circle of each of some rows, the row itself where there is none; (n,) int64."""
        return self._circles[circle].drawn(rows, rng)


class _Circle:
    def __init__(self, code: np.ndarray, held: np.ndarray) -> None:
        self._code = code
        self._rows = held[np.argsort(code[held], kind="stable")]
        self._sorted = code[self._rows]

    def drawn(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        first, last = (np.searchsorted(self._sorted, self._code[rows], side) for side in ("left", "right"))
        count = (last - first) * (self._code[rows] >= 0)
        place = first + (rng.random(len(rows)) * count).astype(np.int64)
        return np.where(count > 0, self._rows[np.minimum(place, len(self._rows) - 1)], rows)


def _told(value: np.ndarray, known: np.ndarray) -> float:
    """Return by how many nats a row's value is less surprising, told by other rows of the same; (rows,) int64 both."""
    if not len(value):
        return 0.0
    pair = np.unique(tuple_codes([known, value]), return_inverse=True, return_counts=True)
    place = np.unique(known, return_inverse=True, return_counts=True)
    alone = np.unique(value, return_inverse=True, return_counts=True)
    if len(pair[0]) == len(place[0]):  # what fixes the value leaves no other to take
        return 0.0
    together, rows, share = (counts[which] for _, which, counts in (pair, place, alone))
    told = np.log(((together - 1) / (share / len(value)) + DOUBT) / (rows - 1 + DOUBT))
    return float(np.where(known < 0, 0.0, told).mean())
