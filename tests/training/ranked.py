"""Two ranks that train together, in processes of their own, to be disturbed by the tests.

``python ranked.py`` imports torch once. For each line of its input, json of arguments of ``run``, it forks the ranks
and answers with their pids, and with their exit codes when they have ended.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import safetensors.torch
import torch
import torch.distributed as dist
from torch import nn

from tabgraphsyn.errors import TabGraphSynError
from tabgraphsyn.tracking.base import Trackers
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.training.interrupt import SignalFlag
from tabgraphsyn.training.loop import LoopConfig, train
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask
from tabgraphsyn.training.ranks import RankFinished

STEPS, ROWS = 40, 24


class Task(PartedTask):
    """A body and two heads, of which a step trains one; a loss that adapts itself; memory for ``room`` rows."""

    def __init__(self, pause_s: float, room: int, die_at: int | None) -> None:
        torch.manual_seed(7)
        parts = {"body": nn.Sequential(nn.Linear(6, 16), nn.SiLU()), "even": nn.Linear(16, 1), "odd": nn.Linear(16, 1)}
        self.network = nn.ModuleDict(parts)
        self.network.register_buffer("adapted", torch.tensor(1.0))
        self.pause_s, self.room, self.die_at = pause_s, room, die_at

    def rows_in_step(self, step: int) -> int:
        # Not a multiple of the number of ranks; one row now and then, so that a rank has nothing to do.
        return 1 if step % 5 == 4 else ROWS - 1

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return self.part_loss(step, generator, WHOLE)

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, torch.Tensor]:
        if step == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.pause_s)
        x = torch.randn(self.rows_in_step(step), 6, generator=generator)
        cut = part.rows(len(x))
        mine = x[cut]
        if len(mine) > self.room:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory: {len(mine)} rows")
        if not len(mine):
            return {}
        head = self.network["even" if step % 2 == 0 else "odd"]
        error = (head(self.network["body"](mine)) - mine.prod(dim=1, keepdim=True)).square().sum() / len(x)
        return {"loss": error * self.network.adapted, "error": error}

    def after_step(self, losses: dict[str, torch.Tensor]) -> None:
        self.network.adapted.mul_(0.99 + 0.01 * torch.tanh(losses["error"]))

    def validation_loss(self) -> float:
        x = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
        return float((self.network["even"](self.network["body"](x)) - x.prod(dim=1, keepdim=True)).square().mean())


def run(
    folder: str,
    rank: int,
    ranks: int = 2,
    save_every_s: float = 1e9,
    pause_s: float = 0.0,
    room: tuple[int, int] = (99, 99),
    die: tuple[int, int] | None = None,
    timeout_s: float = 20.0,
) -> int:
    """Train as one rank; return the exit code. ``die``: a rank and the step in which it is killed."""
    torch.set_num_threads(1)
    logging.basicConfig(filename=Path(folder) / f"log{rank}", level=logging.INFO, force=True)
    if ranks > 1:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        store = dist.FileStore(str(Path(folder) / "meeting"), ranks)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=timedelta(seconds=timeout_s))
    task = Task(pause_s, room[rank], die[1] if die and die[0] == rank else None)
    settings = LoopConfig(
        steps=STEPS,
        batch_rows=ROWS,
        learning_rate=0.01,
        warmup_steps=5,
        ema_decay=0.9,
        gradient_clip=1.0,
        validate_every=10,
        save_every_s=save_every_s,
        log_every=7,
    )
    with SignalFlag() as interrupt:
        try:
            summary = train(
                task,
                settings,
                seed=3,
                checkpoints=Path(folder) / "checkpoints",
                tracker=Trackers([]) if rank else JsonlTracker(Path(folder) / "metrics.jsonl"),
                interrupt=interrupt,
                device="cpu",
                log=logging.getLogger("ranked"),
            )
        except RankFinished:
            return 0
        except TabGraphSynError as error:
            logging.error("%s", error)
            return error.exit_code
    (Path(folder) / "summary.json").write_text(json.dumps(summary.result()))
    safetensors.torch.save_file(task.network.state_dict(), Path(folder) / "weights.safetensors")
    return 0


def main() -> None:
    for line in sys.stdin:
        arguments = json.loads(line)
        (Path(arguments["folder"]) / "meeting").unlink(missing_ok=True)
        pids = []
        for rank in range(arguments.get("ranks", 2)):
            pids.append(os.fork())
            if pids[-1] == 0:
                code = 1
                try:
                    code = run(rank=rank, **arguments)
                except Exception:
                    traceback.print_exc()
                finally:
                    logging.shutdown()
                    os._exit(code)
        print(json.dumps(pids), flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(codes), flush=True)


if __name__ == "__main__":
    main()
