"""Which job makes which stage: an append-only file beside the store, shared by all campaigns and users of it.

A job found there counts only if the queue still knows it; a stage's own manifest says whether it is done. The lock
keeps two launches from submitting the same stage at the same time.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import append_line, write_json
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.lease import Owner

FOLDER = "slurm"
LEDGER = "ledger.jsonl"
_LOCK = "submission.lock"
_SILENCE_S = 300.0
_WAIT_S = 600.0
_SAY_AFTER_S = 2.0


@dataclass(frozen=True)
class Submission:
    """One job or array as it was submitted.

    Attributes:
        job: Slurm's id.
        campaign: name.
        name: job name.
        time: seconds since the epoch.
        user: login name.
        is_array: False for a plain job.
        elements: index -> ids of the stages that the element makes.
        script: batch script.
        list_file: what each element runs.
        request: cpus, mem_gb, timeout_min and gpus of an element.
        dependency: as submitted.
        cluster: Slurm's ClusterName.
        is_lane: its tasks run one after the other, and each takes the first element that is not done.
    """

    job: str
    campaign: str
    name: str
    time: float
    user: str
    is_array: bool
    elements: Mapping[int, Sequence[str]]
    script: str
    list_file: str
    request: Mapping[str, Any] = field(default_factory=dict)
    dependency: str | None = None
    cluster: str | None = None
    is_lane: bool = False

    def element_id(self, index: int) -> str:
        """Return the id that squeue shows for an element; of a lane, the id of all its tasks."""
        return f"{self.job}_{index}" if self.is_array and not self.is_lane else self.job

    def log(self, index: int) -> Path:
        """Return the file of what an element printed outside its stages' own logs."""
        return Path(self.script).parent / f"{self.element_id(index)}_0_log.out"


def folder_of(output_dir: Path) -> Path:
    """Return the folder of ledger, lock and launches."""
    return output_dir / FOLDER


def append(output_dir: Path, submission: Submission) -> None:
    """Add a line, flushed to disk: from here on every command knows the job."""
    append_line(folder_of(output_dir) / LEDGER, json.dumps(asdict(submission), separators=(",", ":")))


def read(output_dir: Path) -> list[Submission]:
    """Return all submissions, oldest first; a line that a kill cut off is left out."""
    path = folder_of(output_dir) / LEDGER
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            raw = json.loads(line)
            raw["elements"] = {int(index): stages for index, stages in raw["elements"].items()}
            found.append(Submission(**raw))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def latest_elements(submissions: Sequence[Submission]) -> dict[str, tuple[Submission, int]]:
    """Return the last submission and index of every stage that was ever submitted."""
    return {
        stage_id: (submission, index)
        for submission in submissions
        for index, stages in submission.elements.items()
        for stage_id in stages
    }


@contextmanager
def submission_lock(output_dir: Path, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold the right to submit to this store.

    Raises:
        SubmissionError: another launch holds it for longer than ``wait_s``.
    """
    folder = folder_of(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOCK
    aside = folder / f".lock.{uuid.uuid4().hex[:8]}.part"
    write_json(aside, {"owner": asdict(Owner.current()), "started": time.time()})
    try:
        end, says_at = time.monotonic() + wait_s, time.monotonic() + _SAY_AFTER_S
        while not _linked(aside, path):
            if _is_left_over(path, aside):
                _take_away(path)
            elif time.monotonic() > end:
                raise SubmissionError(
                    f"{path}: another launch is submitting: {path.read_text(encoding='utf-8')[:300]}. "
                    "Wait for it; remove the file if it is gone."
                )
            elif time.monotonic() > says_at:
                says_at = float("inf")
                print(f"{path}: waiting for {_holder(path)}", file=sys.stderr, flush=True)
            else:
                time.sleep(0.1)
        try:
            yield
        finally:
            if path.exists() and path.samefile(aside):
                path.unlink(missing_ok=True)
    finally:
        aside.unlink(missing_ok=True)


def _linked(aside: Path, path: Path) -> bool:
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        raise SubmissionError(
            f"output_dir: {str(path.parent)!r} lies on a file system without hard links ({error.strerror}), by which "
            "launches and jobs lock. Choose another folder with output_dir=<folder>."
        ) from error
    return True


def _holder(path: Path) -> str:
    """Return who submits to this store, in words."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        owner = raw["owner"]
        clock = time.strftime("%H:%M:%S", time.localtime(raw["started"]))
        return (
            f"{owner['user']}, whose process {owner['pid']} on {owner['host']} submits to this store since {clock}; "
            f"if it is gone, its lock is taken over after {_SILENCE_S / 60:.0f} minutes"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another launch"


def _is_left_over(path: Path, aside: Path) -> bool:
    """Return True if the holder is dead or silent: the clock is the file server's."""
    try:
        owner = Owner(**json.loads(path.read_text(encoding="utf-8"))["owner"])
        os.utime(aside)
        return owner.is_dead() or aside.stat().st_mtime - path.stat().st_mtime > _SILENCE_S
    except FileNotFoundError:
        return False
    except (ValueError, TypeError, KeyError):
        return True


def _take_away(path: Path) -> None:
    """Remove a left-over lock; of two that try, one renames it and the other finds nothing."""
    aside = path.with_name(f".stale.{uuid.uuid4().hex[:8]}.part")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    aside.unlink(missing_ok=True)


def touch_lock(output_dir: Path) -> None:
    """Say that the holder still submits."""
    path = folder_of(output_dir) / _LOCK
    if path.exists():
        os.utime(path)
