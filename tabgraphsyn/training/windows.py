"""A task whose batches are whole windows of families: what such tasks share, whatever they learn of the rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.models.families import Families, FamilyBatches
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask


class WindowTask(PartedTask):
    """The mean loss over the rows of some windows; other windows are kept for validation.

    Attributes:
        families: the rows by family, and the windows they are cut into.
        batches: which windows a step sees.
        validation_windows: (windows kept from training,) int64.
        validation_draws: names the random numbers of a validation, the same in every one.
    """

    families: Families
    seed: int
    batches: FamilyBatches
    validation_windows: np.ndarray
    validation_draws: ClassVar[str]

    @abstractmethod
    def row_losses(
        self, windows: np.ndarray, generator: torch.Generator, *, training: bool, part: Part = WHOLE
    ) -> Tensor:
        """Return the loss of each row of a part of the windows, (rows of the part,); all is drawn for all windows.

        Shape:
            windows: (count,) int64.
        """

    @abstractmethod
    def validation_passes(self, rows: int) -> int:
        """Return how often a validation of so many rows goes over them."""

    def rows_in_step(self, step: int) -> int:
        """Return the number of rows in the batch of a step."""
        return int(self.families.window_rows[self.batches.windows_at(step)].sum())

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean loss of one batch of whole windows, scalar."""
        return {"loss": self.row_losses(self.batches.windows_at(step), generator, training=True).mean()}

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, Tensor]:
        """Return the share of a part of the windows in the mean loss of a batch: no window is cut; scalar."""
        windows = self.batches.windows_at(step)
        sizes = self.families.window_rows[windows]
        chosen, _ = part.groups(sizes)
        if chosen.start == chosen.stop:
            return {}
        return {"loss": self.row_losses(windows, generator, training=True, part=part).sum() / int(sizes.sum())}

    def validation_loss(self) -> float | None:
        """Return the loss on windows that no step sees, always under the same draws; None without such windows."""
        if not len(self.validation_windows):
            return None
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.validation_draws))
        total, count = 0.0, 0
        with torch.no_grad():
            for _ in range(self.validation_passes(int(self.families.window_rows[self.validation_windows].sum()))):
                losses = self.row_losses(self.validation_windows, generator, training=False)
                total, count = total + float(losses.sum()), count + len(losses)
        return total / count
