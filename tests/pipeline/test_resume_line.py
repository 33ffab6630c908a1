"""Kills, Ctrl-C and damage anywhere in the line: the next launch ends where an undisturbed one ends, bit by bit."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from user_commands import LIGHT_EVALUATION, Ended, Shell, file_hashes

from tabgraphsyn.orchestration.computing.attempt_log import attempt_lines
from tabgraphsyn.orchestration.stored import store
from tabgraphsyn.orchestration.stored.lease import attempt_numbers

STEPS = (
    "training=quick",
    "gnn=gin",
    "training.gnn.steps=15",
    "training.absorbing.steps=80",
    "training.gnn.save_every_s=0.01",
    "training.absorbing.save_every_s=0.3",
)
RESULTS = ("synthetic/*", "*.safetensors", "*.npy", "tables/*.parquet", "codec/*.json", "structure.json")


@dataclass(frozen=True)
class Running:
    """A launch in a process group of its own."""

    process: subprocess.Popen[str]
    outputs: Path

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the whole group, as a terminal or a dying machine does, and return the exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=200)

    def wait_for(self, pattern: str, timeout_s: float = 200) -> Path:
        """Return the first path in the outputs that matches."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = next(iter(sorted(self.outputs.glob(pattern))), None)
            if found is not None:
                return found
            assert self.process.poll() is None, f"it ended before there was {pattern}"
            time.sleep(0.02)
        raise AssertionError(f"no {pattern} within {timeout_s} s")


def command(source: Path, outputs: Path, *overrides: str) -> list[str]:
    dataset = ("dataset=folder", f"dataset.path={source}", f"output_dir={outputs}")
    return [*dataset, *STEPS, *LIGHT_EVALUATION, "cluster.threads=1", *overrides]


def start(shell: Shell, arguments: Sequence[str], outputs: Path) -> Running:
    process = subprocess.Popen(
        [sys.executable, "-m", "tabgraphsyn.launch", *arguments],
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    return Running(process, outputs)


def results(outputs: Path) -> dict[str, str]:
    """Return the hash of everything that a stage published and a seed decides."""
    found = file_hashes(outputs / "stages", [f"*/*/artifacts/**/{name}" for name in RESULTS])
    assert len(found) > 20
    return found


def scores(outputs: Path) -> list[object]:
    (path,) = (outputs / "stages" / "evaluate").glob("*/artifacts/metrics.json")
    found: list[object] = json.loads(path.read_text())["scores"]
    return found


def report(outputs: Path) -> list[str]:
    """Return the report without what says when, how long something took and how much memory."""
    (path,) = (outputs / "stages" / "report").glob("*/artifacts/report.html")
    timed = ("rows_per_s", "<td>cpu</td>")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not any(word in line for word in timed)]
    times = re.compile(r"([\d.]+ min )?[\d.]+ s\b|\d{4}-\d\d-\d\d \d\d:\d\d(?=</td>)")
    return [times.sub("", line) for line in lines]


