"""A trained stage on several ranks of one machine: found, stopped, lost and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import safetensors.torch
import torch
from fake_stages import fake_catalog

from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.planning.signature import signature
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.stored.lease import latest_attempt

INTERRUPTED, LOST = 75, 76


def spec_for(folder: Path, action: str, ranks: int = 2, rank_timeout_s: float = 20.0) -> Path:
    config = {"fake": {"autoencoder": action}, "seed": 0}
    name = signature(stage="autoencoder", version=1, table="a", config=config, inputs={})
    node = Stage(fake_catalog().kinds["autoencoder"], "a", name, config, {})
    runtime = Runtime(
        module="ranked_stages",
        is_resumable=True,
        heartbeat_s=0.2,
        tasks_per_node=ranks,
        rank_timeout_s=rank_timeout_s,
    )
    return save_spec(folder / "stages" / node.id, node, runtime)


def worker(spec: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.computing.worker", str(spec), "--capture"]
    return subprocess.Popen(command, env=environment)


def wait_for_checkpoint(spec: Path) -> None:
    end = time.monotonic() + 120
    while not list(spec.parent.glob("checkpoints/step-*")):
        assert time.monotonic() < end, log(spec)
        time.sleep(0.02)


def log(spec: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(spec.parent.glob("logs/*.log")))


def hashes(spec: Path) -> dict[str, str]:
    done = json.loads((spec.parent / "done.json").read_text())
    return {name: each["sha256"] for name, each in done["outputs"].items()}


def weights(spec: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(spec.parent / "artifacts" / "weights.safetensors")


@pytest.fixture
def in_two(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """For ranks that this process starts too."""
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return environment


def test_two_ranks_publish_what_one_would(tmp_path: Path, in_two: dict[str, str]) -> None:
    one, two = spec_for(tmp_path / "one", "train", ranks=1), spec_for(tmp_path / "two", "train")
    assert run_stage(one) == 0
    assert run_stage(two) == 0, log(two)
    for name, value in weights(one).items():
        assert torch.allclose(weights(two)[name], value, rtol=1e-4, atol=1e-6)
    assert len(list(two.parent.glob("here-*"))) == 2
    done = json.loads((two.parent / "done.json").read_text())
    assert done["ranks"] == 2 and set(done["outputs"]) == {"weights.safetensors", "summary.json"}
    assert [path.name for path in (two.parent / "attempts").iterdir()] == ["1.json"]
    assert "Traceback" not in log(two) and "WARNING" not in log(two)
    lines = [json.loads(line) for line in (two.parent / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(5, 61, 5))


@pytest.mark.slow
def test_stopped_killed_and_resumed_it_ends_the_same(tmp_path: Path, in_two: dict[str, str]) -> None:
    quiet, spec = spec_for(tmp_path / "quiet", "train"), spec_for(tmp_path / "disturbed", "train")
    assert run_stage(quiet) == 0
    slowly = {**in_two, "FAKE_PAUSE_S": "0.2"}  # of twelve seconds' steps, none are waited for
    process = worker(spec, slowly)
    wait_for_checkpoint(spec)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == INTERRUPTED, log(spec)

    process = worker(spec, slowly)
    (other,) = others_of(process)
    other.kill()
    assert process.wait(timeout=120) == LOST, log(spec)
    attempt = latest_attempt(spec.parent)
    assert attempt is not None and attempt.outcome == "interrupted"
    assert "lost another rank" in str(attempt.error) and "goes on from the last checkpoint" in str(attempt.error)

    process = worker(spec, slowly)
    (other,) = others_of(process)
    process.kill()
    process.wait()
    psutil.wait_procs([other], timeout=120)
    assert not other.is_running()

    assert run_stage(spec) == 0
    assert hashes(spec) == hashes(quiet)


def others_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the other ranks once they train."""
    folder = Path(process.args[3]).parent  # type: ignore[index]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        children = psutil.Process(process.pid).children()
        # The reader of what this one prints is a child too, and trains nothing.
        if others := [child for child in children if (folder / f"here-{child.pid}").exists()]:
            return others
        time.sleep(0.02)
    raise AssertionError(log(Path(process.args[3])))  # type: ignore[index]


@pytest.mark.slow
def test_a_rank_that_fails_is_told(tmp_path: Path, in_two: dict[str, str]) -> None:
    spec = spec_for(tmp_path, "fail_beside", rank_timeout_s=250.0)
    start = time.monotonic()
    assert run_stage(spec, capture=False) == LOST
    assert time.monotonic() - start < 120  # told, not timed out
    assert "rank 1: made to fail beside rank 0" in log(spec)


@pytest.mark.slow
def test_what_is_not_trained_needs_nobody_else(tmp_path: Path, in_two: dict[str, str]) -> None:
    spec = spec_for(tmp_path, "untrained")
    assert run_stage(spec) == 0, log(spec)
    assert (spec.parent / "artifacts" / "out.txt").read_text() == "untrained"


def test_the_attempts_record_tells_of_micro_batches(tmp_path: Path, in_two: dict[str, str]) -> None:
    spec = spec_for(tmp_path, "train:0:10", ranks=1)
    assert run_stage(spec) == 0
    attempt = latest_attempt(spec.parent)
    assert attempt is not None and attempt.notes == ({"micro_batches": 4, "step": 1},)
