"""A residual multilayer perceptron: small, fast, and enough for rows of a few dozen numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.denoiser.siblings import SiblingExchange
from tabgraphsyn.models.denoiser.stem import ContextEmbedding


class ResidualBlock(nn.Module):
    """Normalise, shift and scale by the context, two linear layers, add."""

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Return the block's output, (rows, width)."""
        scale, shift = self.modulate(context).chunk(2, dim=1)
        inner = self.inner(torch.addcmul(shift, self.normalise(hidden), 1 + scale))
        return hidden + self.outer(self.dropout(nn.functional.silu(inner)))


class Mlp(Denoiser):
    """Residual blocks with an exchange between siblings before each.

    Args:
        latent_dim, output_dim, condition_dim: runtime widths.
        width: hidden units.
        layers: residual blocks.
        message_dim: width of one message between siblings; 0 switches the exchange off.
        dropout: share of hidden units dropped in training.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        output_dim: int,
        condition_dim: int,
        width: int = 192,
        layers: int = 3,
        message_dim: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(latent_dim, width)
        self.context = ContextEmbedding(condition_dim=condition_dim, width=width)
        self.blocks = nn.ModuleList(ResidualBlock(width=width, dropout=dropout) for _ in range(layers))
        self.exchanges = nn.ModuleList(
            SiblingExchange(width=width, message_dim=message_dim) for _ in range(layers if message_dim else 0)
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, output_dim))
        nn.init.zeros_(self.head[1].weight)
        nn.init.zeros_(self.head[1].bias)

    def forward(self, scaled: Tensor, noise: Tensor, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output, (rows, output_dim)."""
        context = nn.functional.silu(self.context(noise, condition, siblings))
        hidden = self.stem(scaled) + context
        for number, block in enumerate(self.blocks):
            if self.exchanges and siblings.exchange:
                hidden = hidden + self.exchanges[number](hidden, siblings)
            hidden = block(hidden, context)
        return self.head(hidden)
