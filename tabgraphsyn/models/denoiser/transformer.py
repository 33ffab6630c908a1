"""A transformer over pieces of a row's latents, with the row's context as a token of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.denoiser.siblings import SiblingExchange
from tabgraphsyn.models.denoiser.stem import ContextEmbedding, NoiseEmbedding
from tabgraphsyn.ranges import Layers, ShareBelowOne, Width, WidthOrNone


class Transformer(Denoiser):
    """Attention between pieces of one row; siblings exchange messages through the context token.

    Args:
        latent_dim, output_dim, condition_dim: runtime widths.
        width: width of a token.
        layers: transformer layers.
        heads: attention heads; must divide ``width``.
        piece: numbers of the latent in one token.
        message_dim: width of one message between siblings; 0 switches the exchange off.
        dropout: of attention and hidden units, in training.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        output_dim: int,
        condition_dim: int,
        width: Width = 64,
        layers: Layers = 3,
        heads: Layers = 4,
        piece: Width = 8,
        message_dim: WidthOrNone = 32,
        dropout: ShareBelowOne = 0.0,
    ) -> None:
        super().__init__()
        self.piece = piece
        self.pieces = -(-latent_dim // piece)
        self.read = nn.Parameter(torch.randn(self.pieces, piece, width) / piece**0.5)
        self.place = nn.Parameter(0.02 * torch.randn(self.pieces, width))
        self.noise = NoiseEmbedding(width=width)
        self.embedding = ContextEmbedding(condition_dim=condition_dim, width=width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                d_model=width,
                nhead=heads,
                dim_feedforward=2 * width,
                dropout=dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(layers)
        )
        self.exchanges = nn.ModuleList(
            SiblingExchange(width=width, message_dim=message_dim) for _ in range(layers if message_dim else 0)
        )
        self.head = nn.Linear((self.pieces + 1) * width, output_dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def context(self, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the embedded condition, (rows, width)."""
        return self.embedding(condition, siblings)

    def forward(self, scaled: Tensor, noise: Tensor, context: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output, (rows, output_dim)."""
        padded = nn.functional.pad(scaled, (0, self.pieces * self.piece - scaled.shape[1]))
        tokens = torch.einsum("rpi,piw->rpw", padded.unflatten(1, (self.pieces, self.piece)), self.read) + self.place
        context = context + self.noise(noise, siblings)
        tokens = torch.cat([context.unsqueeze(1), tokens + context.unsqueeze(1)], dim=1)
        for number, layer in enumerate(self.layers):
            if self.exchanges and siblings.exchange:
                heard = self.exchanges[number](tokens.mean(dim=1), siblings)
                tokens = torch.cat([tokens[:, :1] + heard.unsqueeze(1), tokens[:, 1:]], dim=1)
            tokens = layer(tokens)
        return self.head(tokens.flatten(1))
