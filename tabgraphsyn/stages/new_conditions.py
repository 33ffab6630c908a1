"""What a graph network says of the rows of a database in the making: from its keys, and the tables made so far."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.generation.row_maker import Making
from tabgraphsyn.stages.conditioning import load_conditions


class NewConditions:
    """Conditions of one new database.

    Args:
        making: its bundle holds the graph network.

    Attributes:
        seen: relation -> (child rows,) int64, the keys as the graph network sees them: with as many censored as the
            training rows had.
        latents: of every table made so far, (rows, latent_dim); whoever makes rows puts them here.
    """

    def __init__(self, making: Making) -> None:
        """Load the graph network and lay the keys out for it."""
        source = load_conditions(making.bundle.folder, making.device, allow_targets=making.allow_targets)
        censored = numpy_generator(making.seed, "sample", "censored")
        self.seen: dict[str, np.ndarray] = source.features.as_in_training(making.skeleton.pointers, censored)
        self.latents: dict[str, Tensor] = {}
        self._conditions = source.open(making.skeleton.rows, self.seen)

    @property
    def width(self) -> int:
        """Width of a condition."""
        return self._conditions.encoder.condition_dim

    def of(self, table: str) -> Tensor:
        """Return the conditions of the rows of the table that is made next, (rows, width) float32 on the CPU."""
        return self._conditions.condition(table, self.latents)
