"""Which numbers are digits, and the cells that these stand for: found on training rows.

Every cell is held by ``min_entities`` entities or more. Values of fewer are counted to the nearest cell, and what is
drawn lies anywhere in a cell's interval: no pool of real values is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.columns.units import Digits

ROUGH = 3.0
"""Mean chi-square of a value's count against what its neighbours foretell, from which on a number is rough."""
MOST_LEVELS = 400
ROWS_A_LEVEL = 20
"""Rows behind a level on average, at least: a small table has few levels."""
COARSE, FINE = 64, 32
LEAST_ROWS = 0.5
"""What an empty cell counts."""
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
        rows: (coarse, fine) int64, how many training rows are nearest to each cell; 0 where there is none.
    """

    edges: np.ndarray
    parts: np.ndarray
    rows: np.ndarray

    @property
    def digits(self) -> Digits:
        """Its size."""
        return Digits(self.edges.shape[0], self.edges.shape[1])

    @staticmethod
    def of(edges: np.ndarray, parts: np.ndarray, middle: np.ndarray) -> Grid:
        """Return the grid of some cells over which training rows lie.

        Shape:
            edges: (coarse, fine, 2). parts: (coarse,) int64. middle: (rows,) float64 in normalised space.
        """
        blank = Grid(edges.astype(np.float32), parts, np.zeros(edges.shape[:2], dtype=np.int64))
        np.add.at(blank.rows, tuple(blank.codes(middle).T), 1)
        return blank

    @property
    def usual(self) -> np.ndarray:
        """Return the log share of each cell among those of its first digit, (coarse, fine) float32."""
        rows = np.maximum(self.rows, LEAST_ROWS)
        return np.asarray(np.log(rows / rows.sum(axis=1, keepdims=True)), dtype=np.float32)

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
    table: EncodedTable, gates: list[int | None], entities: np.ndarray, min_entities: int = 5, numbers: str = "auto"
) -> list[Grid | None]:
    """Return the grid of every number of a table that is digits, None for those under the continuous head.

    Args:
        table: training rows.
        gates: of each number, the categorical field that is 0 where it has a meaning, or None.
        entities: (rows,) int64.
        min_entities: entities behind each cell.
        numbers: which are digits, one of ``GRIDS``.
    """
    found: list[Grid | None] = []
    for number, gate in enumerate(gates):
        is_present = np.ones(table.rows, bool) if gate is None else np.asarray(table.categorical[:, gate]) == 0
        interval = np.asarray(table.numerical[:, number], dtype=np.float64)[is_present]
        found.append(GRIDS[numbers](interval, entities[is_present], table.rows, min_entities))
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


def _if_rough(interval: np.ndarray, entities: np.ndarray, rows: int, min_entities: int) -> Grid | None:
    """Return the grid of a number whose values repeat arbitrarily; interval: (rows, 2), entities: (rows,)."""
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
    return _grid(low, high, counts, most, interval.mean(1)) if len(low) <= most or most >= COARSE else None


def _in_any_case(interval: np.ndarray, entities: np.ndarray, rows: int, min_entities: int) -> Grid | None:
    """Return the grid of any number: about equally full cells; None where too few entities have one."""
    if len(np.unique(entities)) < min_entities:
        return None
    turn = np.argsort(interval[:, 0], kind="stable")
    interval, entities = interval[turn], entities[turn]
    value = np.unique(interval[:, 0], return_inverse=True)[1]
    # Equal values share a cell: the one in which the first of them stands.
    first = np.searchsorted(value, value) * min(COARSE * FINE, max(rows // ROWS_A_LEVEL, 1)) // len(value)
    cell = _held(np.unique(first, return_inverse=True)[1], entities, min_entities)
    start = np.flatnonzero(np.diff(cell, prepend=-1))
    low, high = interval[start, 0], np.maximum.reduceat(interval[:, 1], start)
    high = np.minimum(high, np.append(low[1:], np.inf))
    return _grid(low, high, np.bincount(cell), MOST_LEVELS, interval.mean(1))


def _held(cell: np.ndarray, entities: np.ndarray, min_entities: int) -> np.ndarray:
    """Return the cells of sorted rows, (rows,) int64: neighbours become one until each has enough entities."""
    joined, number, owners = np.zeros(cell[-1] + 1, dtype=np.int64), 0, set[int]()
    for one, own in enumerate(np.split(entities, np.flatnonzero(np.diff(cell)) + 1)):
        joined[one] = number
        owners |= set(own.tolist())
        if len(owners) >= min_entities:
            number, owners = number + 1, set()
    return np.minimum(joined, max(number - 1, 0))[cell]


def _grid(low: np.ndarray, high: np.ndarray, counts: np.ndarray, most: int, middle: np.ndarray) -> Grid:
    """Return the grid of cells from ``low`` to ``high``, (cells,) each with its rows: one digit of ``most``, or two.

    Shape:
        middle: (rows,) float64, of all numbers.
    """
    if len(low) <= most:
        return Grid.of(np.stack([low, high], axis=1)[:, None], np.ones(len(low), np.int64), middle)
    return Grid.of(*_two_digits(low, high, counts), middle)


def _two_digits(low: np.ndarray, high: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return edges and parts of about equally full coarse cells; what does not fit into ``FINE`` parts shares one."""
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
    return edges, np.asarray(parts, dtype=np.int64)


GRIDS: Mapping[str, Callable[[np.ndarray, np.ndarray, int, int], Grid | None]] = {
    "auto": _if_rough,
    "levels": _in_any_case,
    "smooth": lambda *_: None,
}
"""``generator.numbers``: of a number's intervals and entities, the rows of its table, and the entities of a cell."""
