"""The task of the autoencoder stage: learn to encode and decode the rows of one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.training.parts import Part, PartedTask

VALIDATION_SHARE = 0.05
VALIDATION_ROWS_LEAST = 50
VALIDATION_ROWS_MOST = 2048


@dataclass
class ShuffledRows:
    """Rows of each step: a new permutation an epoch, which only ``seed`` and the epoch decide.

    Shape:
        rows: (rows,) int64, the rows to draw from.
    """

    rows: Tensor
    batch_rows: int
    seed: int
    _epoch: int = field(init=False, default=-1)
    _order: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.batch_rows = min(self.batch_rows, len(self.rows))

    def at(self, step: int) -> Tensor:
        """Return the rows of a step; what is left over at the end of an epoch waits for another one; (batch,) int64."""
        steps_per_epoch = len(self.rows) // self.batch_rows
        epoch, place = divmod(step, steps_per_epoch)
        if epoch != self._epoch:
            shuffled = numpy_generator(self.seed, "epoch", epoch).permutation(len(self.rows))
            self._order, self._epoch = self.rows[torch.from_numpy(shuffled)], epoch
        return self._order[place * self.batch_rows : (place + 1) * self.batch_rows]


@dataclass
class ReconstructionTask(PartedTask):
    """Minimise an autoencoder's own loss; a fixed part of the rows is kept for validation.

    A table of a thousand rows or less has no such part: its rows are too few to give any away.
    """

    autoencoder: Autoencoder
    encoded: EncodedTensors
    batch_rows: int
    seed: int
    device: str = "cpu"
    batches: ShuffledRows = field(init=False)
    validation_rows: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        shuffled = numpy_generator(self.seed, "validation").permutation(self.encoded.rows)
        kept = min(int(VALIDATION_SHARE * self.encoded.rows), VALIDATION_ROWS_MOST)
        kept = kept if kept >= VALIDATION_ROWS_LEAST else 0
        self.validation_rows = np.sort(shuffled[:kept])
        rows = torch.from_numpy(np.sort(shuffled[kept:]))
        self.batches = ShuffledRows(rows, self.batch_rows, derive_seed(self.seed, "batches"))

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.autoencoder

    def rows_in_step(self, step: int) -> int:
        """Return the number of rows in a batch, the same for all steps."""
        return self.batches.batch_rows

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the losses of one batch, numbers drawn anew inside their intervals; each is scalar."""
        batch = self.encoded.draw(self.batches.at(step), generator)
        return self.autoencoder.training_loss(batch.to(self.device), generator)

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, Tensor]:
        """Return the share of a part of the rows in the losses of a batch."""
        batch = self.encoded.draw(self.batches.at(step), generator)
        rows = part.rows(batch.rows)
        if rows.start == rows.stop:
            return {}
        return self.autoencoder.part_loss(batch.to(self.device), rows, generator)

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Let the autoencoder adapt its loss; losses are scalar."""
        self.autoencoder.after_step(losses)

    def validation_loss(self) -> float | None:
        """Return the reconstruction loss of the rows kept for it, always under the same noise; None without such rows.

        Not the whole loss where the autoencoder tells them apart: a weight that changes over time is no yardstick.
        """
        if not len(self.validation_rows):
            return None
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "validation noise"))
        batch = self.encoded.middle(torch.from_numpy(self.validation_rows))
        losses = self.autoencoder.training_loss(batch.to(self.device), generator)
        return float(losses.get("reconstruction", losses["loss"]))
