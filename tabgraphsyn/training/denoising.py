"""The task of the diffusion stage: learn to denoise the latents of one table, family by family."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.diffusion.noise import stratified_uniform
from tabgraphsyn.diffusion.preconditioning import input_scaling, noise_scaling
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors, SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.families import Families, FamilyBatches
from tabgraphsyn.models.precision import exactly
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.training.parts import WHOLE, Part
from tabgraphsyn.training.windows import WindowTask

VALIDATION_PASSES_MIN = 4
VALIDATION_PASSES_MAX = 64
VALIDATION_DRAWS = 2_000
"""Rows times passes that a validation takes at least: a few rows under a few noises would say little."""
VALIDATION_SHARE = 0.05
VALIDATION_ROWS_MIN = 100
# A table below this keeps all its rows for training: a tenth of it would say nothing.
VALIDATED_ROWS_MIN = 100


@dataclass
class DenoisingTask(WindowTask):
    """Denoising score matching under conditions (Karras et al. 2022, eq. 2), one noise level a family window."""

    denoiser: Denoiser
    autoencoder: Autoencoder
    diffusion: Edm
    encoded: EncodedTensors
    condition: RowConditions
    families: Families
    batch_rows: int
    seed: int
    device: str = "cpu"
    batches: FamilyBatches = field(init=False)
    validation_windows: np.ndarray = field(init=False)
    validation_draws: ClassVar[str] = "validation noise"

    def __post_init__(self) -> None:
        shuffled = np.random.default_rng(derive_seed(self.seed, "validation")).permutation(self.families.windows)
        kept = _validation_windows(self.families.window_rows[shuffled])
        self.validation_windows = shuffled[:kept]
        self.batches = FamilyBatches(self.families, np.sort(shuffled[kept:]), self.batch_rows, self.seed)

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.denoiser

    def validation_passes(self, rows: int) -> int:
        """Return enough passes for some thousands of rows and noises."""
        return min(max(VALIDATION_PASSES_MIN, -(-VALIDATION_DRAWS // rows)), VALIDATION_PASSES_MAX)

    def row_losses(
        self, windows: np.ndarray, generator: torch.Generator, *, training: bool, part: Part = WHOLE
    ) -> Tensor:
        """Return the denoising loss of each row of a part of the windows, (rows of the part,)."""
        rows, siblings = self.families.batch(windows)
        drawn = self.encoded.draw(rows, generator)
        levels = self.diffusion.noise.levels(stratified_uniform(siblings.count, generator))
        noise = torch.randn((len(rows), self.autoencoder.latent_dim), generator=generator)
        condition = self._condition(rows, siblings, generator, training=training)
        if part != WHOLE:
            groups, cut = part.groups(self.families.window_rows[windows])
            siblings, levels, noise, condition = siblings.part(groups, cut), levels[groups], noise[cut], condition[cut]
            drawn = drawn.part(cut)
        # Everything is drawn on the CPU, so that a GPU trains on the same numbers.
        siblings, condition = siblings.to(self.device), condition.to(self.device)
        levels, noise = levels.to(self.device), noise.to(self.device)
        batch = drawn.to(self.device)
        with exactly(self.device), torch.no_grad():
            clean = self.autoencoder.encode(batch)
        sigma = levels[siblings.group].unsqueeze(1)
        noisy = clean + sigma * noise
        context = self.denoiser.context(condition, siblings)
        raw = self.denoiser(noisy * input_scaling(sigma, 1.0), noise_scaling(levels), context, siblings)
        with exactly(self.device):
            return self.autoencoder.diffusion_loss(raw.float(), noisy, sigma, clean, batch)

    def _condition(
        self, rows: Tensor, siblings: SiblingGroups, generator: torch.Generator, *, training: bool
    ) -> Tensor:
        noise = None
        graph_dim = self.condition.graph.shape[1]
        amount = self.diffusion.condition_noise
        if self.condition.is_composed:
            amount = max(amount, self.diffusion.composition_noise)
        if training and amount and graph_dim:
            noise = amount * torch.randn((len(rows), graph_dim), generator=generator)
        condition = self.condition.take(rows, noise)
        if training and self.diffusion.condition_dropout:
            kept = torch.rand(siblings.count, generator=generator) >= self.diffusion.condition_dropout
            condition = condition * kept.to(condition.dtype)[siblings.group].unsqueeze(1)
        return condition


def _validation_windows(window_rows: np.ndarray) -> int:
    """Return how many of the shuffled windows are kept from training: 5 % of the rows, up to 10 % of a small table."""
    ends = np.cumsum(window_rows)
    rows = int(ends[-1]) if len(ends) else 0
    if rows < VALIDATED_ROWS_MIN or len(ends) < 10:
        return 0
    wanted = max(VALIDATION_SHARE * rows, min(0.1 * rows, VALIDATION_ROWS_MIN))
    return int(np.searchsorted(ends, wanted)) + 1
