"""The contract of a denoiser: the raw network inside the preconditioned function."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups


class Denoiser(nn.Module, ABC):
    """A network from noisy latents, noise level and condition to a raw output.

    Runtime arguments (from the stage, never from yaml): ``latent_dim``, ``output_dim``, ``condition_dim``.
    """

    @abstractmethod
    def forward(self, scaled: Tensor, noise: Tensor, condition: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return the raw output (rows, output_dim).

        Shape:
            scaled: (rows, latent_dim), noisy latents times c_in(sigma).
            noise: (rows,), c_noise(sigma) = log(sigma) / 4.
            condition: (rows, condition_dim); width 0 without a graph network.
        """
