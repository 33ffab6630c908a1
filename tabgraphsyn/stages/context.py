"""What a stage sees of the world, and nothing more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import StageError, listing
from tabgraphsyn.tracking.base import Tracker
from tabgraphsyn.training.interrupt import InterruptFlag


@dataclass(frozen=True)
class Resources:
    """What this process was given.

    Attributes:
        device: ``cpu`` or ``cuda``; ``auto`` is resolved before a stage sees it.
        threads: pieces of its work that this stage may run side by side; libraries compute on one thread each.
    """

    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class StageContext:
    """One stage's signature folder, config and inputs.

    Attributes:
        stage: the stage kind, e.g. ``diffusion``.
        table: the table of a per-table stage, else None.
        signature: hash that names the folder.
        folder: ``outputs/stages/<stage>/<signature>``.
        config: fully resolved plain values (no DictConfig).
        inputs: role -> ``artifacts`` folder of a done stage.
        resources: device and threads.
        tracker: where metrics go.
        interrupt: set when a signal asked the stage to save and leave.
    """

    stage: str
    table: str | None
    signature: str
    folder: Path
    config: Mapping[str, Any]
    inputs: Mapping[str, Path]
    resources: Resources
    tracker: Tracker
    interrupt: InterruptFlag
    allow_targets: tuple[str, ...] = ()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tabgraphsyn"))

    @property
    def artifacts(self) -> Path:
        """Where the stage writes its results; published by ``done.json``."""
        return self.folder / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """Where the training loop keeps its states."""
        return self.folder / "checkpoints"

    def input(self, role: str) -> Path:
        """Return the artifacts folder of one input.

        Raises:
            StageError: the plan gave this stage no such input.
        """
        if role not in self.inputs:
            raise StageError(f"{self.stage}: no input {role!r}; it has {listing(self.inputs)}.")
        return self.inputs[role]
