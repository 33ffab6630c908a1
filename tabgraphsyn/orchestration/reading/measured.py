"""What stages took in this store, and what the next ones of their kind should ask a scheduler for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tabgraphsyn.orchestration.stored.lease import attempt_numbers, read_attempt
from tabgraphsyn.orchestration.stored.store import Store

_MEMORY_MARGIN = 1.5
_TIME_MARGIN = 2.0
_LEAST_GB = 1.0
_LEAST_MIN = 10  # shorter jobs are unwelcome on many sites, and nothing is won by asking for less

Key = tuple[str, str | None]
"""Kind and table; table None stands for all of a kind."""


@dataclass(frozen=True)
class Measured:
    """The most that done stages took.

    Attributes:
        stages: how many.
        memory_mb: peak resident memory of the stage's process.
        seconds: running time, all attempts of a stage together.
    """

    stages: int = 0
    memory_mb: float = 0.0
    seconds: float = 0.0

    def joined(self, memory_mb: float, seconds: float) -> Measured:
        """Return this with one more stage."""
        return Measured(self.stages + 1, max(self.memory_mb, memory_mb), max(self.seconds, seconds))

    @property
    def mem_gb(self) -> float:
        """Memory to ask for: half as much again, in steps of half a GB.

        >>> Measured(1, 1200.0, 0.0).mem_gb, Measured(1, 10.0, 0.0).mem_gb
        (2.0, 1.0)
        """
        return max(_LEAST_GB, math.ceil(self.memory_mb * _MEMORY_MARGIN / 1024 * 2) / 2)

    @property
    def timeout_min(self) -> int:
        """Time limit to ask for: twice as long, in steps of five minutes.

        >>> Measured(1, 0.0, 20 * 60.0).timeout_min, Measured(1, 0.0, 3.0).timeout_min
        (40, 10)
        """
        return max(_LEAST_MIN, math.ceil(self.seconds * _TIME_MARGIN / 300) * 5)


def measured(store: Store, stage_ids: Iterable[str] | None = None) -> dict[Key, Measured]:
    """Return the most that done stages took, by kind and table and by kind; all of the store by default."""
    found: dict[Key, Measured] = {}
    for stage_id in store.stage_ids() if stage_ids is None else stage_ids:
        manifest = store.done(stage_id)
        if manifest is None:
            continue
        kind = stage_id.partition("/")[0]
        memory_mb, seconds = float(manifest.get("peak_memory_mb", 0.0)), _seconds(store, stage_id, manifest)
        for key in {(kind, manifest.get("table")), (kind, None)}:
            found[key] = found.get(key, Measured()).joined(memory_mb, seconds)
    return found


def _seconds(store: Store, stage_id: str, manifest: Mapping[str, float]) -> float:
    """Return how long a stage ran: a resumed one says of its last attempt only."""
    folder = store.folder(stage_id)
    numbers = attempt_numbers(folder)
    if len(numbers) < 2:
        return float(manifest.get("elapsed_s", 0.0))
    attempts = [read_attempt(folder, number) for number in numbers]
    return sum(max(0.0, (each.ended or each.heartbeat) - each.started) for each in attempts)
