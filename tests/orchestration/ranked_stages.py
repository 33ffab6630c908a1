"""A stage that trains a small network with the real loop, on as many ranks as it is given. Imported by name."""

from __future__ import annotations

import json
import os
import time

import safetensors.torch
import torch
from torch import nn

from tabgraphsyn.errors import StageError
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.training.loop import LoopConfig, train
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask

MODULE = "ranked_stages"
STEPS = 60


class SmallTask(PartedTask):
    def __init__(self, pause_s: float, room: int) -> None:
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 1))
        self.pause_s, self.room = pause_s, room

    def rows_in_step(self, step: int) -> int:
        return 25

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return self.part_loss(step, generator, WHOLE)

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, torch.Tensor]:
        time.sleep(self.pause_s)
        x = torch.randn(25, 4, generator=generator)[part.rows(25)]
        if len(x) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return {"loss": (self.network(x) - x.sum(dim=1, keepdim=True)).square().sum() / 25} if len(x) else {}

    def validation_loss(self) -> float | None:
        return None


def run(context: StageContext) -> None:
    """Do what the config says: ``train:<pause, or FAKE_PAUSE_S>:<rows that fit>``, ``untrained`` or ``fail_beside``."""
    action, *arguments = context.config["fake"][context.stage].split(":")
    (context.folder / f"here-{os.getpid()}").touch()
    if action == "fail_beside" and type(context).__name__ == "FollowerContext":
        raise StageError("made to fail beside rank 0")
    if action == "untrained":
        (context.artifacts / "out.txt").write_text("untrained")
        return
    train_small(context, *arguments)


def train_small(context: StageContext, pause_s: str = "0", room: str = "99") -> None:
    """Train and write ``weights.safetensors`` and ``summary.json``."""
    task = SmallTask(float(os.environ.get("FAKE_PAUSE_S", pause_s)), int(room))
    summary = train(
        task,
        LoopConfig(steps=STEPS, batch_rows=25, learning_rate=0.01, log_every=5, save_every_s=0.05),
        seed=0,
        checkpoints=context.checkpoints,
        tracker=context.tracker,
        interrupt=context.interrupt,
        device="cpu",
        log=context.log,
    )
    safetensors.torch.save_file(task.network.state_dict(), context.artifacts / "weights.safetensors")
    (context.artifacts / "summary.json").write_text(json.dumps(summary.result()))
