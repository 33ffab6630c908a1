"""Whether a record lies near a row: for all rows and all records of a large table, not for a sample of them.

Gower's distance times the number of columns is a sum over columns in which another category, or a number that one row
alone is missing, counts 1. While that sum stays below 1 it is the L1 distance of points whose coordinates are ranks and
codes, with what is missing far away; a k-d tree (Bentley 1975) finds such neighbours exactly, in microseconds each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from tabgraphsyn.evaluation.statistics.distance import TIE, MixedRows
from tabgraphsyn.evaluation.statistics.own import OwnRanks

# Ranks lie in -1 .. 2, codes in -1 and above: a missing number is over 1 away from every other coordinate.
MISSING = 9.0
LEAF_RECORDS = 32
# Neighbours asked for at first: the nearest one may be another where a row does not count itself.
FIRST_ASKED = 4
# Beyond so many a nearer one is not sought for, if one was found.
MOST_ASKED = 64
# Sums below which coordinates tell the distance; a little under 1, because they are sums of floats.
REACH = 0.999


@dataclass(frozen=True)
class NearIndex:
    """Records in a tree, equal ones once.

    Shape:
        lowest, highest: (distinct,) int64: of the entities with such a record.

    Attributes:
        tree: over the distinct records.
        columns: number of columns a distance is the mean over.
    """

    tree: cKDTree
    lowest: np.ndarray
    highest: np.ndarray
    columns: int

    @staticmethod
    def of(records: MixedRows, entities: np.ndarray) -> NearIndex:
        """Return the index of at least one record.

        Shape:
            entities: (records,) int64.
        """
        points = _points(records)
        order = np.lexsort((entities, *points.T))
        ordered = points[order]
        begins = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(1)])
        ends = np.r_[begins[1:], len(order)] - 1
        # A median split would put most time into columns of many equal values.
        tree = cKDTree(ordered[begins], LEAF_RECORDS, balanced_tree=False)
        return NearIndex(tree, entities[order[begins]], entities[order[ends]], records.columns)

    def to_others(
        self,
        rows: MixedRows,
        entities: np.ndarray,
        threads: int = 1,
        own: OwnRanks | None = None,
        seen: MixedRows | None = None,
    ) -> np.ndarray:
        """Return (rows,) float64: the distance to the nearest record of another entity; infinite beyond the reach.

        Args:
            rows: real ones.
            entities: (rows,) int64.
            threads: CPU threads.
            own: to measure in the ranks of others: ranks by the same entities, rows among ``own.placed``; None as they
                are.
            seen: with ``own``, the same rows among ``own.seen``.
        """
        points = _points(rows)
        away = np.full(len(points), np.inf)
        left, wanted = np.arange(len(points)), FIRST_ASKED
        while len(left):
            found, at = self.tree.query(points[left], wanted, p=1, distance_upper_bound=REACH, workers=threads)
            is_found = np.isfinite(found)
            at = np.where(is_found, at, 0)
            mine = entities[left, None]
            is_other = is_found & ((self.lowest[at] != mine) | (self.highest[at] != mine))
            apart = self._apart(points[left], at)
            if own is not None and seen is not None:
                self._among_others(apart, at, entities[left], own, seen.numbers[left])
            apart = apart.sum(2)
            away[left] = np.where(is_other, apart, np.inf).min(1)
            is_last = ~is_found[:, -1] | ((wanted >= MOST_ASKED) & is_other.any(1))
            # Others may stand behind the row's own family, or be nearer without it than those that were found.
            left, wanted = left[~is_last & (found[:, -1] < away[left] + _most(own, entities[left]))], 4 * wanted
        return away / self.columns

    def _apart(self, points: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return (rows, wanted, columns) float64: differences to records."""
        apart: np.ndarray = np.abs(points[:, None] - self.tree.data[at])
        return apart

    def _among_others(
        self, apart: np.ndarray, at: np.ndarray, entities: np.ndarray, own: OwnRanks, seen: np.ndarray
    ) -> None:
        """Put the differences of numbers in the ranks of others in place of those in all ranks."""
        for column, owned in enumerate(own.columns):
            left, right = seen[:, None, column], self.tree.data[at][:, :, column]
            others = np.abs(left - owned.of_others(entities[:, None], right))
            is_there = ~np.isnan(left) & (right != MISSING)
            apart[:, :, column] = np.where(is_there, others, apart[:, :, column])

    def within(self, rows: MixedRows, distance: float, threads: int = 1) -> np.ndarray:
        """Return (rows,) bool: whether a record is at most so far away; ``reaches(distance)`` must hold."""
        bound = (distance + TIE) * self.columns
        found, _ = self.tree.query(_points(rows), 1, p=1, distance_upper_bound=bound, workers=threads)
        return np.isfinite(found)

    def reaches(self, distance: float) -> bool:
        """Return whether the index can tell what lies within a distance."""
        return (distance + TIE) * self.columns < REACH

    def visits(self, rows: MixedRows, distance: float) -> float:
        """Return how many leaves of the tree have room for a record within a distance, on average over some rows."""
        leaves = _leaves(self.tree)
        ordered = self.tree.data[self.tree.indices]
        low, high = (bound.reduceat(ordered, leaves) for bound in (np.minimum, np.maximum))
        bound = (distance + TIE) * self.columns
        counts = [
            (np.maximum(np.maximum(low - point, point - high), 0.0).sum(1) <= bound).sum() for point in _points(rows)
        ]
        return float(np.mean(counts))


def _most(own: OwnRanks | None, entities: np.ndarray) -> np.ndarray:
    """Return (rows,) float64: by how much, at most, a distance is less in the ranks of others."""
    none = np.zeros(len(entities))
    return none if own is None else none + sum(1 - 1 / owned.wider(entities) for owned in own.columns)


def _points(rows: MixedRows) -> np.ndarray:
    numbers = np.where(np.isnan(rows.numbers), MISSING, rows.numbers)
    return np.concatenate([numbers, rows.codes], 1, dtype=np.float64)


def _leaves(tree: cKDTree) -> np.ndarray:
    """Return (leaves,) int64: where the records of each leaf begin among ``tree.indices``, ascending."""
    begins, waiting = [], [tree.tree]
    while waiting:
        node = waiting.pop()
        if node.split_dim < 0:
            begins.append(node.start_idx)
        else:
            waiting += [node.lesser, node.greater]
    return np.array(sorted(begins))
