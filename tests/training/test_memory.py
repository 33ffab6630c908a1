"""Where memory is short a step is computed in halves: the same gradients, recorded, and kept for the steps after it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from tabgraphsyn.errors import StageError
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.training.loop import LoopConfig, NeverInterrupted, train
from tabgraphsyn.training.memory import is_out_of_memory
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask

LOG = logging.getLogger("test")


class Short(PartedTask):
    """Raises what torch raises on a GPU above ``room`` rows, before or after a part of the work is done."""

    def __init__(self, room: int, error: type[Exception] = torch.cuda.OutOfMemoryError) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))
        self.room, self.error = room, error
        self.refused = 0
        self.settled = 0

    def rows_in_step(self, step: int) -> int:
        return 50

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return self.part_loss(step, generator, WHOLE)

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, torch.Tensor]:
        x = torch.randn(50, 4, generator=generator)[part.rows(50)]
        if not len(x):
            return {}
        # The last part is the one that is too large where parts differ: gradients of the others are there by then.
        if len(x) > self.room and (part.number == part.count - 1 or not self.room):
            self.refused += 1
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB\nand more lines")
        return {"loss": (self.network(x) - x.sum(dim=1, keepdim=True)).square().sum() / 50}

    def after_step(self, losses: dict[str, torch.Tensor]) -> None:
        self.settled += 1

    def validation_loss(self) -> float | None:
        return None


def run(task: object, folder: Path, **changes: object) -> None:
    settings: dict[str, object] = {"steps": 20, "batch_rows": 50, "learning_rate": 0.01, "log_every": 5}
    train(
        task,  # type: ignore[arg-type]
        LoopConfig(**{**settings, **changes}),  # type: ignore[arg-type]
        seed=0,
        checkpoints=folder / "checkpoints",
        tracker=JsonlTracker(folder / "metrics.jsonl"),
        interrupt=NeverInterrupted(),
        device="cpu",
        log=LOG,
    )


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError, RuntimeError])
def test_halved_until_it_fits_with_the_same_result(
    tmp_path: Path, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    wide, short = Short(room=50), Short(room=20, error=error)
    run(wide, tmp_path / "wide")
    run(short, tmp_path / "short")
    assert short.refused == 2 and wide.refused == 0  # 50 rows, then 25; 13 fit
    assert short.settled == wide.settled == 20
    for left, right in zip(short.network.parameters(), wide.network.parameters(), strict=True):
        assert torch.allclose(left, right, rtol=1e-4, atol=1e-6)
    assert [line["loss"] for line in lines(tmp_path / "short") if "loss" in line] == pytest.approx(
        [line["loss"] for line in lines(tmp_path / "wide")], rel=1e-5
    )
    noted = [(line["step"], line["micro_batches"]) for line in lines(tmp_path / "short") if "micro_batches" in line]
    assert noted == [(1, 4)]
    assert "step 0 and the following in 4 micro-batches" in caplog.text
    assert "out of memory at step 0: CUDA out of memory. Tried to allocate 2.00 GiB" in caplog.text


def test_a_resumed_run_does_not_try_the_whole_batch_again(tmp_path: Path) -> None:
    run(Short(room=20), tmp_path, save_every_s=1e-9)
    checkpoints = sorted((tmp_path / "checkpoints").iterdir())
    (checkpoints[-1] / "state.json").unlink()  # the last save is lost: go on from the one before
    again = Short(room=20)
    run(again, tmp_path)
    assert again.settled == 1 and again.refused == 0


def test_no_room_for_one_row_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"out of memory at step 0, in 64 micro-batches of 50 rows.*smaller network"):
        run(Short(room=0), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_a_task_of_whole_batches_is_not_halved(tmp_path: Path) -> None:
    class Whole:
        def __init__(self) -> None:
            self._task = Short(room=20)
            self.network = self._task.network
            self.rows_in_step, self.loss = self._task.rows_in_step, self._task.loss
            self.validation_loss = self._task.validation_loss

    with pytest.raises(StageError, match="in 1 micro-batches"):
        run(Whole(), tmp_path)


def test_other_errors_pass(tmp_path: Path) -> None:
    task = Short(room=20)
    task.error = ValueError
    with pytest.raises(ValueError, match="CUDA out of memory"):
        run(task, tmp_path)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("CUDA error: out of memory", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried 80 bytes", True),
        ("CUDA error: an illegal memory access was encountered", False),
    ],
)
def test_torch_says_it_in_several_ways(text: str, is_one: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) is is_one
