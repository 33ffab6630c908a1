"""A residual multilayer perceptron: small, fast, and enough for rows of a few dozen numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.denoiser.dropout import Dropout
from tabgraphsyn.models.denoiser.siblings import SiblingExchange
from tabgraphsyn.models.denoiser.stem import ContextEmbedding, NoiseEmbedding
from tabgraphsyn.ranges import Layers, LayersOrNone, ShareBelowOne, Width, WidthOrNone

Weights = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


class ResidualBlock(nn.Module):
    """Normalise, two linear layers, add."""

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the block's output, (rows, width)."""
        return residual(hidden, self.weights(), self.dropout)

    def weights(self) -> Weights:
        """Return what ``residual`` needs, in its order, without a look at modules for each of it; (width, ...) each."""
        norm, inner, outer = self.normalise, self.inner, self.outer
        return norm.weight, norm.bias, inner.weight, inner.bias, outer.weight, outer.bias


def residual(hidden: Tensor, weights: Weights, dropout: Dropout | None = None) -> Tensor:
    """Return the output of a block, (rows, width): functions, for calls of modules cost what few rows do.

    Args:
        hidden: (rows, width).
        weights: of the block.
        dropout: of the inner units, None for none.
    """
    scale, shift, inner, inner_bias, outer, outer_bias = weights
    scaled = torch.layer_norm(hidden, scale.shape, scale, shift)
    within = functional.silu(functional.linear(scaled, inner, inner_bias))
    if dropout is not None:
        within = dropout(within)
    return hidden + functional.linear(within, outer, outer_bias)


class Mlp(Denoiser):
    """Residual blocks; siblings exchange messages before the first ones.

    Noise level and condition are added once, at the start: modulating every block costs as much as the blocks
    for a gain within the noise of one seed (docs/log.md).

    Args:
        latent_dim, output_dim, condition_dim: runtime widths.
        width: hidden units.
        layers: residual blocks.
        exchanges: rounds of messages between siblings, at most ``layers``; 0 switches them off.
        message_dim: width of one message between siblings.
        dropout: share of hidden units dropped in training.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        output_dim: int,
        condition_dim: int,
        width: Width = 224,
        layers: Layers = 3,
        exchanges: LayersOrNone = 2,
        message_dim: WidthOrNone = 32,
        dropout: ShareBelowOne = 0.1,
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(latent_dim, width)
        self.noise = NoiseEmbedding(width=width)
        self.embedding = ContextEmbedding(condition_dim=condition_dim, width=width)
        self.blocks = nn.ModuleList(ResidualBlock(width=width, dropout=dropout) for _ in range(layers))
        self.exchanges = nn.ModuleList(
            SiblingExchange(width=width, message_dim=message_dim) for _ in range(min(exchanges, layers))
        )
        self.normalise = nn.LayerNorm(width)
        self.head = nn.Linear(width, output_dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def context(self, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the embedded condition, (rows, width)."""
        return self.embedding(condition, siblings)

    def forward(self, scaled: Tensor, noise: Tensor, context: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output, (rows, output_dim)."""
        hidden = self.stem(scaled) + context + self.noise(noise, siblings)
        for number, block in enumerate(self.blocks):
            if siblings.exchange and number < len(self.exchanges):
                hidden = hidden + self.exchanges[number](hidden, siblings)
            hidden = block(hidden)
        return self.head(nn.functional.silu(self.normalise(hidden)))
