"""``requeues.jsonl`` of a stage: one line per interruption or death, and per decision to give up."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import append_line, read_json_lines
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.stored.lease import attempt_numbers

REQUEUES = "requeues.jsonl"
DIED = "died"
OUT_OF_MEMORY = "out of memory"
TIME_LIMIT = "time limit"
GAVE_UP = "gave up"


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded decisions of a stage, oldest first; a line that a kill cut off is left out."""
    return read_json_lines(folder / REQUEUES)


def note(folder: Path, kind: str, **details: Any) -> dict[str, Any]:
    """Add a line: what happened, or that the stage was given up."""
    numbers = attempt_numbers(folder)
    element = ElementId.current()
    entry = {
        "time": round(time.time(), 3),
        "kind": kind,
        "attempt": numbers[-1] if numbers else 0,
        "job": str(element) if element is not None else None,
        "array": element.array_or_job if element is not None else None,
        "restart": restart(),
        "step": _last_step(folder),
        **details,
    }
    try:
        append_line(folder / REQUEUES, json.dumps(entry))
    except OSError as error:  # a full disk: a job that is not requeued for that would be lost, a count is not
        print(f"{folder}: could not note {kind!r}: {error}", file=sys.stderr, flush=True)
    return entry


def interruptions(entries: Sequence[dict[str, Any]]) -> int:
    """Return how often the stage was preempted or timed out since it was last given up."""
    return sum(entry["kind"] not in (DIED, OUT_OF_MEMORY) for entry in _since_given_up(entries))


def ends_without_progress(entries: Sequence[dict[str, Any]]) -> int:
    """Return how many of the last decisions were deaths or time limits at the same step: progress counts anew."""
    count = 0
    for entry in reversed(_since_given_up(entries)):
        if entry["kind"] not in (DIED, OUT_OF_MEMORY, TIME_LIMIT) or (
            count and entry.get("step") != entries[-1].get("step")
        ):
            break
        count += 1
    return count


def is_given_up(folder: Path, job: str) -> bool:
    """Return True if a job or an array of it gave the stage up: no task of it will try again."""
    return any(entry["kind"] == GAVE_UP and job in (entry.get("array"), entry["job"]) for entry in decisions(folder))


def array_job() -> str | None:
    """Return the id of the array that this task belongs to, or of the job that is none."""
    element = ElementId.current()
    return element.array_or_job if element is not None else None


def restart() -> int:
    """Return how often Slurm restarted this job."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def _since_given_up(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the decisions since a person submitted the stage again: the caps count anew."""
    last = max((number for number, entry in enumerate(entries) if entry["kind"] == GAVE_UP), default=-1)
    return list(entries[last + 1 :])


def _last_step(folder: Path) -> int:
    from tabgraphsyn.tracking.jsonl import last_lines

    lines = last_lines(folder / "metrics.jsonl")
    return int(lines[-1]["step"]) if lines else 0
