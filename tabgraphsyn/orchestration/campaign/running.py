"""Which process runs a campaign: ``runner.json`` in its folder, for ``status`` and ``cancel``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import plain_json
from tabgraphsyn.errors import DataError, StageError
from tabgraphsyn.orchestration.stored.lease import Owner

RUNNER = "runner.json"


@dataclass(frozen=True)
class RunnerRecord:
    """The process that runs a campaign, or ran it last."""

    owner: Owner
    started: float
    ended: float | None = None

    def is_alive(self) -> bool | None:
        """Return whether it runs; None where that cannot be told from this machine."""
        if self.ended is not None or self.owner.is_dead():
            return False
        return True if self.owner.boot == Owner.current().boot else None


@contextmanager
def announced(folder: Path) -> Iterator[None]:
    """Record this process as the campaign's runner while the block runs."""
    path = folder / RUNNER
    record = {"owner": asdict(Owner.current()), "started": time.time()}
    write_json(path, record)
    try:
        yield
    finally:
        with suppress(OSError):  # a full disk must not hide how the run ended
            write_json(path, {**record, "ended": time.time()})


def read_runner(folder: Path) -> RunnerRecord | None:
    """Return the campaign's runner, or None if it never ran on a machine of its own.

    Raises:
        StageError: the record cannot be read.
    """
    path = folder / RUNNER
    try:
        raw = plain_json(path)
        return RunnerRecord(Owner(**raw["owner"]), raw["started"], raw.get("ended"))
    except FileNotFoundError:
        return None
    except (DataError, ValueError, TypeError, KeyError) as error:
        raise StageError(f"{path}: not the record of a runner ({error}). Remove the file.") from error


def detached(command: Sequence[str], folder: Path) -> int:
    """Start a command in a session of its own, its output appended to ``launch.log``; return the process id."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "launch.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    return process.pid


def ask_to_stop(owner: Owner) -> bool:
    """Send SIGTERM to a process of this machine; return False if it is gone or elsewhere."""
    if owner.boot != Owner.current().boot or owner.is_dead():
        return False
    try:
        os.kill(owner.pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True
