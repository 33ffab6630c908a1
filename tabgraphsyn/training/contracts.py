"""What the training loop asks of what it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn


class TrainingTask(Protocol):
    """What is trained: a network, a loss per step, and a validation loss."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def loss(self, step: int, generator: torch.Generator) -> Mapping[str, Tensor]:
        """Return scalar losses of step ``step`` (from 0); ``loss`` is minimised, the others are recorded.

        ``generator`` is a CPU generator, seeded by the step alone: all randomness comes from it or, for layers such
        as dropout, from torch's global generators, which are seeded by the step too. CPU draws that are moved to the
        device make a CPU and a GPU train on the same numbers.
        """

    def rows_in_step(self, step: int) -> int:
        """Return how many rows step ``step`` consumes."""

    def validation_loss(self) -> float | None:
        """Return the loss on held-out rows with fixed noise, None where there are no such rows.

        Called in eval mode, without gradients, with the averaged weights in place.
        """
