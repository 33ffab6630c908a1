"""What surrounds the rows of a whole table: facts, and the ways up to clean rows of parents and grandparents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tabgraphsyn.models.absorbing.drafts import Around
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.models.row_conditions import RowConditions


@dataclass(frozen=True)
class Way:
    """A way up from a table to one ancestor.

    Attributes:
        rows: the ancestor table, encoded.
        pointer: (rows of the table,) int64, the ancestor of each row, negative for none.
    """

    rows: EncodedTensors
    pointer: Tensor


@dataclass(frozen=True)
class Surroundings:
    """All that surrounds a table's rows but their siblings.

    Attributes:
        condition: the graph network's vectors and what keys into lookup tables say.
        counts: (rows, relations) float32, log of the number of children.
        ways: up to parents and grandparents.
    """

    condition: RowConditions
    counts: Tensor
    ways: Sequence[Way]

    @property
    def width(self) -> int:
        """Width of the facts."""
        return self.condition.width + self.counts.shape[1]

    def take(
        self, rows: Tensor, rank: Tensor, size: Tensor, generator: torch.Generator, is_told: Tensor | None = None
    ) -> Around:
        """Return what surrounds some rows; numbers of ancestors are drawn within their intervals.

        Args:
            rows: (n,) int64. rank, size: (n,) float32.
            generator: of the draws.
            is_told: (n,) bool, False where a row must do without graph, keys and ancestors; None: all are told.
        """
        facts, keys = self.condition.take(rows), self.condition.level[rows]
        if is_told is not None:
            facts = facts * is_told.to(facts.dtype).unsqueeze(1)
            keys = keys.where(is_told.unsqueeze(1), keys.new_tensor(-1))
        ancestors = []
        for way in self.ways:
            pointer = way.pointer[rows]
            if is_told is not None:
                pointer = pointer.where(is_told, torch.full_like(pointer, -1))
            ancestors.append(_distinct(way.rows, pointer, generator))
        return Around(torch.cat([facts, self.counts[rows]], dim=1), ancestors, rank, size, keys=keys)


def _distinct(table: EncodedTensors, pointer: Tensor, generator: torch.Generator) -> tuple[EncodedBatch, Tensor]:
    distinct, which = pointer.clamp(min=-1).unique(return_inverse=True)
    if len(distinct) and int(distinct[0]) < 0:
        distinct, which = distinct[1:], which - 1
    return table.draw(distinct, generator), which


def to_device(around: Around, device: str) -> Around:
    """Return what surrounds rows on another device."""
    if device == "cpu":
        return around
    ancestors = [(rows.to(device), which.to(device)) for rows, which in around.ancestors]
    clock = None if around.clock is None else around.clock.to(device)
    keys = None if around.keys is None else around.keys.to(device)
    return Around(around.facts.to(device), ancestors, around.rank.to(device), around.size.to(device), clock, keys)
