"""What an attempt's record says about how it was run, beside how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabgraphsyn.orchestration.lease import Lease
from tabgraphsyn.tracking.base import Line, Tracker

NOTED = ("micro_batches",)
"""Metrics that say how a stage was run: the training loop halved its batches for want of memory, for example."""


class AttemptNotes(Tracker):
    """Passes metrics on, and writes those that say how the stage is run into the attempt's record."""

    def __init__(self, tracker: Tracker, lease: Lease) -> None:
        self._tracker, self._lease = tracker, lease

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record metrics."""
        found = {name: metrics[name] for name in NOTED if name in metrics}
        if found:
            self._lease.note({**found, "step": step})
        self._tracker.log(metrics, step)

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Drop metrics after a step; what an attempt noted stays true of it."""
        self._tracker.rewind(step, recorded)

    def recorded(self) -> Sequence[Line]:
        """Return the metrics' lines so far."""
        return self._tracker.recorded()

    def close(self) -> None:
        """Write what is still held."""
        self._tracker.close()
