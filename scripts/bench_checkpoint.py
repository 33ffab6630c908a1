"""What checkpoints cost: their share of training time at the interval that the config sets.

    python scripts/bench_checkpoint.py [--seconds 10] [--parameters 10000000] [--folder DIR] [--json FILE]
                                       [override ...]

Each trained stage runs as it is on the embedded data set, saving far more often than it would, and every save is
timed where it happens: hashing, writing, flushing to disk, dropping old ones. A network of ``--parameters`` weights
with its optimizer, average and best weights shows what a large one costs. The share is that of one save in one
interval (``training.<stage>.save_every_s``). By the clock, and by processor time, which is the one to compare on a
machine that others use too. (Where a save takes longer than a hundredth of the interval, the loop saves less often.)
``--folder`` should lie on the file system that results go to. The goal is less than 1 %; otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bench_stages import PROBE_STEPS, Line, composed, one_core
from torch import nn

from tabgraphsyn.data.files import write_json
from tabgraphsyn.training import checkpoint
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.state import TrainingState

GOAL = 0.01
OFTEN_S = 0.3
SAVES_OF_LARGE = 5


@dataclass(frozen=True)
class Save:
    """Seconds by the clock and of the processor, and the size of one checkpoint."""

    clock_s: float
    processor_s: float
    megabytes: float


@contextmanager
def timed_saves() -> Iterator[list[Save]]:
    """Yield a list to which every save is added."""
    found: list[Save] = []
    save: Callable[..., Path] = checkpoint.save

    def timed(*arguments: Any) -> Path:
        start, processor = time.perf_counter(), time.process_time()
        folder = save(*arguments)
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        found.append(Save(seconds, processor, sum(path.stat().st_size for path in folder.iterdir()) / 1e6))
        return folder

    checkpoint.save = timed  # type: ignore[assignment]
    try:
        yield found
    finally:
        checkpoint.save = save


def saves_of_stages(overrides: list[str], folder: Path, seconds: float) -> dict[str, tuple[list[Save], float]]:
    """Return the saves of each trained stage, and the interval that its config sets."""
    plain = Line(composed(overrides), folder / "line")
    for stage in ("ingest", "prepare", "structure"):
        plain.run(stage)
    tables = plain.tables()
    vae = Line(composed([*overrides, "autoencoder=vae"]), folder / "vae")
    vae.artifacts = dict(plain.artifacts)
    for table in tables:
        plain.run("autoencoder", table, {"steps": PROBE_STEPS})
    plain.run("gnn", None, {"steps": PROBE_STEPS})
    runs = (("autoencoder", vae, tables[0]), ("gnn", plain, None), ("diffusion", plain, tables[0]))
    return {
        f"{stage} {table or ''}".strip(): (
            _saves(line, stage, table, seconds),
            float(line.config["training"][stage]["save_every_s"]),
        )
        for stage, line, table in runs
    }


def _saves(line: Line, stage: str, table: str | None, seconds: float) -> list[Save]:
    start = time.perf_counter()
    line.run(stage, table, {"steps": PROBE_STEPS})
    steps = max(4 * PROBE_STEPS, int(seconds * PROBE_STEPS / (time.perf_counter() - start)))
    with timed_saves() as found:
        line.run(stage, table, {"steps": steps, "save_every_s": OFTEN_S})
    return found


def saves_of_large(parameters: int, folder: Path) -> list[Save]:
    """Return the saves of a network of about so many weights."""
    width = int(parameters**0.5)
    config = LoopConfig(steps=1, batch_rows=1, learning_rate=1.0, ema_decay=0.99)
    state = TrainingState(nn.Linear(width, width), config, "cpu")
    state.keep_best()
    with timed_saves() as found:
        for step in range(SAVES_OF_LARGE):
            checkpoint.save(folder, step, state.tensors(), {"run": {}, "progress": state.progress_dict()})
    return found


def main() -> int:
    """Measure, print a table, write the json; return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each training run")
    parser.add_argument("--parameters", type=int, default=10_000_000, help="weights of the large network")
    parser.add_argument("--folder", type=Path, default=None, help="where checkpoints are written")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("overrides", nargs="*", help="as launch takes them")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    processor = one_core()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        found = saves_of_stages(arguments.overrides, Path(folder), arguments.seconds)
        interval = found["gnn"][1]
        label = f"{arguments.parameters / 1e6:g} M weights"
        found[label] = (saves_of_large(arguments.parameters, Path(folder) / "large"), interval)
    print(f"{processor}, one core, checkpoints in {arguments.folder or tempfile.gettempdir()}\n")
    print(
        f"{'':22} {'saves':>6} {'MB':>7} {'ms, clock (most)':>18} {'processor':>10} {'every s':>8} {'share':>8} {'':>8}"
    )
    rows = {}
    for name, (saves, every) in found.items():
        clock, processor_s = (
            statistics.median(getattr(save, key) for save in saves) for key in ("clock_s", "processor_s")
        )
        most = max(save.clock_s for save in saves)
        shares = [seconds / (every + seconds) for seconds in (clock, processor_s)]
        print(
            f"{name:22} {len(saves):6} {saves[-1].megabytes:7.1f} {1e3 * clock:10.1f} ({1e3 * most:5.0f}) "
            f"{1e3 * processor_s:10.1f} {every:8g} {100 * shares[0]:7.3f}% {100 * shares[1]:7.3f}%"
        )
        rows[name] = {"mb": saves[-1].megabytes, "clock_s": clock, "processor_s": processor_s, "share": shares[0]}
    if arguments.json is not None:
        write_json(arguments.json, {"processor": processor, "goal": GOAL, "checkpoints": rows})
    return int(any(row["share"] > GOAL for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
