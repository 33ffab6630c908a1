"""Upload offline W&B runs: directories of one run in start order, runs in parallel, a ledger of what was sent.

A restart of a stage leaves one directory more under the same run id; the server puts them together only if they come
in order. The server limits how often one may ask (429): a failed upload is tried again after a pause that doubles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import append_line, read_json_lines
from tabgraphsyn.orchestration.stored.store import State, Store
from tabgraphsyn.tracking.wandb import FOLDER, LEDGER, RUN, Mirror, finish_mirror, start_mirror

_FINISH_S = 60.0
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0
_TIMEOUT_S = 1800.0


def find_runs(stages: Path) -> dict[str, list[Path]]:
    """Return ``kind/signature`` -> its offline directories, oldest first; their names begin with the start time."""
    found: dict[str, list[Path]] = {}
    for path in sorted(stages.glob("*/*/wandb/offline-run-*")):
        if any(path.glob("*.wandb")):
            folder = path.parents[1]
            found.setdefault(f"{folder.parent.name}/{folder.name}", []).append(path)
    return {run: sorted(paths, key=lambda path: path.name) for run, paths in found.items()}


def finish_runs(store: Store) -> int:
    """Put into offline runs what a stage logged and its own mirror had no time for; return how many were finished.

    ``metrics.jsonl`` holds every line, so a mirror that was killed with its job is made up for here.
    """
    count = 0
    for path in sorted(store.root.glob(f"*/*/{FOLDER}/{RUN}")):
        folder = path.parents[1]
        found = Mirror.read(folder)
        is_running = store.state(f"{folder.parent.name}/{folder.name}") is State.RUNNING
        if found is None or found.is_complete or is_running:
            continue
        replace(found, is_online=False).write(folder)
        said = finish_mirror(start_mirror(folder), _FINISH_S)
        if said:
            print(f"{folder}: {said}", file=sys.stderr)
        count += not said
    return count


class Uploader:
    """Uploads directories with a command that takes one, and remembers which."""

    def __init__(
        self,
        output_dir: Path,
        command: Sequence[str],
        *,
        tries: int = 6,
        pause_s: float = _FIRST_PAUSE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = output_dir / LEDGER
        self._command = list(command)
        self._tries = tries
        self._pause_s = pause_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._sent = self._read()

    def upload(self, runs: Mapping[str, Sequence[Path]], jobs: int) -> dict[str, Any]:
        """Upload every directory that grew since it was sent; return counts and what failed."""
        with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            results = list(pool.map(self._upload_run, runs.values()))
        return {
            "uploaded": sum(result["uploaded"] for result in results),
            "known": sum(result["known"] for result in results),
            "failed": [result["failed"] for result in results if result["failed"]],
        }

    def _upload_run(self, folders: Sequence[Path]) -> dict[str, Any]:
        """Upload one run's directories in order; a failure leaves the later ones for the next time."""
        result: dict[str, Any] = {"uploaded": 0, "known": 0, "failed": None}
        for folder in folders:
            size = _size(folder)
            if self._sent.get(str(folder)) == size:
                result["known"] += 1
                continue
            error = self._tried(folder)
            if error is not None:
                result["failed"] = f"{folder}: {error}"
                break
            self._note(folder, size)
            result["uploaded"] += 1
        return result

    def _tried(self, folder: Path) -> str | None:
        """Return None once an upload went well, else the last error; its debug logs stay in no folder of the user's."""
        with tempfile.TemporaryDirectory(prefix="wandb-") as logs:
            return self._tried_with(folder, {**os.environ, "WANDB_DIR": logs})

    def _tried_with(self, folder: Path, environment: Mapping[str, str]) -> str | None:
        pause_s = self._pause_s
        error = "not tried"
        for number in range(1, self._tries + 1):
            try:
                done = subprocess.run(
                    [*self._command, str(folder)],
                    capture_output=True,
                    text=True,
                    errors="replace",
                    stdin=subprocess.DEVNULL,
                    timeout=_TIMEOUT_S,
                    env=environment,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as failure:
                return str(failure)
            if done.returncode == 0:
                return None
            said = (done.stderr or done.stdout).strip().splitlines()
            error = f"exit code {done.returncode}: {said[-1] if said else 'no message'}"
            if number < self._tries:
                self._sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return error

    def _note(self, folder: Path, size: int) -> None:
        line = json.dumps({"folder": str(folder), "bytes": size, "time": round(time.time(), 3)})
        with self._lock:
            append_line(self._ledger, line)

    def _read(self) -> dict[str, int]:
        sent = {}
        for entry in read_json_lines(self._ledger):
            try:
                sent[entry["folder"]] = int(entry["bytes"])
            except (ValueError, KeyError, TypeError):
                continue
        return sent


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.wandb"))
