"""Families of siblings: which rows are denoised together, and batches of whole families."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from tabgraphsyn.data.pointers import concatenated_ranges
from tabgraphsyn.models.batch import SiblingGroups


@dataclass(frozen=True)
class Families:
    """Rows sorted by family, and the windows that large families are cut into.

    A family is all rows under one parent of the driver relation, in row order. Rows without a parent are
    families of one.

    Shape:
        order: (rows,) int64, row numbers sorted by family, siblings in row order.
        rank: (rows,) float32 and size: (rows,) float32, aligned with ``order``: place in and size of the family.
        window_start: (windows,) int64, first place of each window in ``order``; window_rows: (windows,) int64.
    """

    order: np.ndarray
    rank: np.ndarray
    size: np.ndarray
    window_start: np.ndarray
    window_rows: np.ndarray
    exchange: bool

    @staticmethod
    def from_pointer(parent_row: np.ndarray | None, rows: int, window_limit: int = 256) -> Families:
        """Return the families under a driver pointer.

        Args:
            parent_row: (rows,) int64, negative where the row has no parent; None where the table has no driver.
            rows: number of rows.
            window_limit: largest number of siblings that are denoised together; larger families are cut evenly.
        """
        exchange = parent_row is not None
        if parent_row is None:
            parent_row = np.full(rows, -1, dtype=np.int64)
        if parent_row.shape != (rows,):
            raise ValueError(f"parent_row: shape ({rows},) expected, found {parent_row.shape}")
        alone = parent_row < 0
        family = np.where(alone, np.arange(rows) + parent_row.max(initial=-1) + 1, parent_row)
        order = np.argsort(family, kind="stable")
        ordered = family[order]
        is_first = np.ones(rows, dtype=bool)
        is_first[1:] = ordered[1:] != ordered[:-1]
        start = np.flatnonzero(is_first)
        length = np.diff(np.append(start, rows))
        pieces = -(-length // window_limit)
        piece = concatenated_ranges(np.zeros_like(pieces), pieces)
        first, whole, cuts = (np.repeat(values, pieces) for values in (start, length, pieces))
        low, high = piece * whole // cuts, (piece + 1) * whole // cuts
        return Families(
            order=order,
            rank=(np.arange(rows) - np.repeat(start, length)).astype(np.float32),
            size=np.repeat(length, length).astype(np.float32),
            window_start=first + low,
            window_rows=high - low,
            exchange=exchange,
        )

    @property
    def windows(self) -> int:
        """Number of windows."""
        return len(self.window_start)

    @property
    def rows(self) -> int:
        """Number of rows in all families."""
        return len(self.order)

    def batch(self, windows: np.ndarray) -> tuple[torch.Tensor, SiblingGroups]:
        """Return the row numbers of some windows and their sibling groups.

        Shape:
            windows: (count,) int64.
        """
        lengths = self.window_rows[windows]
        place = concatenated_ranges(self.window_start[windows], lengths)
        siblings = SiblingGroups(
            group=torch.from_numpy(np.repeat(np.arange(len(windows)), lengths)),
            rank=torch.from_numpy(self.rank[place]),
            size=torch.from_numpy(self.size[place]),
            count=len(windows),
            exchange=self.exchange,
        )
        return torch.from_numpy(self.order[place]), siblings


@dataclass(frozen=True, eq=False)
class FamilyBatches:
    """An endless, random-access sequence of batches of whole windows: batch ``i`` depends on ``seed`` and ``i`` only.

    Every window is seen once per epoch; a batch holds about ``batch_rows`` rows (at least one window).
    """

    families: Families
    windows: np.ndarray
    batch_rows: int
    seed: int

    @cached_property
    def batches_per_epoch(self) -> int:
        """Number of batches in which every window is seen once."""
        return max(1, round(self._rows / self.batch_rows))

    @cached_property
    def _rows(self) -> int:
        return int(self.families.window_rows[self.windows].sum())

    @cached_property
    def _cuts(self) -> np.ndarray:
        return np.linspace(0, self._rows, self.batches_per_epoch + 1)

    @lru_cache(maxsize=1)  # noqa: B019 - a step asks for its batch several times
    def windows_at(self, step: int) -> np.ndarray:
        """Return the windows of batch ``step``, (windows,) int64."""
        epoch, place = divmod(step, self.batches_per_epoch)
        shuffled, ends = self._epoch(epoch)
        if self.batches_per_epoch == 1:
            return self._repeated(shuffled)
        first, last = np.searchsorted(ends, self._cuts[place : place + 2], side="left")
        if place == self.batches_per_epoch - 1:
            last = len(shuffled)
        return shuffled[first : max(last, first + 1)]

    @lru_cache(maxsize=2)  # noqa: B019 - bounded, and a batch sequence lives as long as its training
    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        shuffled = np.random.default_rng([self.seed, epoch]).permutation(self.windows)
        return shuffled, np.cumsum(self.families.window_rows[shuffled])

    def _repeated(self, shuffled: np.ndarray) -> np.ndarray:
        """Small tables: fill a batch by seeing every window several times, each time with its own noise."""
        return np.tile(shuffled, max(1, self.batch_rows // max(self._rows, 1)))
