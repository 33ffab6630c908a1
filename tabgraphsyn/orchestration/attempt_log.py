"""The log of one attempt of a stage: ``logs/attempt-<n>.log``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabgraphsyn.redaction import redacted

LOGS = "logs"
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
