"""Tensors of a batch of encoded rows, and of the siblings in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tabgraphsyn.data.layout import EncodedTable


@dataclass(frozen=True)
class EncodedBatch:
    """Encoded rows after the draw inside their intervals.

    Shape:
        numerical: (rows, n_num) float32.
        categorical: (rows, n_cat) int64.
    """

    numerical: Tensor
    categorical: Tensor

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.numerical.shape[0]

    def part(self, rows: slice) -> EncodedBatch:
        """Return some consecutive rows."""
        return EncodedBatch(self.numerical[rows], self.categorical[rows])

    def wide(self, numbers: int, levels: int) -> EncodedBatch:
        """Return the rows with so many fields, zeros in those that they lack."""
        more = numbers - self.numerical.shape[1], levels - self.categorical.shape[1]
        return EncodedBatch(
            *(F.pad(own, (0, n)) for own, n in zip((self.numerical, self.categorical), more, strict=True))
        )

    def to(self, device: str | torch.device) -> EncodedBatch:
        """Return the rows on another device."""
        return EncodedBatch(self.numerical.to(device), self.categorical.to(device))


@dataclass(frozen=True)
class EncodedTensors:
    """A whole encoded table as tensors (possibly memory-mapped).

    Shape:
        numerical: (rows, n_num, 2) float32, the interval a value is drawn from.
        categorical: (rows, n_cat) int32, or narrower.
    """

    numerical: Tensor
    categorical: Tensor

    @staticmethod
    def from_encoded(table: EncodedTable) -> EncodedTensors:
        """Wrap numpy arrays without copying them."""
        return EncodedTensors(torch.from_numpy(table.numerical), torch.from_numpy(table.categorical))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.numerical.shape[0]

    def beside(self, other: EncodedTensors) -> EncodedTensors:
        """Return the rows with the fields of others, (rows,), after their own."""
        numerical = torch.cat([self.numerical, other.numerical], dim=1)
        return EncodedTensors(
            numerical, torch.cat([self.categorical, other.categorical.to(self.categorical.dtype)], dim=1)
        )

    def fields(self, numbers: slice, levels: slice) -> EncodedTensors:
        """Return the rows with some of their fields."""
        return EncodedTensors(self.numerical[:, numbers], self.categorical[:, levels])

    def draw(self, rows: Tensor, generator: torch.Generator) -> EncodedBatch:
        """Return the given rows with each number drawn uniformly inside its interval.

        Shape:
            rows: (batch,) int64.
        """
        interval = self.numerical.index_select(0, rows)
        low, high = interval[..., 0], interval[..., 1]
        share = torch.rand(low.shape, generator=generator)
        return EncodedBatch(low + share * (high - low), self.categorical.index_select(0, rows).long())

    def middle(self, rows: Tensor | slice | None = None) -> EncodedBatch:
        """Return rows (all when None) with each number in the middle of its interval; rows are (batch,) int64."""
        interval = self.numerical if rows is None else self.numerical[rows]
        categorical = self.categorical if rows is None else self.categorical[rows]
        return EncodedBatch(interval.mean(dim=-1), categorical.long())


@dataclass(frozen=True)
class SiblingGroups:
    """Which rows of a batch are denoised together.

    Rows of one group are contiguous and in sibling order. A table without a driver relation has one row a group.

    Shape:
        group: (rows,) int64, number of the row's group in this batch, ascending.
        rank: (rows,) float32, the row's place among its siblings, from 0.
        size: (rows,) float32, number of siblings, the row itself included (of the whole family, also where a large
            family is cut into several groups).

    Attributes:
        count: number of groups.
        exchange: False for a table without a driver relation: no row of it ever has a sibling, in any batch.
    """

    group: Tensor
    rank: Tensor
    size: Tensor
    count: int
    exchange: bool

    @staticmethod
    def singletons(rows: int) -> SiblingGroups:
        """Return groups of one row each."""
        return SiblingGroups(torch.arange(rows), torch.zeros(rows), torch.ones(rows), rows, exchange=False)

    def part(self, groups: slice, rows: slice) -> SiblingGroups:
        """Return some consecutive groups, which hold ``rows``, numbered anew."""
        return SiblingGroups(
            group=self.group[rows] - groups.start,
            rank=self.rank[rows],
            size=self.size[rows],
            count=groups.stop - groups.start,
            exchange=self.exchange,
        )

    def to(self, device: str | torch.device) -> SiblingGroups:
        """Return the groups on another device."""
        return SiblingGroups(
            group=self.group.to(device),
            rank=self.rank.to(device),
            size=self.size.to(device),
            count=self.count,
            exchange=self.exchange,
        )


def is_present(batch: EncodedBatch, gates: Tensor) -> Tensor:
    """Return 1.0 where a number is meaningful, (rows, n_num).

    Shape:
        gates: (n_num,) int64, the category whose level 0 says that the number is there; negative where it always is.
    """
    if not batch.categorical.shape[1]:
        return torch.ones_like(batch.numerical)
    open_gate = batch.categorical[:, gates.clamp(min=0)] == 0
    return (open_gate | (gates < 0)).to(batch.numerical.dtype)
