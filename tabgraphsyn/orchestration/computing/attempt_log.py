"""What one attempt of a stage leaves: its log ``logs/attempt-<n>.log``, and notes of how it was run in its record."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tabgraphsyn.orchestration.computing.captured_output import redirect_output
from tabgraphsyn.orchestration.stored.lease import Lease
from tabgraphsyn.orchestration.stored.packed import packed_log
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


class _JsonLines(logging.Formatter):
    """A line of json: when, how grave, what, and which attempt of which stage of which campaign says it."""

    def __init__(self, about: Mapping[str, str | int | None]) -> None:
        super().__init__()
        self._about = dict(about)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; secrets are left out of its texts before they are written as json."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "message": redacted(record.getMessage()), **self._about}
        if record.exc_info:
            line["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def log_path(folder: Path, attempt: int) -> Path:
    """Return the log file of an attempt."""
    return folder / LOGS / f"attempt-{attempt}.log"


def last_log_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log; nothing if there is none."""
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - 400 * count))
            return handle.read().decode("utf-8", errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def attempt_lines(folder: Path, attempt: int, count: int) -> list[str]:
    """Return the last lines of an attempt's log, also where the records of the done stage are packed."""
    return last_log_lines(log_path(folder, attempt), count) or (packed_log(folder, attempt) or "").splitlines()[-count:]


def attempt_bytes(folder: Path, attempt: int, start: int = 0) -> bytes:
    """Return an attempt's log from a byte on, also where it is packed."""
    try:
        with log_path(folder, attempt).open("rb") as handle:
            handle.seek(start)
            return handle.read()
    except FileNotFoundError:
        return (packed_log(folder, attempt) or "").encode()[start:]


@contextmanager
def attempt_log(
    folder: Path, attempt: int, *, capture: bool, about: Mapping[str, str | int | None] | None = None
) -> Iterator[logging.Logger]:
    """Send the root logger to the attempt's log and, with ``capture``, all that the process prints too.

    Args:
        folder: of the stage.
        attempt: its number.
        capture: also what is printed, for good, without secrets.
        about: what each line of json says besides; None writes none (the followers of a stage on several ranks).
    """
    path = log_path(folder, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    if capture:
        redirect_output(path)
    handlers = [_handler(path, _Redacting(_FORMAT))]
    if about is not None:
        handlers.append(_handler(path.with_suffix(".jsonl"), _JsonLines({**about, "attempt": attempt})))
    root = logging.getLogger()
    former = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield logging.getLogger("tabgraphsyn")
    finally:
        logging.captureWarnings(False)
        root.setLevel(former)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _handler(path: Path, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(formatter)
    return handler


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
