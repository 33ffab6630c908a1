"""What every denoiser starts from: latents, condition, noise level and place in the family, in one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.siblings import FEATURES, sibling_features

NOISE_FREQUENCIES = 16


class NoiseEmbedding(nn.Module):
    """Fourier features of c_noise(sigma), (rows, 2 * NOISE_FREQUENCIES)."""

    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(
            "frequencies", torch.pi * 2.0 ** torch.linspace(-2, 3, NOISE_FREQUENCIES), persistent=False
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Return sines and cosines.

        Shape:
            noise: (rows,).
        """
        angle = noise.unsqueeze(1) * self.frequencies
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)


class ContextEmbedding(nn.Module):
    """Condition, noise level and place in the family as one vector, (rows, width)."""

    def __init__(self, *, condition_dim: int, width: int) -> None:
        super().__init__()
        self.noise = NoiseEmbedding()
        self.mix = nn.Sequential(
            nn.Linear(condition_dim + 2 * NOISE_FREQUENCIES + FEATURES, width),
            nn.SiLU(),
            nn.Linear(width, width),
        )

    def forward(self, noise: Tensor, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the context of every row."""
        parts = [condition, self.noise(noise), sibling_features(siblings)]
        return self.mix(torch.cat(parts, dim=1))
