"""What every denoiser starts from: the noise level, and the condition with the row's place in its family."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.siblings import FEATURES, sibling_features

NOISE_FREQUENCIES = 16


class NoiseEmbedding(nn.Module):
    """The noise level as a vector: Fourier features of c_noise(sigma) through a small network."""

    frequencies: Tensor

    def __init__(self, *, width: int) -> None:
        super().__init__()
        frequencies = torch.pi * 2.0 ** torch.linspace(-2, 3, NOISE_FREQUENCIES)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mix = nn.Sequential(nn.Linear(2 * NOISE_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, noise: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return (rows, width), or (1, width) of the one level of all rows.

        Shape:
            noise: (groups,) or (1,).
        """
        angle = noise.unsqueeze(1) * self.frequencies
        mixed = self.mix(torch.cat([torch.sin(angle), torch.cos(angle)], dim=1))
        return mixed if len(noise) == 1 else mixed[siblings.group]


class ContextEmbedding(nn.Module):
    """Condition and place in the family as one vector, (rows, width)."""

    def __init__(self, *, condition_dim: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(condition_dim + FEATURES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the context of every row."""
        return self.mix(torch.cat([condition, sibling_features(siblings)], dim=1))
