"""``python -m tabgraphsyn.tracking.wandb_mirror STAGE_FOLDER``: a stage's ``metrics.jsonl`` as a W&B run.

The only file that imports wandb. It writes an offline run whatever the mode, because that needs no network and no key;
online, a second process uploads that run while it grows. Offline runs give one directory per restart and count steps
anew, so the stage's own count is logged as ``global_step`` and is the x axis of everything. Nothing can be taken back
from a run: after a restart, steps that are in an earlier directory are not logged again.

It ends when its standard input does; the last line that it prints is what it could not do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import append_line
from tabgraphsyn.tracking.jsonl import step_lines
from tabgraphsyn.tracking.wandb import FOLDER, LATER, LEDGER, Mirror

STEP = "global_step"

_TURN_S = 0.5
_LEAVE_S = 0.5
_FLUSH_S = 1.0  # wandb-core holds lines back for so long; what it holds a kill takes with it
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_OF_A_RUN = ("WANDB_MODE", "WANDB_DISABLED", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_SERVICE", "WANDB_DIR")


class Stop:
    """Set once standard input ends; ``wait_s`` is how long the end may take."""

    def __init__(self) -> None:
        self.at = threading.Event()
        self.end = float("inf")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        text = sys.stdin.read()
        self.end = time.monotonic() + (float(json.loads(text)["wait_s"]) if text else 0.0)
        self.at.set()


class Lines:
    """New lines of a ``metrics.jsonl`` that grows and now and then is written anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = -1
        self._position = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield whole lines that were not read yet; after a rewind, all of them."""
        try:
            with self._path.open("rb") as handle:
                inode = os.fstat(handle.fileno()).st_ino
                if inode != self._inode:
                    self._inode, self._position = inode, 0
                handle.seek(self._position)
                text = handle.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        yield from step_lines(whole.decode("utf-8", errors="replace"))


def main(arguments: list[str] | None = None) -> None:
    """Mirror the stage whose folder is named."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0])
    stop = Stop()
    with tempfile.TemporaryDirectory(prefix="tgs-wandb-", ignore_cleanup_errors=True) as scratch:
        # Its own logs and caches would fill a home directory: two files a stage. What wandb keeps in the folder for
        # passing files while it lives would stay there: this process leaves without a farewell.
        tempfile.tempdir = scratch
        os.environ.update(WANDB_CACHE_DIR=scratch, WANDB_DATA_DIR=scratch, WANDB_SILENT="true")
        for name in _OF_A_RUN:
            os.environ.pop(name, None)
        try:
            said = _mirrored(folder, stop)
        except Exception as error:  # whatever a sink does, the stage only gets to hear of it
            said = f"{type(error).__name__}: {_last_line(str(error))}. {LATER}"
        print(said, flush=True)
    os._exit(0)  # wandb's own farewell waits for what hangs


def _mirrored(folder: Path, stop: Stop) -> str:
    """Write the offline run until the stage ends; return what could not be done."""
    import wandb

    mirror = Mirror.read(folder)
    if mirror is None:
        return f"{folder / FOLDER}: nothing says what run to make. Metrics stand in metrics.jsonl."
    earlier = _directories(folder)
    run = wandb.init(
        **mirror.run,
        mode="offline",
        dir=str(folder),
        resume="allow",
        settings=wandb.Settings(
            console="off",
            silent=True,
            # What was typed and what is installed is in done.json and campaign.json; here it would be uploaded.
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            disable_git=True,
            save_code=False,
            disable_job_creation=True,
            x_transaction_log_flush_interval=_FLUSH_S,
        ),
    )
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP)
    own = next(iter(set(_directories(folder)) - set(earlier)), None)
    upload = Upload(folder, own, earlier) if mirror.is_online and own is not None else None
    _follow(folder, mirror, run, stop)
    run.finish()
    if own is not None:
        _prune(own)
    return upload.ended(stop.end) if upload is not None else ""


def _follow(folder: Path, mirror: Mirror, run: Any, stop: Stop) -> None:
    """Log what is new, turn by turn; what a kill may still take is noted as logged only later."""
    lines = Lines(folder / "metrics.jsonl")
    last_step = sure = mirror.last_step
    held: deque[tuple[float, int]] = deque()
    while True:
        is_last = stop.at.wait(_TURN_S)
        for line in lines.new():
            if line["step"] > last_step:
                last_step = line["step"]
                run.log({STEP: last_step, **_numbers(line)})
        held.append((time.monotonic(), last_step))
        if is_last:
            replace(mirror, last_step=last_step, is_complete=True).write(folder)
            return
        while held and time.monotonic() - held[0][0] > 2 * _FLUSH_S:
            _, step = held.popleft()
            if step > sure:
                sure = step
                replace(mirror, last_step=sure).write(folder)


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured, numbers that json has no word for included."""
    return {
        key: float(value) if isinstance(value, str) else value
        for key, value in line.items()
        if key not in ("step", "time_s") and (isinstance(value, int | float) or value in ("nan", "inf", "-inf"))
    }


class Upload:
    """``wandb beta sync --live`` beside the run. If earlier directories of the run still wait, so does this one."""

    def __init__(self, folder: Path, own: Path, earlier: list[Path]) -> None:
        self._own = own
        self._ledger = folder.parents[2] / LEDGER
        self._said = ""
        self._process: subprocess.Popen[str] | None = None
        sent = self._ledger.read_text(encoding="utf-8", errors="replace") if self._ledger.exists() else ""
        if any(str(path) not in sent for path in earlier):
            self._said = f"earlier attempts were not uploaded yet, and they come first. {LATER}"
            return
        path = next(iter(own.glob("*.wandb")))
        self._logs = tempfile.mkdtemp(prefix="wandb-")  # they would lie in the folder where somebody typed the launch
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wandb", "beta", "sync", "--live", "--yes", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "WANDB_SILENT": "false", "WANDB_DIR": self._logs},
        )

    def ended(self, end: float) -> str:
        """Wait until ``end`` (of the monotonic clock) for the last lines; return what could not be done."""
        if self._process is None:
            return self._said
        try:
            out, _ = self._process.communicate(timeout=max(0.1, end - time.monotonic() - _LEAVE_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
            return f"the server did not take all of it in time. {LATER}"
        finally:
            shutil.rmtree(self._logs, ignore_errors=True)
        # It ends with 0 also where it was refused; what it says of an upload tells.
        if self._process.returncode or "Finished syncing" not in out:
            return f"not uploaded: {_last_line(out)}. {LATER}"
        size = sum(path.stat().st_size for path in self._own.glob("*.wandb"))
        append_line(self._ledger, json.dumps({"folder": str(self._own), "bytes": size, "time": round(time.time(), 3)}))
        return ""


def _directories(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("offline-run-*"))


def _prune(directory: Path) -> None:
    """Leave of an offline run what an upload needs: one file."""
    for name in ("files", "logs", "tmp"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for path in directory.parent.iterdir():
        if path.is_symlink() or path.suffix == ".log":
            path.unlink(missing_ok=True)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300].rstrip(".") if lines else "no message"


if __name__ == "__main__":
    main()
