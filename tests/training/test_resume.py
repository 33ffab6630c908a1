"""A run that is killed and started again ends as one that was not, bit for bit."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killable.py")
ROOT = Path(__file__).parents[2]
EXIT_INTERRUPTED = 75
PAUSE_S = 0.2
"""A pause a step, of a training that a signal is to meet: only what comes before the signal is waited for."""
TIMES = {"time_s", "rows_per_s"}
STEPS = 40


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Server:
    """Forks children that train; each is a process of its own that can be killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )

    def run(
        self,
        folder: Path,
        send: signal.Signals | None = None,
        after_s: float | None = None,
        **arguments: object,
    ) -> int:
        """Train in ``folder`` and return the exit code (-9: killed).

        A signal is sent after ``after_s`` seconds, or as soon as there is a checkpoint.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"folder": str(folder), **arguments}) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        if send is not None:
            deadline = time.monotonic() + 120
            if after_s is not None:
                time.sleep(after_s)
            while after_s is None and not list(folder.glob("checkpoints/step-*")) and time.monotonic() < deadline:
                time.sleep(0.005)
            # The server reaps the child, so its pid may be gone by now: then the run had ended.
            with suppress(ProcessLookupError):
                os.kill(pid, send)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def _result(folder: Path) -> dict[str, object]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "weights": (folder / "weights.safetensors").read_bytes(),
        "summary": json.loads((folder / "summary.json").read_text()),
        # A report shows them in this order: it is compared too.
        "metrics": [[(key, value) for key, value in line.items() if key not in TIMES] for line in lines],
    }


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert server.run(folder, save_every_s=1e9) == 0
    return _result(folder)


def test_saving_changes_nothing(server: Server, undisturbed: dict[str, object], tmp_path: Path) -> None:
    assert server.run(tmp_path, save_every_s=1e-9) == 0
    assert _result(tmp_path) == undisturbed
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == [f"step-{STEPS - 1}", f"step-{STEPS}"]


@pytest.mark.parametrize("kills", [(0,), (1,), (13, 14, 29), (39,)])
def test_killed_inside_a_step(
    server: Server, undisturbed: dict[str, object], tmp_path: Path, kills: tuple[int, ...]
) -> None:
    for step in kills:
        assert server.run(tmp_path, kill_at=step) == -signal.SIGKILL
    assert server.run(tmp_path, save_every_s=0.1) == 0
    assert _result(tmp_path) == undisturbed


def test_killed_long_after_the_last_checkpoint(server: Server, undisturbed: dict[str, object], tmp_path: Path) -> None:
    assert server.run(tmp_path, send=signal.SIGTERM, pause_s=PAUSE_S) == EXIT_INTERRUPTED
    # No checkpoint from here on: the lines that were logged after the last one must be dropped.
    assert server.run(tmp_path, save_every_s=1e9, kill_at=38) == -signal.SIGKILL
    assert server.run(tmp_path, save_every_s=1e9) == 0
    assert _result(tmp_path) == undisturbed


@pytest.mark.parametrize("draw", range(3))
def test_killed_at_any_moment(server: Server, undisturbed: dict[str, object], tmp_path: Path, draw: int) -> None:
    """SIGKILL and SIGTERM at random times; with a checkpoint a step most of them strike while one is written."""
    chance = random.Random(draw)
    stops = 0
    for _ in range(8):
        sent = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2])
        # Forty pauses are far longer than any of these waits: the first attempt never gets through.
        code = server.run(tmp_path, send=sent, after_s=chance.uniform(0.0, 0.35), pause_s=0.05)
        if code == 0:
            break
        assert code in (-sent, EXIT_INTERRUPTED)
        stops += 1
        assert not (tmp_path / "weights.safetensors").exists()
    else:
        assert server.run(tmp_path) == 0
    assert stops > 0
    assert _result(tmp_path) == undisturbed


@pytest.fixture(scope="module")
def half_way(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("half_way")
    assert server.run(folder, kill_at=30) == -signal.SIGKILL
    return folder


@pytest.mark.parametrize("harm", ["truncate", "flip", "state", "missing", "part", "all"])
def test_damaged_checkpoint(
    server: Server, undisturbed: dict[str, object], half_way: Path, tmp_path: Path, harm: str
) -> None:
    shutil.copytree(half_way, tmp_path, dirs_exist_ok=True)
    checkpoints = tmp_path / "checkpoints"
    last, before = checkpoints / "step-30", checkpoints / "step-29"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step-29", "step-30"]
    target = last / "optimizer.safetensors"
    content = target.read_bytes()
    if harm == "truncate":
        target.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        target.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif harm == "state":
        (last / "state.json").write_text('{"step": 30, "sha2')
    elif harm == "missing":
        (last / "model.safetensors").unlink()
    elif harm == "part":
        shutil.copytree(last, checkpoints / ".step-31.0123abcd.part")
    else:
        target.write_bytes(b"")
        (before / "state.json").unlink()
    assert server.run(tmp_path, save_every_s=1e9) == 0
    assert _result(tmp_path) == undisturbed
    log = (tmp_path / "log").read_text()
    expected = {"part": ("left by a writer", "resumed at step 30"), "all": ("starts anew",)}
    for text in expected.get(harm, ("step-30: damaged checkpoint", "resumed at step 29")):
        assert text in log
    assert not list(checkpoints.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_signal_saves_and_leaves_with_its_own_code(
    server: Server, undisturbed: dict[str, object], tmp_path: Path, number: signal.Signals
) -> None:
    assert server.run(tmp_path, send=number, pause_s=PAUSE_S) == EXIT_INTERRUPTED
    assert "as asked, its state saved" in (tmp_path / "log").read_text()
    assert list((tmp_path / "checkpoints").glob("step-*"))
    assert server.run(tmp_path, save_every_s=1e9) == 0
    assert _result(tmp_path) == undisturbed


def test_a_finished_run_is_not_trained_again(server: Server, undisturbed: dict[str, object], tmp_path: Path) -> None:
    assert server.run(tmp_path) == 0
    # It died between the last step and its result.
    (tmp_path / "weights.safetensors").unlink()
    assert server.run(tmp_path, kill_at=STEPS - 1) == 0
    assert _result(tmp_path) == undisturbed


def test_in_a_fresh_interpreter(server: Server, undisturbed: dict[str, object], tmp_path: Path) -> None:
    """The attempt that goes on shares nothing with the one that was killed."""
    assert server.run(tmp_path, kill_at=23) == -signal.SIGKILL
    command = [sys.executable, str(SCRIPT), json.dumps({"folder": str(tmp_path), "save_every_s": 1e9})]
    assert subprocess.run(command, env=_environment(), timeout=120).returncode == 0
    assert _result(tmp_path) == undisturbed
