"""The exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """Average of weights over steps; without a decay it is the weights themselves.

    The decay rises with the steps, ``min(decay, (1 + step) / (10 + step))``, so that short runs are not held back by
    their random start.
    """

    def __init__(self, weights: list[Tensor], decay: float | None) -> None:
        self._weights = [weight.detach() for weight in weights]
        self._decay = decay
        self.values = self._weights if decay is None else [weight.clone() for weight in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step ``step`` (counted from 0)."""
        if self._decay is not None and self.values:
            decay = min(self._decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.values, self._weights, 1 - decay)

    @torch.no_grad()
    def put_in_place(self) -> None:
        """Overwrite the weights with their average."""
        self.overwrite_weights(self.values)

    @torch.no_grad()
    def overwrite_weights(self, values: list[Tensor]) -> None:
        """Overwrite the weights with ``values``; the addresses stay, as compiled code expects of the same shape."""
        if self._weights and values is not self._weights:
            torch._foreach_copy_(self._weights, values)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Hold the average in the network for the length of a block."""
        if self._decay is None:
            yield
            return
        kept = [weight.clone() for weight in self._weights]
        self.put_in_place()
        try:
            yield
        finally:
            self.overwrite_weights(kept)
