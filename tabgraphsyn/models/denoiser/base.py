"""The contract of a denoiser: the raw network inside the preconditioned function."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups


class Denoiser(nn.Module, ABC):
    """A network from noisy latents, noise level and condition to a raw output.

    In two parts, because a sampler visits many noise levels under one condition: ``context`` once, ``forward`` at
    every level.

    Runtime arguments (from the stage, never from yaml): ``latent_dim``, ``output_dim``, ``condition_dim``.
    """

    @abstractmethod
    def context(self, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return what does not change with the noise level, (rows, any width).

        Shape:
            condition: (rows, condition_dim); width 0 without a graph network.
        """

    @abstractmethod
    def forward(self, scaled: Tensor, noise: Tensor, context: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output (rows, output_dim).

        Shape:
            scaled: (rows, latent_dim), noisy latents times c_in(sigma).
            noise: (groups,), or (1,) where all rows have the same level; c_noise(sigma) = log(sigma) / 4.
            context: what ``context`` returned for these rows.
        """
