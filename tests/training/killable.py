"""A small training in a process of its own, to be killed by the tests.

``python killable.py serve`` imports torch once and forks a child for each line of its input, a json of arguments of
``run``; it answers with the child's pid and, when the child ended, with its wait status.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from tabgraphsyn.errors import TabGraphSynError
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.training.interrupt import SignalFlag
from tabgraphsyn.training.loop import LoopConfig, train

STEPS = 40


class Task:
    """Dropout, batch statistics, a part of the network that only some steps train, and every kind of global draw."""

    def __init__(self, kill_at: int | None, pause_s: float) -> None:
        torch.manual_seed(7)
        self.network = nn.ModuleDict(
            {
                "body": nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.SiLU(), nn.Dropout(0.2)),
                "even": nn.Linear(16, 1),
                "odd": nn.Linear(16, 1),
            }
        )
        self.kill_at, self.pause_s = kill_at, pause_s

    def rows_in_step(self, step: int) -> int:
        return 32

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.pause_s)
        x = torch.randn(32, 6, generator=generator) + random.gauss(0, 0.1) + float(np.random.normal(0, 0.1))
        head = "even" if step % 2 == 0 else "odd"
        loss = (self.network[head](self.network["body"](x)) - x.prod(dim=1, keepdim=True)).square().mean()
        return {"loss": loss, f"loss/{head}": loss, "a_part": loss / 2}

    def validation_loss(self) -> float:
        x = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
        found = self.network["even"](self.network["body"](x))
        return float((found - x.prod(dim=1, keepdim=True)).square().mean())


def config(save_every_s: float) -> LoopConfig:
    return LoopConfig(
        steps=STEPS,
        batch_rows=32,
        learning_rate=0.01,
        warmup_steps=5,
        ema_decay=0.9,
        gradient_clip=1.0,
        validate_every=10,
        save_every_s=save_every_s,
        log_every=7,
    )


def run(folder: str, save_every_s: float = 1e-9, kill_at: int | None = None, pause_s: float = 0.0) -> int:
    """Train in ``folder``; return the exit code."""
    torch.set_num_threads(1)
    logging.basicConfig(filename=Path(folder) / "log", level=logging.INFO, force=True)
    task = Task(kill_at, pause_s)
    with SignalFlag() as interrupt:
        try:
            summary = train(
                task,
                config(save_every_s),
                seed=3,
                checkpoints=Path(folder) / "checkpoints",
                tracker=JsonlTracker(Path(folder) / "metrics.jsonl"),
                interrupt=interrupt,
                device="cpu",
                log=logging.getLogger("killable"),
            )
        except TabGraphSynError as error:
            logging.error("%s", error)
            return error.exit_code
    result = {"steps": summary.steps, "best_step": summary.best_step, "best_validation": summary.best_validation}
    (Path(folder) / "summary.json").write_text(json.dumps(result))
    safetensors.torch.save_file(task.network.state_dict(), Path(folder) / "weights.safetensors")
    return 0


def serve() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = run(**json.loads(line))
            finally:
                logging.shutdown()
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        sys.exit(run(**json.loads(sys.argv[1])))
