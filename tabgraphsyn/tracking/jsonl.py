"""``metrics.jsonl``: the source of truth of what a stage measured."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tabgraphsyn.data.files import json_lines, read_json_lines, write_text
from tabgraphsyn.tracking.base import Line, Tracker

_TAIL_BYTES = 16_384


class JsonlTracker(Tracker):
    """One line a call: ``{"step": 10, "time_s": 1.5, "loss": 0.3}``.

    ``time_s`` goes on where the last attempt stopped. The file is written anew when an attempt opens it, so an older
    attempt that still holds the former one can no longer write into it. What that one logs from then on is in the
    checkpoints that it saves, and comes from there. A first step at or below recorded ones drops those: the stage
    started over or resumed there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[Line] = [*whole_lines(path)]
        self._started = time.monotonic()
        self._before_s = float(self._lines[-1].get("time_s", 0.0)) if self._lines else 0.0
        self._is_placed = False
        self._handle: IO[str] = self._rewritten()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Append a line. A number that is not finite is written as text, as json has none."""
        if not self._is_placed:
            self.rewind(step - 1)
        elapsed = self._before_s + time.monotonic() - self._started
        line = {"step": step, "time_s": round(elapsed, 3), **{key: _plain(value) for key, value in metrics.items()}}
        self._handle.write(json.dumps(line, allow_nan=False) + "\n")
        self._handle.flush()
        self._lines.append(line)

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Drop the lines after ``step``, aside then renamed; those of a checkpoint replace the file's."""
        self._handle.close()
        found = whole_lines(self._path) if recorded is None else recorded
        kept = [line for line in found if line["step"] <= step]
        self._lines = kept
        self._before_s = float(kept[-1].get("time_s", 0.0)) if kept else 0.0
        self._started = time.monotonic()
        self._is_placed = True
        self._handle = self._rewritten()

    def recorded(self) -> Sequence[Line]:
        """Return all lines so far."""
        return tuple(self._lines)

    def close(self) -> None:
        """Flush to disk; a stage that logged nothing leaves no file."""
        if self._handle.closed:
            return
        self._handle.flush()
        os.fsync(self._handle.fileno())
        is_own = self._path.exists() and os.path.samestat(os.fstat(self._handle.fileno()), self._path.stat())
        self._handle.close()
        if is_own and not self._lines:
            self._path.unlink(missing_ok=True)

    def _rewritten(self) -> IO[str]:
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in self._lines))
        return self._path.open("a", encoding="utf-8")


def _plain(value: float) -> float | int | str:
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else str(number)


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the recorded lines; a last line that a kill cut off is left out."""
    return _of_steps(read_json_lines(path))


def last_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines in the file's last few kilobytes."""
    if not path.exists():
        return []
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - _TAIL_BYTES))
        text = handle.read().decode("utf-8", errors="replace")
    return step_lines(text if size <= _TAIL_BYTES else text.partition("\n")[2])


def step_lines(text: str) -> list[dict[str, Any]]:
    """Return the recorded lines of a text."""
    return _of_steps(json_lines(text))


def _of_steps(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if isinstance(line.get("step"), int)]
