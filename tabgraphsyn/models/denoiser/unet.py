"""A tabular U-Net: narrowing and widening linear layers with connections across."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.denoiser.siblings import SiblingExchange
from tabgraphsyn.models.denoiser.stem import ContextEmbedding, NoiseEmbedding
from tabgraphsyn.ranges import LayersOrNone, Width, WidthOrNone


class Level(nn.Module):
    """One linear layer to another width, shifted by the context and normalised."""

    def __init__(self, *, width_in: int, width_out: int, context_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, width_out)
        self.shift = nn.Linear(context_dim, width_out)
        self.normalise = nn.LayerNorm(width_out)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Return (rows, width_out)."""
        return nn.functional.silu(self.normalise(self.linear(hidden) + self.shift(context)))


class Unet(Denoiser):
    """Halves the width ``depth`` times and doubles it back, with a connection at each width.

    Args:
        latent_dim, output_dim, condition_dim: runtime widths.
        width: hidden units at the top.
        depth: number of halvings.
        message_dim: width of one message between siblings at the top; 0 switches the exchange off.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        output_dim: int,
        condition_dim: int,
        width: Width = 256,
        depth: LayersOrNone = 2,
        message_dim: WidthOrNone = 32,
    ) -> None:
        super().__init__()
        widths = [width // 2**level for level in range(depth + 1)]
        self.noise = NoiseEmbedding(width=width)
        self.embedding = ContextEmbedding(condition_dim=condition_dim, width=width)
        self.stem = Level(width_in=latent_dim, width_out=width, context_dim=width)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(Level(width_in=high, width_out=low, context_dim=width) for high, low in pairs)
        self.up = nn.ModuleList(
            Level(width_in=low + high, width_out=high, context_dim=width) for high, low in reversed(pairs)
        )
        self.exchange = SiblingExchange(width=width, message_dim=message_dim) if message_dim else None
        self.exchange_back = SiblingExchange(width=width, message_dim=message_dim) if message_dim else None
        self.head = nn.Linear(2 * width, output_dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def context(self, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the embedded condition, (rows, width)."""
        return self.embedding(condition, siblings)

    def forward(self, scaled: Tensor, noise: Tensor, context: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output, (rows, output_dim)."""
        context = nn.functional.silu(context + self.noise(noise, siblings))
        top = self._exchanged(self.exchange, self.stem(scaled, context), siblings)
        kept, hidden = [], top
        for level in self.down:
            kept.append(hidden)
            hidden = level(hidden, context)
        for level in self.up:
            hidden = level(torch.cat([hidden, kept.pop()], dim=1), context)
        hidden = self._exchanged(self.exchange_back, hidden, siblings)
        return self.head(torch.cat([hidden, top], dim=1))

    @staticmethod
    def _exchanged(exchange: SiblingExchange | None, hidden: Tensor, siblings: SiblingGroups) -> Tensor:
        if exchange is None or not siblings.exchange:
            return hidden
        return hidden + exchange(hidden, siblings)
