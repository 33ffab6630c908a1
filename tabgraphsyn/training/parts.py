"""Parts of a step's batch: what one of several ranks, or one of several micro-batches, computes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """The stretch from ``number / count`` to ``(number + 1) / count`` of a batch.

    A part of a part is a part: cuts are equal fractions of the rows wherever they come from, so ranks that split their
    parts differently still share out every row once.
    """

    number: int = 0
    count: int = 1

    def rows(self, rows: int) -> slice:
        """Return the rows of the part, of a batch whose rows stand alone.

        >>> [Part(number, 3).rows(7) for number in range(3)]
        [slice(0, 3, None), slice(3, 5, None), slice(5, 7, None)]
        """
        return slice(self._cut(rows, self.number), self._cut(rows, self.number + 1))

    def groups(self, sizes: np.ndarray) -> tuple[slice, slice]:
        """Return the groups of the part, and their rows: a group is in the part that its first row is in.

        Shape:
            sizes: (groups,) int64, rows of consecutive groups that must not be cut.

        >>> Part(0, 2).groups(np.array([3, 3, 1])), Part(1, 2).groups(np.array([3, 3, 1]))
        ((slice(0, 2, None), slice(0, 6, None)), (slice(2, 3, None), slice(6, 7, None)))
        """
        ends = np.concatenate([[0], np.cumsum(sizes)])
        cuts = [self._cut(int(ends[-1]), number) for number in (self.number, self.number + 1)]
        first, last = (int(place) for place in np.searchsorted(ends[:-1], cuts))
        return slice(first, last), slice(int(ends[first]), int(ends[last]))

    def split(self, pieces: int) -> Iterator[Part]:
        """Yield the part in ``pieces`` equal ones."""
        for piece in range(pieces):
            yield Part(self.number * pieces + piece, self.count * pieces)

    def _cut(self, rows: int, number: int) -> int:
        # Rounded up: the first part of a batch is never empty.
        return -(-rows * number // self.count)


WHOLE = Part()


class PartedTask(ABC):
    """A task whose steps can be computed in parts: by several ranks, or one after the other where memory is short."""

    @abstractmethod
    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> Mapping[str, Tensor]:
        """Return the part's share of the losses of a step; over all parts they add up to what ``loss`` returns.

        ``generator`` is seeded as for ``loss`` and everything is drawn as there, for the whole batch: the parts of a
        step see the same numbers as the whole. Names are the same in every step. A part without rows returns nothing.
        """

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Adapt what depends on the losses of a whole step, once they are known; no gradients reach here.

        Shape:
            they are scalar.
        """
        del losses
