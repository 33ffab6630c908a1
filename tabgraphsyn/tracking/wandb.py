"""Weights & Biases on top of ``metrics.jsonl``, in a process of its own: what it does or fails to do decides nothing.

The stage writes ``metrics.jsonl`` and goes on; ``wandb_mirror`` follows that file into an offline run and, where the
mode is online, uploads it meanwhile. A server that refuses, hangs or is not there costs a stage the seconds that
``close`` waits, and ``tabgraphsyn sync`` uploads later. A stage that logs nothing has no run.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.tracking.base import Line, RunIdentity, Tracker

FOLDER = "wandb"
RUN = "run.json"
LEDGER = "wandb_sync.jsonl"
"""Beside the store: which directories were uploaded, and how large they were."""

CLOSE_S = 4.0
"""Longest time that the end of a stage waits for the upload of what it logged."""

_KILL_S = 0.5
LATER = "Metrics stand in metrics.jsonl and in an offline run; `tabgraphsyn sync` uploads it later."


@dataclass(frozen=True)
class Mirror:
    """What ``wandb/run.json`` of a stage says: how its run is made, and how far it got.

    Attributes:
        run: arguments of ``wandb.init``.
        is_online: upload while the stage runs.
        last_step: of the lines that are in offline runs for sure.
        is_complete: the last attempt's offline run holds every line.
    """

    run: Mapping[str, Any]
    is_online: bool
    last_step: int = -1
    is_complete: bool = False

    def write(self, folder: Path) -> None:
        """Write it to a stage's folder. Without waiting for the disk: a power cut costs repeated steps."""
        write_json(folder / FOLDER / RUN, vars(self), flush=False)

    @staticmethod
    def read(folder: Path) -> Mirror | None:
        """Return what a stage's folder holds; None where there is none or it cannot be read."""
        try:
            return Mirror(**read_json(folder / FOLDER / RUN))
        except (OSError, ValueError, TypeError):
            return None


class WandbTracker(Tracker):
    """One W&B run a stage, named by its signature and grouped by its sweep point; started by its first line.

    Args:
        run: what is tracked; the stage sets it.
        project: of W&B.
        entity: W&B user or team; None takes the default of the account.
        mode: ``offline`` writes runs that ``tabgraphsyn sync`` uploads; ``online`` uploads them meanwhile, too.
        tags: of every run.
    """

    def __init__(
        self,
        *,
        run: RunIdentity,
        project: str = "tabgraphsyn",
        entity: str | None = None,
        mode: str = "offline",
        tags: Sequence[str] = (),
    ) -> None:
        self._folder = run.folder
        self._mirror = Mirror(
            run={
                "project": project,
                "entity": entity,
                "tags": list(tags),
                "id": run.run_id,
                "name": run.name,
                "group": run.group,
                "config": dict(run.config),
            },
            is_online=mode == "online",
        )
        self._process: subprocess.Popen[str] | None = None
        self._failed = False

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Start the mirror with the first line; the lines it reads from ``metrics.jsonl``."""
        if self._process is not None or self._failed:
            return
        try:
            former = Mirror.read(self._folder)
            last_step = -1 if former is None else former.last_step
            Mirror(self._mirror.run, self._mirror.is_online, last_step).write(self._folder)
            self._process = start_mirror(self._folder)
        except OSError as error:
            self._failed = True
            _say(f"could not be started ({error}). Metrics stand in metrics.jsonl.")

    def rewind(self, step: int, recorded: Sequence[Line] | None = None) -> None:
        """Keep what was logged: an offline run cannot forget, and repeated steps are left out by the mirror."""

    def close(self) -> None:
        """Let the mirror finish; say once, in the stage's log, what it could not do."""
        if self._process is None:
            return
        said = finish_mirror(self._process, CLOSE_S)
        self._process = None
        if said:
            _say(said)


def start_mirror(folder: Path) -> subprocess.Popen[str]:
    """Start the process that follows a stage's ``metrics.jsonl`` until its standard input is closed."""
    return subprocess.Popen(
        [sys.executable, "-m", "tabgraphsyn.tracking.wandb_mirror", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        # Ctrl-C on the launch and a scheduler's signals to the stage are not meant for it: it ends when the stage does.
        start_new_session=True,
    )


def finish_mirror(process: subprocess.Popen[str], wait_s: float) -> str:
    """Tell a mirror that nothing more comes and wait for it; return what it could not do, or an empty string."""
    try:
        out, _ = process.communicate(json.dumps({"wait_s": wait_s}), timeout=wait_s + _KILL_S)
    except (subprocess.TimeoutExpired, OSError):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        return f"no end in {wait_s:.0f} s. {LATER}"
    lines = out.strip().splitlines()
    return lines[-1] if lines else "" if process.returncode == 0 else f"ended with {process.returncode}. {LATER}"


def forget_mirrored(folder: Path) -> None:
    """Remove what only a further attempt would need from a done stage whose offline run is whole."""
    found = Mirror.read(folder)
    if found is not None and found.is_complete:
        (folder / FOLDER / RUN).unlink(missing_ok=True)


def _say(text: str) -> None:
    logging.getLogger("tabgraphsyn").warning("W&B: %s", text)
