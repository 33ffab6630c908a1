"""Who runs a stage: one file an attempt, claimed exclusively, kept alive by its modification time.

``attempts/<n>.json`` is created with ``link``, which fails if it exists, also on NFS: of two processes that want the
same attempt one gets it. The highest number holds the stage. An older attempt that comes back to life finds a higher
number and must not publish: that is the fence.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import platform
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import plain_json
from tabgraphsyn.errors import DataError, StageError
from tabgraphsyn.orchestration.stored.packed import packed_attempts
from tabgraphsyn.redaction import redacted

ATTEMPTS = "attempts"


@dataclass(frozen=True)
class Owner:
    """The process that runs an attempt.

    Attributes:
        host: node name.
        boot: identifies the running kernel and the process namespace: process ids mean something only within it.
        pid: process id.
        born: start time of the process, because process ids are used again.
        user: login name.
        job: scheduler's job id, or None.
        restart: how often the scheduler restarted the job.
    """

    host: str
    boot: str
    pid: int
    born: float
    user: str
    job: str | None = None
    restart: int = 0

    @staticmethod
    def current() -> Owner:
        """Return the owner that this process is."""
        import psutil

        return Owner(
            host=platform.node(),
            boot=_boot(),
            pid=os.getpid(),
            born=psutil.Process().create_time(),
            user=_user(),
            job=os.environ.get("SLURM_JOB_ID"),
            restart=int(os.environ.get("SLURM_RESTART_COUNT") or 0),
        )

    def is_dead(self) -> bool:
        """Return True if the process is known to be gone; False also where nobody can tell from here."""
        if self.boot != _boot():
            return False
        import psutil

        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.born) > 1.0
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    def yields_to(self, other: Owner) -> bool:
        """Return True if the scheduler replaced this owner by ``other``: the same job, restarted."""
        return self.job is not None and self.job == other.job and self.restart < other.restart


def _boot() -> str:
    parts = []
    for path, read in (("/proc/sys/kernel/random/boot_id", _text), ("/proc/self/ns/pid", os.readlink)):
        try:
            parts.append(read(path))
        except OSError:
            parts.append(platform.node())
    return ":".join(parts)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="ascii").strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@dataclass(frozen=True)
class Attempt:
    """One recorded attempt.

    Attributes:
        number: from 1.
        owner: who ran it.
        started: seconds since the epoch.
        heartbeat: seconds since the epoch, by the file system's clock.
        outcome: ``done``, ``failed``, ``interrupted``, ``fenced``; None while it runs or died without a word.
        ended: seconds since the epoch, or None.
        exit_code: of the worker.
        error: the last line a user reads.
        notes: how it was run, in order: from which step in how many micro-batches, for example.
    """

    number: int
    owner: Owner
    started: float
    heartbeat: float
    outcome: str | None = None
    ended: float | None = None
    exit_code: int | None = None
    error: str | None = None
    notes: tuple[Mapping[str, Any], ...] = ()

    def is_running(self, timeout_s: float, now: float | None = None) -> bool:
        """Return True unless the attempt ended, its process is gone, or it was silent for ``timeout_s``.

        A heartbeat from the future is none: whoever lives puts it right with the next one, and whoever died under a
        clock that jumped must not hold the stage until that time has come.
        """
        if self.outcome is not None or self.owner.is_dead():
            return False
        return abs((time.time() if now is None else now) - self.heartbeat) <= timeout_s


def attempt_numbers(folder: Path) -> list[int]:
    """Return the numbers of all recorded attempts of a stage, rising."""
    try:
        names = [path.name for path in (folder / ATTEMPTS).iterdir()]
    except FileNotFoundError:
        names = []
    found = [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()]
    return sorted({*found, *packed_attempts(folder)})


def read_attempt(folder: Path, number: int) -> Attempt:
    """Return a recorded attempt.

    Raises:
        StageError: the file cannot be read as an attempt.
    """
    path = folder / ATTEMPTS / f"{number}.json"
    try:
        raw = _raw_attempt(path) or dict(packed_attempts(folder)[number])
        owner = Owner(**raw.pop("owner"))
        raw["notes"] = tuple(raw.get("notes", ()))
        return Attempt(number=number, owner=owner, **raw)
    except (DataError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StageError(f"{path}: not a record of an attempt ({error}). Remove the file and launch again.") from error


def _raw_attempt(path: Path) -> dict[str, Any] | None:
    """Return what an attempt's own file says; None if there is none, or none any more."""
    try:
        return {**plain_json(path), "heartbeat": path.stat().st_mtime}
    except (FileNotFoundError, DataError):
        if os.path.lexists(path):
            raise
        return None


def latest_attempt(folder: Path) -> Attempt | None:
    """Return the attempt that holds the stage, or held it last."""
    numbers = attempt_numbers(folder)
    return read_attempt(folder, numbers[-1]) if numbers else None


class Lease:
    """The right of this process to publish a stage, as long as no higher attempt exists."""

    def __init__(self, folder: Path, number: int, record: Mapping[str, Any]) -> None:
        self.folder = folder
        self.number = number
        self._record = dict(record)
        self._path = folder / ATTEMPTS / f"{number}.json"

    def beat(self) -> None:
        """Say that this attempt lives. The file server's clock is used, so nodes' clocks may differ."""
        with contextlib.suppress(FileNotFoundError):  # a later attempt is done and its records are packed: not held
            os.utime(self._path)

    def is_held(self) -> bool:
        """Return True while no later attempt took the stage over."""
        numbers = attempt_numbers(self.folder)
        return bool(numbers) and numbers[-1] == self.number

    def note(self, note: Mapping[str, Any]) -> None:
        """Record how this attempt is run, at once: it may be killed later."""
        self._record["notes"] = [*self._record.get("notes", []), dict(note)]
        write_json(self._path, self._record)

    def end(self, outcome: str, exit_code: int, error: str | None = None) -> None:
        """Record how this attempt ended."""
        ending = {"outcome": outcome, "ended": time.time(), "exit_code": exit_code, "error": error and redacted(error)}
        write_json(self._path, {**self._record, **ending})


def acquire(folder: Path, owner: Owner, timeout_s: float) -> Lease | None:
    """Return a lease of the stage, or None while another attempt runs it.

    A stage is taken over from an attempt that ended, whose process is gone, that was silent for ``timeout_s``, or
    that the scheduler replaced by this one.
    """
    attempts = folder / ATTEMPTS
    attempts.mkdir(parents=True, exist_ok=True)
    record = {"owner": asdict(owner), "started": time.time()}
    aside = attempts / f".claim.{uuid.uuid4().hex[:8]}.part"
    write_json(aside, record)
    try:
        numbers = attempt_numbers(folder)
        if numbers:
            last = read_attempt(folder, numbers[-1])
            # The claim was written to the same file system just now: its time is comparable to a heartbeat's.
            if last.is_running(timeout_s, aside.stat().st_mtime) and not last.owner.yields_to(owner):
                return None
        number = numbers[-1] + 1 if numbers else 1
        return Lease(folder, number, record) if _claimed(aside, attempts / f"{number}.json") else None
    finally:
        aside.unlink(missing_ok=True)


def _claimed(aside: Path, path: Path) -> bool:
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        return _claimed_without_links(aside, path)
    return True


def _claimed_without_links(aside: Path, path: Path) -> bool:
    """Claim on a file system that has no hard links: exclusive creation, which is atomic on a local one."""
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(aside.read_text(encoding="utf-8"))
    except FileExistsError:
        return False
    return True
