"""The contract between columns and latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.errors import StageError
from tabgraphsyn.models.batch import EncodedBatch


class Autoencoder(nn.Module, ABC):
    """Turns encoded rows into latents and back, and gives the denoiser's raw output its meaning.

    Runtime arguments (from the stage, never from yaml): ``layout``.

    Attributes:
        layout: fields of the encoded table.
        latent_dim: width of a latent; 0 for a table made of keys only.
        output_dim: width of the raw output that a denoiser must produce for these latents.
        is_trained: True where ``training_loss`` must be minimised before use.
    """

    layout: TableLayout
    latent_dim: int
    output_dim: int
    is_trained: bool

    @abstractmethod
    def encode(self, batch: EncodedBatch) -> Tensor:
        """Return latents (rows, latent_dim), without noise."""

    @abstractmethod
    def decode(self, latents: Tensor, generator: torch.Generator) -> EncodedBatch:
        """Return encoded rows; categories may be drawn with ``generator``.

        Shape:
            latents: (rows, latent_dim).
        """

    @abstractmethod
    def training_loss(self, batch: EncodedBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return scalar losses; the key ``loss`` is minimised. Empty where ``is_trained`` is False."""

    def part_loss(self, batch: EncodedBatch, rows: slice, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the share of some rows in the losses of a batch: over slices that cover it they add up to them.

        Shape:
            scalars.

        Everything is drawn as ``training_loss`` draws it, for the whole batch. Training on several ranks, or in
        micro-batches where memory is short, needs this.

        Raises:
            StageError: this autoencoder can only look at whole batches.
        """
        raise StageError(
            f"{type(self).__name__}: it has no part_loss, so a batch cannot be split over ranks or micro-batches. Use "
            "resources.autoencoder.tasks_per_node=1 and a smaller training.autoencoder.batch_rows."
        )

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Adapt what depends on the losses of a whole training step; its state is held in buffers; they are scalar."""
        del losses

    def fit_latent_scale(self, latents: Tensor) -> None:
        """Make ``encode`` give latents of about unit scale, from those it gives now; called once, after training.

        Latents that have their scale by construction need nothing.

        Shape:
            latents: (rows, latent_dim).
        """
        del latents

    @abstractmethod
    def denoised(self, raw: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Return the denoised latents D(x; sigma) from the network's raw output.

        Shape:
            raw: (rows, output_dim). noisy: (rows, latent_dim). sigma: (rows, 1), standard deviation of the noise.
        """

    @abstractmethod
    def diffusion_loss(self, raw: Tensor, noisy: Tensor, sigma: Tensor, clean: Tensor, batch: EncodedBatch) -> Tensor:
        """Return the weighted loss of each row, (rows,).

        Shape:
            clean: (rows, latent_dim), what ``encode`` gave for ``batch``.
        """
