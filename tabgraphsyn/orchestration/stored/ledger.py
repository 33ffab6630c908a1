"""Which job makes which stage: an append-only file beside the store, shared by all campaigns and users of it.

A line per array is written before the first sbatch of a launch, so that whatever stops the launch leaves behind what it
meant to do. What becomes of it are further lines: ``asked`` before sbatch is called, ``submitted`` with the job's id,
``refused``, and ``gone`` once the id means another job. A job counts only if the queue shows it under the name and user
noted here (``queue``); a stage's own manifest says whether it is done. The lock keeps two launches from submitting the
same stage at the same time.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from tabgraphsyn.data.files import append_line, write_json
from tabgraphsyn.data.untrusted import fields_of, plain_bytes
from tabgraphsyn.errors import SubmissionError, listing
from tabgraphsyn.orchestration.stored.lease import Owner
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, SubmissionForm

PLANNED, ASKED, SUBMITTED, REFUSED, GONE = "planned", "asked", "submitted", "refused", "gone"
FOLDER = "slurm"
LEDGER = "ledger.jsonl"
_LOCK = "submission.lock"
_SILENCE_S = 300.0
_WAIT_S = 600.0
_SAY_AFTER_S = 2.0
_told: set[tuple[Path, int]] = set()
_held = threading.local()


@dataclass(frozen=True)
class Submission:
    """One job or array as it was submitted.

    Attributes:
        job: Slurm's id; empty while none is known.
        campaign: name.
        name: job name, which no other submission has.
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
        state: ``planned``, ``asked`` (sbatch was called, no answer is known), ``submitted``, ``refused`` or ``gone``.
        running: most of its elements that run at once; 0: all.
        asked: when sbatch was called, in seconds since the epoch; 0 if it never was.
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
    state: str = PLANNED
    asked: float = 0.0
    running: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What no other submission has."""
        return self.script, self.name

    def element_id(self, index: int) -> str:
        """Return the id that squeue shows for an element; of a lane, the id of all its tasks."""
        return f"{self.job}_{index}" if self.is_array and not self.is_lane else self.job

    def log(self, index: int) -> Path:
        """Return the file of what an element printed outside its stages' own logs."""
        return Path(self.script).parent / f"{self.element_id(index)}_0_log.out"


def folder_of(output_dir: Path) -> Path:
    """Return the folder of ledger, lock and launches."""
    return output_dir / FOLDER


def append(output_dir: Path, *submissions: Submission) -> None:
    """Add a line each, flushed to disk: from here on every command knows of them."""
    for submission in submissions:
        append_line(folder_of(output_dir) / LEDGER, json.dumps(asdict(submission), separators=(",", ":")))


def note(output_dir: Path, submission: Submission, event: str, **details: Any) -> Submission:
    """Add what became of a submission; return it as it is then."""
    entry = {"event": event, "name": submission.name, "script": submission.script, "time": round(time.time(), 3)}
    append_line(folder_of(output_dir) / LEDGER, json.dumps({**entry, **details}, separators=(",", ":")))
    return after(submission, {**entry, **details})


def after(submission: Submission, entry: Mapping[str, Any]) -> Submission:
    """Return a submission as it is after an event."""
    event = entry["event"]
    if event == ASKED:
        return replace(submission, state=event, asked=float(entry["time"]), dependency=entry.get("dependency"))
    if event == SUBMITTED:
        return replace(submission, state=event, job=_checked_job(entry["job"]))
    return replace(submission, state=event, job="" if event == REFUSED else submission.job)


def read(output_dir: Path) -> list[Submission]:
    """Return all submissions, oldest first; a line that cannot be read is left out, with a word on stderr."""
    path = folder_of(output_dir) / LEDGER
    if not os.path.lexists(path):
        return []
    found: list[Submission] = []
    places: dict[tuple[str, str], int] = {}
    bad: list[int] = []
    for number, line in enumerate(plain_bytes(path, MOST_RECORD_BYTES).splitlines(), 1):
        try:
            raw = json.loads(line)
            key = (raw["script"], raw["name"])
            if "event" in raw:
                found[places[key]] = after(found[places[key]], raw)
            else:
                found.append(_submission(raw))
                places[key] = len(found) - 1
        except (ValueError, TypeError, KeyError, AttributeError):
            bad.append(number)
    _tell(path, bad)
    return found


def _submission(raw: dict[str, Any]) -> Submission:
    known = {each.name for each in fields(Submission)}
    own = {key: value for key, value in raw.items() if key in known}
    form = msgspec.convert(own, SubmissionForm, str_keys=True)  # what it refuses is a ValueError
    elements = {index: tuple(stages) for index, stages in form.elements.items()}
    job = _checked_job(form.job)
    return Submission(**{**fields_of(form), "elements": elements, "state": SUBMITTED if job else PLANNED})


def _checked_job(job: object) -> str:
    """Return a job id that is one, or empty: anything else would spoil every question that names it."""
    if not isinstance(job, str) or not ((job.isascii() and job.isdecimal()) or not job):
        raise ValueError(f"{job!r} is no job id")
    return job


def _tell(path: Path, bad: Sequence[int]) -> None:
    if bad and (path, len(bad)) not in _told:
        _told.add((path, len(bad)))
        lines = listing([str(number) for number in bad], 5)
        print(f"{path}: {len(bad)} lines cannot be read and are left out: {lines}", file=sys.stderr)


def latest_elements(submissions: Sequence[Submission]) -> dict[str, tuple[Submission, int]]:
    """Return the last submission and index of every stage that was ever to be submitted."""
    return {
        stage_id: (submission, index)
        for submission in submissions
        for index, stages in submission.elements.items()
        for stage_id in stages
    }


@contextmanager
def submission_lock(output_dir: Path, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold the right to submit to this store; whoever holds it already may ask for it again.

    Raises:
        SubmissionError: another launch holds it for longer than ``wait_s``.
    """
    folder = folder_of(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    mine: set[tuple[int, Path]] = _held.__dict__.setdefault("folders", set())
    key = (os.getpid(), folder.resolve())
    if key in mine:
        yield
        return
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
        mine.add(key)
        try:
            yield
        finally:
            mine.discard(key)
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
