"""Rows in the making, and what the network is told beside their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tabgraphsyn.models.absorbing.around.pace import Clock
from tabgraphsyn.models.batch import EncodedBatch


@dataclass(frozen=True)
class Around:
    """What surrounds some rows.

    Shape:
        facts: (rows, facts) float32: the graph network's vector, what keys say, numbers of children.
        ancestors: for each way up, the clean rows of the distinct ancestors, and (rows,) int64 into them, -1 for none.
        rank, size: (rows,) float32, place in the family and its size.
        keys: (rows, relations) int64, what keys into lookup tables say by levels, -1 for nothing; None for no such key.
        clock: of the siblings before, where times climb from sibling to sibling.
    """

    facts: Tensor
    ancestors: Sequence[tuple[EncodedBatch, Tensor]]
    rank: Tensor
    size: Tensor
    clock: Clock | None = None
    keys: Tensor | None = None

    def part(self, rows: slice) -> Around:
        """Return what surrounds some of the rows."""
        ancestors = [(clean, which[rows]) for clean, which in self.ancestors]
        clock = None if self.clock is None else self.clock.part(rows)
        keys = None if self.keys is None else self.keys[rows]
        return Around(self.facts[rows], ancestors, self.rank[rows], self.size[rows], clock, keys)


@dataclass(frozen=True)
class Context:
    """What surrounds some rows, as the network sees it.

    Shape:
        vector: (rows, width). said: (rows, fields) int64, levels that keys and ancestors say, -1 for nothing: those of
            ``Affinities``.
    """

    vector: Tensor
    said: Tensor

    def __len__(self) -> int:
        return len(self.vector)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.vector.device

    def take(self, rows: Tensor) -> Context:
        """Return the context of some rows, (n,) int64."""
        return Context(self.vector[rows], self.said[rows])

    def moved(self, by: Tensor) -> Context:
        """Return it with what else is said to the network, (rows, width)."""
        return replace(self, vector=self.vector + by)


@dataclass(frozen=True)
class Before:
    """What came before some rows among their siblings.

    Shape:
        history: (rows, told), see ``around/history.py``. numbers: (rows, 2 * n_num), see ``AbsorbingNetwork.before``.
    """

    history: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class Draft:
    """Rows in the making.

    Shape:
        codes: (rows, tokens) int64. numbers: (rows, n_num) float32, normalised.
        is_present: (rows, n_num) bool, a number has a meaning. is_known: (rows, units) bool.
    """

    codes: Tensor
    numbers: Tensor
    is_present: Tensor
    is_known: Tensor
