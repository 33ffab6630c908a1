"""What one attempt of a stage leaves: its log ``logs/attempt-<n>.log``, and notes of how it was run in its record."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tabgraphsyn.orchestration.lease import Lease
from tabgraphsyn.orchestration.packed import packed_log
from tabgraphsyn.redaction import redacted
from tabgraphsyn.tracking.base import Line, Tracker

LOGS = "logs"
NOTED = ("micro_batches",)
"""Metrics that say how a stage was run: the training loop halved its batches for want of memory, for example."""
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Redacting(logging.Formatter):
    """Leaves secrets out of a line, its traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redacted(super().format(record))


def log_path(folder: Path, attempt: int) -> Path:
    """Return the log file of an attempt."""
    return folder / LOGS / f"attempt-{attempt}.log"


def last_log_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log; nothing if there is none."""
    if not path.exists():
        return []
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - 400 * count))
        return handle.read().decode("utf-8", errors="replace").splitlines()[-count:]


def attempt_lines(folder: Path, attempt: int, count: int) -> list[str]:
    """Return the last lines of an attempt's log, also where the records of the done stage are packed."""
    packed = None if log_path(folder, attempt).exists() else packed_log(folder, attempt)
    return last_log_lines(log_path(folder, attempt), count) if packed is None else packed.splitlines()[-count:]


@contextmanager
def attempt_log(folder: Path, attempt: int, *, capture: bool) -> Iterator[logging.Logger]:
    """Send the root logger to the attempt's log and, with ``capture``, all that the process prints too."""
    path = log_path(folder, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    if capture:
        redirect_output(path)
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(_Redacting(_FORMAT))
    root = logging.getLogger()
    former = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger("tabgraphsyn")
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(former)
        handler.close()


def redirect_output(path: Path) -> None:
    """Send this process's standard output and error to the end of ``path``, for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


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
