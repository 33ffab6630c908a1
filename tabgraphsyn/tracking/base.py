"""What a tracker is told about the run it tracks, and several trackers as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
"""What was recorded at one step: plain values by name, ``step`` and ``time_s`` among them."""


@dataclass(frozen=True)
class RunIdentity:
    """The stage that a tracker follows.

    Attributes:
        run_id: the stage's signature: the same stage is the same run, whoever starts it.
        name: ``absorbing/flights``.
        group: ``<campaign>/<point>`` that started the stage first.
        folder: the stage's folder; whatever a tracker writes lies under it.
        config: what the stage is a function of.
    """

    run_id: str
    name: str
    group: str
    folder: Path
    config: Mapping[str, Any]


class Tracker(ABC):
    """Receives metrics of a running stage."""

    @abstractmethod
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record metrics at a step of the stage's own count."""

    @abstractmethod
    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Drop what was recorded after ``step``: the stage resumed from a checkpoint there.

        ``recorded`` is what the checkpoint holds of ``recorded()``, and counts more than what is found; None: nothing.
        """

    def recorded(self) -> Sequence[Line]:
        """Return all lines so far, for a checkpoint to hold; none where the tracker can not forget anyway."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Write what is still held."""


class Trackers(Tracker):
    """Several trackers as one, told in order."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Tell every tracker."""
        for tracker in self._trackers:
            tracker.log(metrics, step)

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Rewind every tracker."""
        for tracker in self._trackers:
            tracker.rewind(step, recorded)

    def recorded(self) -> Sequence[Line]:
        """Return the lines of the first tracker that has some."""
        return next(filter(None, (tracker.recorded() for tracker in self._trackers)), ())

    def close(self) -> None:
        """Close every tracker."""
        for tracker in self._trackers:
            tracker.close()
