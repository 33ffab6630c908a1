"""The null object: nothing on top of ``metrics.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabgraphsyn.tracking.base import Line, RunIdentity, Tracker


class NoTracker(Tracker):
    """Keeps nothing."""

    def __init__(self, *, run: RunIdentity | None = None) -> None:
        self.run = run

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep nothing."""

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Keep nothing."""
