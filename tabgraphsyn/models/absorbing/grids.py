"""Which numbers are rough, and the cells that their digits stand for: found on training rows.

Every cell is held by ``min_entities`` entities or more. Values of fewer are counted to the nearest cell, and what is
drawn lies anywhere in a cell's interval: no pool of real values is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.units import Digits

ROUGH = 3.0
"""Mean chi-square of a value's count against what its neighbours foretell, from which on a number is rough."""
MOST_LEVELS = 400
ROWS_A_LEVEL = 20
"""Rows behind a level on average, at least: a small table has few levels."""
COARSE, FINE = 64, 32
NEIGHBOURS = 3
LEVEL_FIT = (1 / 6, 1 / 6, 1 / 6, 0, 1 / 6, 1 / 6, 1 / 6)
CURVED_FIT = (0, -1 / 6, 2 / 3, 0, 2 / 3, -1 / 6, 0)
"""What a count is foretold from: the mean of its neighbours, or the cubic through four of them, at a steep peak."""


@dataclass(frozen=True)
class Grid:
    """Cells of one rough number.

    Shape:
        edges: (coarse, fine, 2) float32, low and high of each cell in normalised space.
        parts: (coarse,) int64, how many fine cells each coarse one has.
    """

    edges: np.ndarray
    parts: np.ndarray

    @property
    def digits(self) -> Digits:
        """Its size."""
        return Digits(self.edges.shape[0], self.edges.shape[1])

    def codes(self, middle: np.ndarray) -> np.ndarray:
        """Return both digits of each number, (rows, 2) int64: those of the nearest cell."""
        valid = np.arange(self.edges.shape[1]) < self.parts[:, None]
        cells = self.edges[valid].astype(np.float64)
        coarse, fine = np.nonzero(valid)
        # Cells are in order and apart; the border between two lies half-way over what is between them.
        borders = (cells[:-1, 1] + cells[1:, 0]) / 2
        place = np.searchsorted(borders, middle)
        return np.stack([coarse[place], fine[place]], axis=1)


def grids(
    table: EncodedTable, gates: list[int | None], entities: np.ndarray, min_entities: int = 5
) -> list[Grid | None]:
    """Return the grid of every rough number of a table, None for the smooth ones.

    Args:
        table: training rows.
        gates: of each number, the categorical field that is 0 where it has a meaning, or None.
        entities: (rows,) int64.
        min_entities: entities behind each cell.
    """
    found: list[Grid | None] = []
    for number, gate in enumerate(gates):
        is_present = np.ones(table.rows, bool) if gate is None else np.asarray(table.categorical[:, gate]) == 0
        interval = np.asarray(table.numerical[:, number], dtype=np.float64)[is_present]
        found.append(_grid(interval, entities[is_present], table.rows, min_entities))
    return found


def roughness(counts: np.ndarray) -> float:
    """Return how arbitrarily sorted distinct values, (values,), repeat: about 1 for counts of a smooth distribution.

    >>> roughness(np.array([10, 11, 9, 10, 12, 10, 9, 10] * 9)) < 1 < 30 < roughness(np.array([1, 90, 2, 1, 70] * 20))
    True
    """
    if len(counts) <= 2 * NEIGHBOURS:
        return 0.0
    padded = np.pad(counts.astype(np.float64), NEIGHBOURS, mode="edge")
    return min(_misfit(counts, padded, np.asarray(weights)) for weights in (LEVEL_FIT, CURVED_FIT))


def _misfit(counts: np.ndarray, padded: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean chi-square of counts against a weighted sum of their neighbours."""
    expected = np.maximum(np.convolve(padded, weights, "valid"), 1.0)
    return float(np.mean((counts - expected) ** 2 / (expected * (1 + np.square(weights).sum()))))


def _grid(interval: np.ndarray, entities: np.ndarray, rows: int, min_entities: int) -> Grid | None:
    distinct, place, counts = np.unique(interval[:, 0], return_inverse=True, return_counts=True)
    if len(distinct) > len(interval) / 5 or roughness(counts) < ROUGH:
        return None
    low, high = distinct, distinct.copy()
    np.maximum.at(high, place, interval[:, 1])
    holders = np.bincount(np.unique(np.stack([place, entities]), axis=1)[0], minlength=len(distinct))
    is_held = holders >= min_entities
    if not is_held.any() or counts[is_held].sum() < len(interval) / 2:
        return None
    most = min(MOST_LEVELS, rows // ROWS_A_LEVEL)
    low, high, counts = low[is_held], np.maximum(high[is_held], low[is_held]), counts[is_held]
    high = np.minimum(high, np.append(low[1:], np.inf))
    if len(low) <= most:
        return Grid(np.stack([low, high], axis=1)[:, None].astype(np.float32), np.ones(len(low), np.int64))
    return _two_digits(low, high, counts) if most >= COARSE else None


def _two_digits(low: np.ndarray, high: np.ndarray, counts: np.ndarray) -> Grid:
    """Return a grid of about equally full coarse cells; what does not fit into ``FINE`` parts shares one."""
    ends = np.cumsum(counts)
    block = np.unique((ends - counts / 2) * COARSE // ends[-1], return_inverse=True)[1]
    parts, rows = [], []
    for number in range(block[-1] + 1):
        own = np.flatnonzero(block == number)
        cut = np.minimum(np.arange(len(own)) * FINE // len(own), FINE - 1) if len(own) > FINE else np.arange(len(own))
        first = np.flatnonzero(np.diff(cut, prepend=-1))
        last = np.append(first[1:], len(own)) - 1
        parts.append(len(first))
        rows.append(np.stack([low[own[first]], high[own[last]]], axis=1))
    fine = max(parts)
    edges = np.stack([np.concatenate([one, np.repeat(one[-1:], fine - len(one), axis=0)]) for one in rows])
    return Grid(edges.astype(np.float32), np.asarray(parts, dtype=np.int64))
