"""Several ranks train what one would, stop together, and end bit by bit where undisturbed ranks end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

SCRIPT = Path(__file__).with_name("ranked.py")
ROOT = Path(__file__).parents[2]
STEPS = 40
PAUSE_S = 0.2
"""A pause a step, of ranks that a signal is to meet: eight seconds, of which only those before it are waited for."""
INTERRUPTED, LOST = 75, 76


class Server:
    """Forks ranks that train."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, folder: Path, send: tuple[int, signal.Signals] | None = None, **arguments: object) -> list[int]:
        """Train in ``folder``, return the ranks' exit codes; a signal goes to one rank once there is a checkpoint."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"folder": str(folder), **arguments}) + "\n")
        self.process.stdin.flush()
        pids = json.loads(self.process.stdout.readline())
        if send is not None:
            deadline = time.monotonic() + 120
            while not list(folder.glob("checkpoints/step-*")) and time.monotonic() < deadline:
                time.sleep(0.005)
            os.kill(pids[send[0]], send[1])
            if send[1] == signal.SIGSTOP:
                # Nobody reaps it before the others have left; then it may go too.
                while not (folder / "log0").read_text().count("lost another rank") and time.monotonic() < deadline:
                    time.sleep(0.05)
                with suppress(ProcessLookupError):
                    os.kill(pids[send[0]], signal.SIGKILL)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "weights.safetensors")


def result(folder: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "weights": (folder / "weights.safetensors").read_bytes(),
        "summary": json.loads((folder / "summary.json").read_text()),
        "metrics": [{k: v for k, v in line.items() if k not in ("time_s", "rows_per_s")} for line in lines],
    }


def assert_same_but_for_rounding(left: Path, right: Path) -> None:
    found, expected = weights(left), weights(right)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.allclose(value, expected[name], rtol=1e-3, atol=1e-5), name
    assert any(not torch.equal(value, expected[name]) for name, value in found.items())
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (left, right)]
    assert [each["rows"] for each in summaries] == [summaries[0]["rows"]] * 2
    assert summaries[0]["best_validation"] == pytest.approx(summaries[1]["best_validation"], rel=1e-4)


@pytest.fixture(scope="module")
def one_rank(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    assert server.run(folder, ranks=1) == [0]
    return folder


@pytest.fixture(scope="module")
def two_ranks(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    assert server.run(folder) == [0, 0]
    return folder


def test_two_ranks_train_what_one_does(one_rank: Path, two_ranks: Path) -> None:
    assert_same_but_for_rounding(two_ranks, one_rank)
    one, two = (result(folder)["metrics"] for folder in (one_rank, two_ranks))
    assert [line["step"] for line in two] == [line["step"] for line in one]
    assert two[-1]["loss"] == pytest.approx(one[-1]["loss"], rel=1e-3)


@pytest.mark.parametrize(("rank", "number"), [(0, signal.SIGTERM), (1, signal.SIGUSR2)])
def test_a_signal_to_any_rank_stops_all_at_one_boundary(
    server: Server, two_ranks: Path, tmp_path: Path, rank: int, number: signal.Signals
) -> None:
    sent = (rank, number)
    assert server.run(tmp_path, send=sent, pause_s=PAUSE_S, save_every_s=1e-9) == [INTERRUPTED, INTERRUPTED]
    boundaries = {(tmp_path / f"log{each}").read_text().split("stopped at ")[1].split()[1] for each in (0, 1)}
    assert len(boundaries) == 1
    assert server.run(tmp_path) == [0, 0]
    assert result(tmp_path) == result(two_ranks)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_leaves_nobody_hanging(server: Server, two_ranks: Path, tmp_path: Path, rank: int) -> None:
    start = time.monotonic()
    codes = server.run(tmp_path, die=(rank, 23), timeout_s=200.0)
    assert time.monotonic() - start < 100  # they heard of it, and did not wait for the time-out
    assert codes[rank] == -signal.SIGKILL and codes[1 - rank] == LOST
    # Rank 0 saves at the boundary that it stands at; without it there is no checkpoint.
    assert [path.name for path in tmp_path.glob("checkpoints/*")] == (["step-23"] if rank == 1 else [])
    assert server.run(tmp_path) == [0, 0]
    assert result(tmp_path) == result(two_ranks)


def test_a_silent_rank_is_given_up(server: Server, two_ranks: Path, tmp_path: Path) -> None:
    codes = server.run(tmp_path, send=(1, signal.SIGSTOP), pause_s=PAUSE_S, save_every_s=1e-9, timeout_s=3.0)
    assert codes == [LOST, -signal.SIGKILL]
    assert server.run(tmp_path) == [0, 0]
    assert result(tmp_path) == result(two_ranks)


def test_one_rank_goes_on_from_what_two_saved(server: Server, one_rank: Path, tmp_path: Path) -> None:
    assert server.run(tmp_path, die=(1, 20)) == [LOST, -signal.SIGKILL]
    assert server.run(tmp_path, ranks=1) == [0]
    assert "saved by 2 ranks, now 1" in (tmp_path / "log0").read_text()
    assert_same_but_for_rounding(tmp_path, one_rank)


def test_a_rank_that_is_short_of_memory_halves_for_all(server: Server, one_rank: Path, tmp_path: Path) -> None:
    assert server.run(tmp_path, room=(99, 4)) == [0, 0]
    assert_same_but_for_rounding(tmp_path, one_rank)
    noted = [line for line in result(tmp_path)["metrics"] if "micro_batches" in line]
    assert [(line["step"], line["micro_batches"]) for line in noted] == [(1, 4)]
    (last,) = tmp_path.glob("checkpoints/*/state.json")
    assert json.loads(last.read_text())["micro_batches"] == 4
