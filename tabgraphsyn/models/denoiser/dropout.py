"""Dropout from one random byte a unit: on a CPU torch's own costs more than the linear layer before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 256
INT64 = torch.iinfo(torch.int64)


class Dropout(nn.Module):
    """Zero a share of the units in training and scale the rest, so that the mean stays.

    Args:
        share: of the units, rounded to a multiple of 1/256.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(share * LEVELS)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (rows, width); the units themselves outside training."""
        if not self.training or not self.dropped:
            return hidden
        kept = (_random_bytes(hidden) >= self.dropped).to(hidden.dtype)
        return hidden * kept.mul_(LEVELS / (LEVELS - self.dropped))


def _random_bytes(like: Tensor) -> Tensor:
    """Return uint8 of the shape of ``like``, from torch's global random state; eight bytes are one draw."""
    words = torch.randint(INT64.min, INT64.max, (-(-like.numel() // 8),), device=like.device)
    return words.view(torch.uint8)[: like.numel()].view(like.shape)
