"""Latents of a table's rows from noise, family by family."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.diffusion.preconditioning import input_scaling, noise_scaling
from tabgraphsyn.diffusion.sampler.base import Sampler
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.precision import computing
from tabgraphsyn.models.row_conditions import RowConditions


@dataclass(frozen=True)
class TableModel:
    """What is needed to denoise rows of one table.

    Attributes:
        autoencoder: the one that the denoiser was trained on.
        denoiser: the network.
        diffusion: its noise levels.
        precision: in which the network multiplies, ``float32`` or ``bf16``.
    """

    autoencoder: Autoencoder
    denoiser: Denoiser
    diffusion: Edm
    precision: str = "float32"

    def to(self, device: str) -> TableModel:
        """Move the networks to a device, in evaluation mode."""
        return replace(self, autoencoder=self.autoencoder.to(device).eval(), denoiser=self.denoiser.to(device).eval())

    def denoised(self, noisy: Tensor, sigma: float, context: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return D(x; sigma) of all rows at one noise level, (rows, latent_dim)."""
        level = torch.full((1, 1), sigma, device=noisy.device)
        with computing(self.precision, str(noisy.device)):
            raw = self.denoiser(noisy * input_scaling(level, 1.0), noise_scaling(level).squeeze(1), context, siblings)
        return self.autoencoder.denoised(raw.float(), noisy, level)


def window_batches(families: Families, batch_rows: int) -> list[np.ndarray]:
    """Return consecutive windows in batches of about ``batch_rows`` rows, at least one window each."""
    ends = np.cumsum(families.window_rows)
    batch = np.maximum(ends - 1, 0) // batch_rows
    cuts = np.flatnonzero(np.diff(batch)) + 1
    return np.split(np.arange(families.windows), cuts)


@torch.no_grad()
def generate_latents(
    *,
    model: TableModel,
    sampler: Sampler,
    condition: RowConditions,
    siblings: Families,
    seed: int,
    batch_rows: int = 8192,
    device: str = "cpu",
) -> Tensor:
    """Return new latents of every row, (rows, latent_dim) float32 on the CPU.

    Args:
        model: the table's networks.
        sampler: the solver.
        condition: of all rows, in row order.
        siblings: families of the rows.
        seed: the noise of batch ``i`` depends on ``seed`` and ``i`` only.
        batch_rows: rows denoised at a time; bounds the memory.
        device: ``cpu`` or ``cuda``.
    """
    model = model.to(device)
    noise = model.diffusion.noise
    levels = sampler.levels(noise.sigma_min, noise.sigma_max)
    latents = torch.empty(siblings.rows, model.autoencoder.latent_dim)
    for number, windows in enumerate(window_batches(siblings, batch_rows) if siblings.rows else []):
        generator = torch.Generator().manual_seed(derive_seed(seed, "noise", number))
        rows, groups = siblings.batch(windows)
        groups = groups.to(device)
        start = torch.randn(len(rows), model.autoencoder.latent_dim, generator=generator).to(device) * levels[0]
        context = model.denoiser.context(condition.take(rows).to(device), groups)

        def denoised(noisy: Tensor, sigma: float, context: Tensor = context, groups: SiblingGroups = groups) -> Tensor:
            return model.denoised(noisy, sigma, context, groups)

        latents[rows] = sampler.solve(denoised, start, levels).cpu()
    return latents
