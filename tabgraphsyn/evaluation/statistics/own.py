"""Ranks as a row of another entity would find them: without the rows of one's own.

Ranks count a row itself, and the rows that come and go with it. A product sold twelve times takes twelve ranks at its
price, and stands in their middle: six lie between it and its neighbours that no new product finds there. Rows that are
held against others as if their entity had been held out are therefore measured in the ranks of the others alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.statistics.distance import MixedRows, mid_ranks, scaled_rows
from tabgraphsyn.evaluation.statistics.feature import Feature

# Ranks of real rows lie in 0 .. 1: so far apart, those of two entities never meet. Sums of both are exact.
APART = 8.0


@dataclass(frozen=True)
class _Owned:
    """A column of numbers, entity by entity.

    Shape:
        keys: (known,) float64 ascending, entity and rank in one. starts: (entities + 1,) int64, where each begins.
    """

    keys: np.ndarray
    starts: np.ndarray

    @staticmethod
    def of(ranks: np.ndarray, number: np.ndarray) -> _Owned:
        there = ~np.isnan(ranks)
        keys = np.sort(APART * number[there] + ranks[there])
        return _Owned(keys, np.searchsorted(keys, APART * np.arange(number.max(initial=-1) + 2) - APART / 2))

    def ranks(self, entity: int) -> np.ndarray:
        """Return (own,) float32: the ranks of an entity's rows, ascending."""
        start, end = self.starts[entity : entity + 2]
        return (self.keys[start:end] - APART * entity).astype(np.float32)

    def wider(self, entity: np.ndarray | int) -> np.ndarray:
        """Return (entities,) float64: all known rows over those of others, by which ranks of others are wider."""
        own = self.starts[np.asarray(entity) + 1] - self.starts[entity]
        return max(len(self.keys), 1) / np.maximum(len(self.keys) - own, 1)

    def of_others(self, entity: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Return (...,) float64: ranks of real values among the rows of others; both (...,), broadcast together."""
        at = APART * entity + ranks.astype(np.float64)
        both = np.searchsorted(self.keys, at, "left") + np.searchsorted(self.keys, at, "right")
        below = (both / 2 - self.starts[entity]) / max(len(self.keys), 1)
        return (ranks - below) * self.wider(entity)


@dataclass(frozen=True)
class OwnRanks:
    """The real rows as others find them.

    Attributes:
        columns: of numbers.
        placed: the rows in all ranks, values that no other entity has between those that others have.
        seen: the same in the ranks of others alone.

    Shape:
        rows_of: (entities,) int64.
    """

    columns: tuple[_Owned, ...]
    placed: MixedRows
    seen: MixedRows
    rows_of: np.ndarray

    @staticmethod
    def of(reference: Sequence[Feature], number: np.ndarray) -> OwnRanks:
        """Return the ranks of all real rows; ``number`` (rows,) int64 are their entities, from 0 without gaps."""
        real = scaled_rows(reference, reference)
        columns = tuple(_Owned.of(ranks, number) for ranks in real.numbers.T)
        numbers = [one.values for one in reference if one.kind != "categorical"]
        placed, seen = np.empty_like(real.numbers), np.empty_like(real.numbers)
        for column, (owned, values) in enumerate(zip(columns, numbers, strict=True)):
            placed[:, column], seen[:, column] = _as_new(owned, values, number)
        rows_of = np.bincount(number)
        return OwnRanks(columns, MixedRows(placed, real.codes), MixedRows(seen, real.codes), rows_of)

    @property
    def half(self) -> np.ndarray:
        """Return (n_num,) float32: half a rank, which a row by itself takes among those of others."""
        return np.array([0.5 / max(len(one.keys) - 1, 1) for one in self.columns], np.float32)

    def lone(self, rows: MixedRows) -> MixedRows:
        """Return records on the scale of the ranks of all others than one row; no ``half`` is taken off yet."""
        wider = [max(len(one.keys), 1) / max(len(one.keys) - 1, 1) for one in self.columns]
        return MixedRows(rows.numbers * np.array(wider, np.float32), rows.codes)


def _as_new(owned: _Owned, values: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where values stand in all ranks and in those of others, were they new; (rows,) float64, NaN for none."""
    there = np.flatnonzero(~np.isnan(values))
    placed = np.full(len(values), np.nan)
    seen = placed.copy()
    if len(there) == 0:
        return placed, seen
    distinct, ranks = mid_ranks(np.sort(values[there]))
    ranks, at, mine = ranks.astype(np.float32), np.searchsorted(distinct, values[there]), number[there]
    placed[there], seen[there] = ranks[at], owned.of_others(mine, ranks[at])
    below, above, owner = _held_by_others(at, mine, len(distinct))
    alone = owner[at] == mine
    rows, at, mine = there[alone], at[alone], mine[alone]
    low, high = below[at], above[at]
    has_low, has_high = low >= 0, high < len(distinct)
    low, high = np.where(has_low, low, high) % len(distinct), np.where(has_high, high, low) % len(distinct)
    width, value = distinct[high] - distinct[low], values[rows]
    share = np.where(width > 0, (value - distinct[low]) / np.where(width > 0, width, 1), 0.0)
    range_of = max(float(distinct[-1] - distinct[0]), np.finfo(float).tiny)
    beyond = np.where(has_low & has_high, 0.0, np.clip((value - distinct[low]) / range_of, -1, 1))
    for found, ends in (
        (placed, (ranks[low], ranks[high])),
        (seen, (owned.of_others(mine, ranks[low]), owned.of_others(mine, ranks[high]))),
    ):
        found[rows] = ends[0] + share * (ends[1] - ends[0]) + beyond
    return placed, seen


def _held_by_others(at: np.ndarray, number: np.ndarray, distinct: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per distinct value the nearest below and above with another holder, and its only holder, -1 for several.

    Shape:
        at, number: (rows,) int64. Returned: (distinct,) int64 each; -1 and ``distinct`` where there is none.
    """
    lowest, highest = np.full(distinct, number.max()), np.zeros(distinct, np.int64)
    np.minimum.at(lowest, at, number)
    np.maximum.at(highest, at, number)
    owner = np.where(lowest == highest, lowest, -1)
    begins = np.r_[True, (owner[1:] != owner[:-1]) | (owner[1:] < 0)]
    first = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    return first[run] - 1, np.r_[first[1:], distinct][run], owner


@dataclass(frozen=True)
class Ordered:
    """Records with their order in every column of numbers, so that an entity's rows are counted below all at once.

    Shape:
        order: (n_num, records) int64. ascending: (n_num, records) float32.
    """

    rows: MixedRows
    order: np.ndarray
    ascending: np.ndarray

    @staticmethod
    def of(rows: MixedRows) -> Ordered:
        """Return the records with their order."""
        order = np.argsort(rows.numbers.T, axis=1)
        return Ordered(rows, order, np.take_along_axis(rows.numbers.T, order, 1))

    def seen_by(self, own: OwnRanks, entity: int) -> MixedRows:
        """Return the records in the ranks of the rows of other entities."""
        numbers = self.rows.numbers.copy()
        for column, owned in enumerate(own.columns):
            order, mine = self.order[column], owned.ranks(entity)
            ends = np.concatenate([np.searchsorted(self.ascending[column], mine, side) for side in ("left", "right")])
            below = np.cumsum(np.bincount(ends, minlength=len(order) + 1)[:-1]) / 2
            numbers[order, column] -= (below / max(len(owned.keys), 1)).astype(np.float32)
            numbers[:, column] *= np.float32(owned.wider(entity))
        return MixedRows(numbers, self.rows.codes)
