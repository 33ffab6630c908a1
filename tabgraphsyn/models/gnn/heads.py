"""What a condition is asked for in training: the distribution of a row's latents, and those of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VARIANCE_FLOOR = 0.01


class PredictionHead(nn.Module):
    """Mean and variance of every latent dimension, from the condition.

    The loss is the Gaussian likelihood weighted by the square root of the predicted variance (beta-NLL with beta 0.5,
    Seitzer et al. 2022, arXiv 2203.09168): dimensions that are hard to predict keep their part of the gradient, and
    those that are nearly constant (codes of rare categories) do not swallow it.
    """

    def __init__(self, *, condition_dim: int, latent_dim: int, hidden_dim: int = 128) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.hidden = nn.Linear(condition_dim, hidden_dim)
        self.mean = nn.Linear(hidden_dim, max(latent_dim, 1))
        self.variance = nn.Linear(hidden_dim, max(latent_dim, 1))

    def forward(self, condition: Tensor, latents: Tensor) -> Tensor:
        """Return the scalar loss, 0 for a table without latents or a batch without rows.

        Shape:
            condition: (rows, condition_dim). latents: (rows, latent_dim).
        """
        if not latents.numel():
            return condition.sum() * 0.0
        hidden = F.gelu(self.hidden(condition))
        variance = VARIANCE_FLOOR + F.softplus(self.variance(hidden))
        error = (latents - self.mean(hidden)).square()
        likelihood = 0.5 * (variance.log() + error / variance)
        return (likelihood * variance.detach().sqrt()).mean()


class NeighbourHead(nn.Module):
    """Mean latents of a row's neighbours along one edge type, linear in the condition."""

    def __init__(self, *, condition_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition_dim, max(latent_dim, 1))

    def forward(self, condition: Tensor, latents: Tensor, has_neighbours: Tensor) -> Tensor:
        """Return the mean squared error over rows that have neighbours.

        Shape:
            condition: (rows, condition_dim). latents: (rows, latent_dim). has_neighbours: (rows,) 0 or 1.
        """
        error = (self.linear(condition) - latents).square().mean(dim=1)
        return torch.dot(error, has_neighbours) / has_neighbours.sum().clamp(min=1.0)