@pytest.fixture(scope="module")
def undisturbed(two_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shell = Shell(tmp_path_factory.mktemp("undisturbed"), {"PYTHONHASHSEED": "1"})
    outputs = shell.folder / "outputs"
    assert shell.launch(*command(two_tables, outputs, "cluster.workers=1")).counts[1] == 0
    return outputs


@pytest.fixture
def finished(undisturbed: Path, tmp_path: Path) -> Path:
    """A finished store of a test's own."""
    return Path(shutil.copytree(undisturbed, tmp_path / "outputs", symlinks=True))


@pytest.mark.slow
def test_kills_at_random_moments_leave_no_trace(two_tables: Path, undisturbed: Path, tmp_path: Path):
    """Another hash seed, another folder and another number of workers change nothing either."""
    shell = Shell(tmp_path, {"PYTHONHASHSEED": "7"})
    outputs = tmp_path / "elsewhere"
    arguments = command(two_tables, outputs, "cluster.workers=2")
    moments = random.Random(f"{time.time_ns()}")
    for pattern in ("stages/gnn/*/checkpoints/step-*", "stages/absorbing/*/checkpoints/step-*", "stages/sample/*"):
        running = start(shell, arguments, outputs)
        running.wait_for(pattern)
        time.sleep(moments.uniform(0, 0.4))
        assert running.signal(signal.SIGKILL) in (-signal.SIGKILL, 0)
    shell.launch(*arguments)
    assert results(outputs) == results(undisturbed)
    assert scores(outputs) == scores(undisturbed)
    assert report(outputs) == report(undisturbed)
    assert shell.launch(*arguments).counts[0] == 0


@pytest.mark.slow
def test_ctrl_c_ends_with_its_own_exit_code_and_resumes(two_tables: Path, undisturbed: Path, tmp_path: Path):
    shell = Shell(tmp_path)
    outputs = tmp_path / "outputs"
    running = start(shell, command(two_tables, outputs), outputs)
    running.wait_for("stages/absorbing/*/checkpoints/step-*")
    assert running.signal(signal.SIGINT) == 75
    attempts = [json.loads(path.read_text()) for path in outputs.glob("stages/absorbing/*/attempts/*.json")]
    assert "interrupted" in {attempt["outcome"] for attempt in attempts}
    assert not list(outputs.glob("stages/*/*/.artifacts-*/manifest.json"))
    text = shell.verb("status", "--output-dir", str(outputs)).out
    assert "stopped" in text and "the same launch resumes it" in text
    again = shell.launch(*command(two_tables, outputs))
    assert again.counts[1] >= 4
    assert results(outputs) == results(undisturbed)


def test_a_corrupted_checkpoint_falls_back_to_the_one_before(
    two_tables: Path,
    undisturbed: Path,
    finished: Path,
    here: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
):
    (stage,) = (finished / "stages" / "gnn").iterdir()
    assert not (stage / "checkpoints").exists()  # a done stage keeps none
    (stage / "done.json").unlink()
    shutil.rmtree(stage / "artifacts")
    with monkeypatch.context() as killed_before_it_tidied:
        killed_before_it_tidied.setattr(store, "clear_checkpoints", lambda folder: None)
        assert here(*command(two_tables, finished, "cluster=inline")).counts[0] == 1
    before, newest = sorted((stage / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))
    content = (newest / "model.safetensors").read_bytes()
    (newest / "model.safetensors").write_bytes(content[:-8] + b"\xff" * 8)
    (stage / "done.json").unlink()
    shutil.rmtree(stage / "artifacts")
    assert here(*command(two_tables, finished, "cluster=inline")).counts[0] == 1
    log = "\n".join(attempt_lines(stage, attempt_numbers(stage)[-1], 1000))
    assert f"{newest.name}: damaged checkpoint" in log and f"resumed at {before.name.replace('-', ' ')} of" in log
    assert results(finished) == results(undisturbed)


@pytest.mark.parametrize("kind", ["prepare", "autoencoder", "gnn", "absorbing", "sample", "evaluate"])
def test_a_truncated_result_is_noticed_and_computed_again(
    two_tables: Path, undisturbed: Path, finished: Path, here: Callable[..., Ended], kind: str
):
    path = max((finished / "stages" / kind).glob("*/artifacts/**/*.*"), key=lambda each: each.stat().st_size)
    path.write_bytes(path.read_bytes()[:-20])
    ended = here(*command(two_tables, finished, "cluster=inline"))
    assert ended.counts[0] == 1
    assert results(finished) == results(undisturbed)


def test_a_changed_byte_is_refused_with_the_way_out(
    two_tables: Path, undisturbed: Path, finished: Path, here: Callable[..., Ended]
):
    (path,) = (finished / "stages" / "gnn").glob("*/artifacts/gnn.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(4))
    ended = here(*command(two_tables, finished, "cluster=inline", "sampling.scale=2"), code=3)
    assert "gnn.safetensors: the content is not what was published" in ended.out
    assert "tabgraphsyn verify --repair" in ended.out
    assert "Traceback" not in ended.out + ended.err
    shell = Shell(finished.parent)
    assert "taken back" in shell.verb("verify", "--repair", "--output-dir", str(finished)).out
    here(*command(two_tables, finished, "cluster=inline"))
    assert results(finished) == results(undisturbed)
