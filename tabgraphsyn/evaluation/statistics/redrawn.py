"""What new rows may equal where real rows keep out of each other's way: real rows with one column drawn anew.

A room is given once an hour: no real row ever equals another one's room and hour, and in an hour's eighteen lessons
subjects repeat less than by chance. A new timetable keeps out of its own way, not out of the real one's, and repeats
real rows more often than these repeat each other. A real row with another real day holds everything that its columns
say of each other but for the day, and keeps out of nobody's way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.codes import dense_codes
from tabgraphsyn.evaluation.statistics.evidence import Share, share_of
from tabgraphsyn.evaluation.statistics.owners import HOLDERS, held_by

# Rows drawn a column: enough that the draws say less than the rows themselves leave open.
DRAWN_ROWS = 20_000
MOST_DRAWS = 20


def redrawn_share(
    columns: Sequence[np.ndarray], training_rows: np.ndarray, entities: np.ndarray, generator: np.random.Generator
) -> Share:
    """Return the share of real rows that, with another value in one column, equal a training row; of the best column.

    Rows that draw their own value are left out: they would be the real ones again, which are out of each other's way.

    The training rows of the row's own entity do not count, and no value does that fewer than five entities hold: drawn
    anew it would come from the very row that it meets.

    Args:
        columns: (rows,) int64 codes each, equal for equal values.
        training_rows: (training,) int64.
        entities: (rows,) int64.
        generator: draws rows and values.

    >>> day, lesson = np.repeat(np.arange(6), 7), np.tile(np.arange(7), 6)
    >>> redrawn_share([day, lesson], np.arange(42), np.arange(42), np.random.default_rng(0)).value
    1.0
    """
    rows = len(entities)
    values = [generator.integers(0, 2**63, size=int(codes.max(initial=0)) + 1, dtype=np.uint64) for codes in columns]
    owners = generator.integers(0, 2**63, size=rows, dtype=np.uint64)[dense_codes(entities)]
    parts = [drawn[codes] for drawn, codes in zip(values, columns, strict=True)]
    whole: np.ndarray = np.asarray(np.sum(parts, axis=0, dtype=np.uint64))
    every, own = np.sort(whole[training_rows]), np.sort((whole + owners)[training_rows])
    draws = min(MOST_DRAWS, max(1, DRAWN_ROWS // rows))
    taken = np.tile(generator.permutation(rows)[:DRAWN_ROWS], draws)
    best = Share(0.0, float(len(taken)))
    for part, codes in zip(parts, columns, strict=True):
        is_shared = held_by(codes, entities)[codes] >= HOLDERS
        other = generator.choice(training_rows, len(taken))
        moved = part[taken] != part[other]
        row, source = taken[moved], other[moved]
        made = whole[row] - part[row] + part[source]
        left = _count(every, made) - _count(own, made + owners[row])
        found = share_of((left > 0) & is_shared[source], entities[row]) if moved.any() else best
        best = found if found.value > best.value else best
    return best


def _count(ascending: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return (wanted,) int64: how often each is among some sorted hashes."""
    return np.searchsorted(ascending, wanted, "right") - np.searchsorted(ascending, wanted, "left")
