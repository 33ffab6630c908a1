"""Latents of a table's rows from noise, family by family."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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

# Rows that a CPU denoises at a time, by precision: their hidden units stay in its cache.
PIECE_ROWS = {"float32": 1024, "bf16": 3072}


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
    return _consecutive(np.cumsum(families.window_rows), batch_rows)


def _consecutive(ends: np.ndarray, rows: int) -> list[np.ndarray]:
    """Return the numbers of what ends at ``ends`` in parts of about ``rows`` rows, at least one in each."""
    part = np.maximum(ends - 1, 0) // rows
    return np.split(np.arange(len(ends)), np.flatnonzero(np.diff(part)) + 1)


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
    threads: int = 1,
) -> Tensor:
    """Return new latents of every row, (rows, latent_dim) float32 on the CPU.

    On a CPU rows are denoised in pieces, each by one thread. How many threads there are changes no bit of them.

    Args:
        model: the table's networks.
        sampler: the solver.
        condition: of all rows, in row order.
        siblings: families of the rows.
        seed: the noise of batch ``i`` depends on ``seed`` and ``i`` only.
        batch_rows: rows denoised at a time; bounds the memory.
        device: ``cpu`` or ``cuda``.
        threads: pieces that are denoised side by side on a CPU.
    """
    model = model.to(device)
    noise = model.diffusion.noise
    levels = sampler.levels(noise.sigma_min, noise.sigma_max)
    latents = torch.empty(siblings.rows, model.autoencoder.latent_dim)
    with ThreadPoolExecutor(threads if device == "cpu" else 1) as pool:
        for number, windows in enumerate(window_batches(siblings, batch_rows) if siblings.rows else []):
            generator = torch.Generator().manual_seed(derive_seed(seed, "noise", number))
            rows, groups = siblings.batch(windows)
            groups = groups.to(device)
            noisy = torch.randn(len(rows), model.autoencoder.latent_dim, generator=generator).to(device) * levels[0]
            conditions = condition.take(rows).to(device)
            size = PIECE_ROWS[model.precision] if device == "cpu" else batch_rows
            pieces = [
                (noisy[part], conditions[part], groups.part(whole_groups, part))
                for whole_groups, part in _pieces(groups, size)
            ]
            solved = pool.map(lambda piece: _solved(model, sampler, levels, *piece), pieces)
            latents[rows] = torch.cat(list(solved)).cpu()
    return latents


@torch.no_grad()  # a thread of the pool has its own
def _solved(
    model: TableModel, sampler: Sampler, levels: Tensor, noisy: Tensor, condition: Tensor, siblings: SiblingGroups
) -> Tensor:
    context = model.denoiser.context(condition, siblings)
    return sampler.solve(lambda x, sigma: model.denoised(x, sigma, context, siblings), noisy, levels)


def _pieces(siblings: SiblingGroups, rows: int) -> Iterator[tuple[slice, slice]]:
    """Yield groups and their rows in pieces of about ``rows`` rows: what a CPU keeps in its cache."""
    ends = torch.bincount(siblings.group, minlength=siblings.count).cumsum(0).cpu().numpy()
    for groups in _consecutive(ends, rows):
        first, last = int(groups[0]), int(groups[-1])
        yield slice(first, last + 1), slice(int(ends[first - 1]) if first else 0, int(ends[last]))
