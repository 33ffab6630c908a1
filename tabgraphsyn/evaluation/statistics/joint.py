"""How two columns hang together, counted in batches of rows: memory is that of a batch, whatever the tables are.

The two columns may lie in different tables, many foreign keys apart. Each stays where it is; only the row numbers of
the join are held, and a batch of values is looked up when it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.statistics.feature import Feature

BATCH_ROWS = 1 << 18
# Above so many cells a contingency table is counted by sorting what occurs instead of as an array.
LARGEST_TABLE = 8_000_000


@dataclass(frozen=True)
class Selected:
    """Some rows of a column, in an order: a row may come often, as a parent's does in a join.

    Attributes:
        column: all rows of its table.
        rows: (selected,) int64 row numbers, or None for all rows in their order.
    """

    column: Feature
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.column.values if self.rows is None else self.rows)

    def at(self, places: slice | np.ndarray) -> np.ndarray:
        """Return the values at some places of the selection, (places,)."""
        return self.column.values[places if self.rows is None else self.rows[places]]

    @property
    def occurring(self) -> Feature:
        """The rows of the table that are selected, each once."""
        if self.rows is None:
            return self.column
        used = np.zeros(len(self.column.values), bool)
        used[self.rows] = True
        return self.column if used.all() else self.column.take(used)

    def recoded(self, column: Feature) -> Selected:
        """Return the same rows of another reading of the column."""
        return Selected(column, self.rows)


@dataclass(frozen=True)
class Aligned:
    """Two columns of one side, row by row."""

    left: Selected
    right: Selected

    def __len__(self) -> int:
        return len(self.left)

    def at(self, places: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of both columns at some rows, (places,) each."""
        return self.left.at(places), self.right.at(places)

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the values of both columns, some rows at a time, (batch,) each."""
        for start in range(0, len(self), BATCH_ROWS):
            yield self.at(slice(start, start + BATCH_ROWS))

    def numbers(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the values of two numbers on rows where both are present, some rows at a time, (batch,) each."""
        for left, right in self.batches():
            both = ~(np.isnan(left) | np.isnan(right))
            if both.any():
                yield left[both], right[both]


@dataclass(frozen=True)
class Contingency:
    """Two joint distributions of two categories each.

    Shape:
        gaps: (cells,) share of the real rows - share of the other rows.
        occurring: (cells,) int64 ascending, the cells that occur; None where all cells are listed.

    Attributes:
        width: cells of one category of the first column.
    """

    gaps: np.ndarray
    occurring: np.ndarray | None
    width: int

    @property
    def similarity(self) -> float:
        """1 - total variation."""
        return float(1.0 - np.abs(self.gaps).sum() / 2)

    def gaps_of(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return (rows,) the gap of the cell of each row, given its codes."""
        cells = _cells(left, right, self.width)
        return self.gaps[cells if self.occurring is None else np.searchsorted(self.occurring, cells)]


def contingency(real: Aligned, other: Aligned) -> Contingency:
    """Return the joint distributions of two pairs of categories, missing being a category."""
    width = real.right.column.levels + 1
    cells = (real.left.column.levels + 1) * width
    if cells <= LARGEST_TABLE:
        shares = [_counted(side, width, cells) / max(len(side), 1) for side in (real, other)]
        return Contingency(shares[0] - shares[1], None, width)
    found = [_listed(side, width) for side in (real, other)]
    occurring = np.union1d(found[0][0], found[1][0])
    gaps = np.zeros(len(occurring))
    for sign, side, (listed, counts) in zip((1, -1), (real, other), found, strict=True):
        gaps[np.searchsorted(occurring, listed)] += sign * (counts / max(len(side), 1))
    return Contingency(gaps, occurring, width)


def _cells(left: np.ndarray, right: np.ndarray, width: int) -> np.ndarray:
    return (left.astype(np.int64) + 1) * width + right + 1


def _counted(side: Aligned, width: int, cells: int) -> np.ndarray:
    counts = np.zeros(cells, np.int64)
    for left, right in side.batches():
        counts += np.bincount(_cells(left, right, width), minlength=cells)
    return counts


def _listed(side: Aligned, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells that occur, ascending, and how often."""
    listed, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for left, right in side.batches():
        cells, often = np.unique(_cells(left, right, width), return_counts=True)
        known, counts_before = listed, counts
        listed = np.union1d(known, cells)
        counts = np.zeros(len(listed), np.int64)
        counts[np.searchsorted(listed, known)] += counts_before
        counts[np.searchsorted(listed, cells)] += often
    return listed, counts


def pearson(side: Aligned) -> float | None:
    """Return the correlation over rows where both are present, None where it is undefined.

    Undefined: fewer than two such rows, or one side constant on them. Sums are taken batch by batch, those of the means
    first: up to ``BATCH_ROWS`` rows they are numpy's own, beyond they may differ from them in the last digits.
    """
    rows, sums = 0, np.zeros(2)
    lowest, highest = np.full(2, np.inf), np.full(2, -np.inf)
    for pair in side.numbers():
        rows += len(pair[0])
        sums += [values.sum() for values in pair]
        lowest = np.minimum(lowest, [values.min() for values in pair])
        highest = np.maximum(highest, [values.max() for values in pair])
    if rows < 2 or (lowest == highest).any():
        return None
    means = sums / rows
    # Scaling first keeps squares of large numbers (timestamps) in range.
    scales = np.maximum(np.abs(lowest - means), np.abs(highest - means))
    left_left, right_right, both = _products(side, means, scales)
    norm = np.sqrt(left_left * right_right)
    return float(np.clip(both / norm, -1.0, 1.0)) if norm > 0 else None


def _products(side: Aligned, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the sums of squares of both columns and of their products, centred and scaled."""
    total = np.zeros(3)
    for pair in side.numbers():
        left, right = ((pair[end] - means[end]) / scales[end] for end in (0, 1))
        # Sums of products, not BLAS: its own threads wait actively for each other, which costs more than it saves here.
        total += [(left * left).sum(), (right * right).sum(), (left * right).sum()]
    return total
