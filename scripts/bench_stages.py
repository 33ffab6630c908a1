"""Rows per second of every trained stage and of sampling, on one CPU core, as medians of several runs.

python scripts/bench_stages.py [--runs 5] [--seconds 10] [--json FILE] [override ...]

The stages run as they are on the embedded data set (``dataset=nycflights13_quick`` unless an override says otherwise).
Rows of training are the rows that went through the network, checkpoints and validation included in the time; rows of
sampling are the rows that were written, from keys to files. Two figures: by the clock, and by the processor time of
this process, which is the one to compare on a machine that others use too. The runs of the stages take turns, so that
a busy minute strikes all of them. Ten times the database: ``sampling.scale=10``; another model:
``model=absorbing``, ``model=vae``.
Stages that validate a fixed number of times (``absorbing``: 20) do so in every run, whatever its steps: that cancels.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.errors import ConfigError, raise_collected
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.training.interrupt import InterruptFlag, NeverInterrupted

DATASET = "dataset=nycflights13_quick"
# Steps whose speed is measured first, to find how many fill the time that a run is given.
PROBE_STEPS = 20


@dataclass(frozen=True)
class Speed:
    """Rows per second of one run, by the clock and by processor time."""

    by_clock: float
    by_processor: float


@dataclass
class Bench:
    """One measured stage.

    Attributes:
        label: how the table names it.
        measure: runs the stage once.
        runs: one entry a run.
    """

    label: str
    measure: Callable[[], Speed]
    runs: list[Speed] = field(default_factory=list)

    def column(self, which: str) -> list[float]:
        """Return one figure of every run."""
        return [getattr(run, which) for run in self.runs]


class Line:
    """The stages of one config in a folder of their own."""

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        self.config, self.folder, self.runs = config, folder, 0
        self.artifacts: dict[str, Path] = {}

    def run(self, stage: str, table: str | None = None, changes: Mapping[str, Any] | None = None) -> Path:
        """Run a stage over what ran before it; return its artifacts. ``changes`` go into its training section."""
        self.runs += 1
        context = self.context(stage, table, changes, self.folder / f"{self.runs}-{stage}", NeverInterrupted())
        import_module(f"tabgraphsyn.stages.{stage}").run(context)
        context.tracker.close()
        self.artifacts[stage if table is None else f"{stage}/{table}"] = context.artifacts
        return context.artifacts

    def context(
        self, stage: str, table: str | None, changes: Mapping[str, Any] | None, folder: Path, interrupt: InterruptFlag
    ) -> StageContext:
        """Return what a stage in ``folder`` sees after what ran before it."""
        config = copy.deepcopy(dict(self.config))
        config["training"].setdefault(stage, {}).update(changes or {})
        folder.mkdir(parents=True, exist_ok=True)
        return StageContext(
            stage=stage,
            table=table,
            signature=folder.name,
            folder=folder,
            config=config,
            inputs=dict(self.artifacts),
            resources=Resources(),
            tracker=JsonlTracker(folder / "metrics.jsonl"),
            interrupt=interrupt,
        )

    def tables(self) -> list[str]:
        """Return the tables, largest first."""
        rows = read_json(self.artifacts["prepare"] / "plan.json")["training_rows"]
        return sorted(rows, key=rows.get, reverse=True)


def trained(line: Line, stage: str, table: str | None, seconds: float) -> Callable[[], Speed]:
    """Return a measurement of a training stage that takes about ``seconds``."""

    def once(steps: int) -> tuple[float, float, float]:
        """Return the rows of a training, and the seconds and the processor time of its stage."""
        start, processor = time.perf_counter(), time.process_time()
        artifacts = line.run(stage, table, {"steps": steps})
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        return read_json(artifacts / f"{stage}.json")["training"]["rows"], seconds, processor

    once(PROBE_STEPS)
    few_rows, few_seconds, few_processor = once(PROBE_STEPS)
    steps = max(4 * PROBE_STEPS, int(seconds * PROBE_STEPS / max(few_seconds, 1e-3)))

    def measure() -> Speed:
        rows, clock, processor = once(steps)
        # What a stage does around its training is in both times and cancels.
        return Speed((rows - few_rows) / (clock - few_seconds), (rows - few_rows) / (processor - few_processor))

    return measure


def sampled(line: Line) -> Callable[[], Speed]:
    """Return a measurement of the sample stage, bundle and files included."""

    def measure() -> Speed:
        start, processor = time.perf_counter(), time.process_time()
        artifacts = line.run("sample")
        clock, processor = time.perf_counter() - start, time.process_time() - processor
        lines = (artifacts.parent / "metrics.jsonl").read_text().splitlines()
        rows = sum(json.loads(one)["rows"] for one in lines)
        return Speed(rows / clock, rows / processor)

    return measure


def composed(overrides: list[str]) -> dict[str, Any]:
    """Return the config of the command line's one sweep point."""
    composition = compose_points([DATASET, "model=data_space", "training=quick", *overrides], multirun=False)
    raise_collected(ConfigError, composition.problems)
    return composition.points[0].config


def benches(overrides: list[str], folder: Path, seconds: float) -> list[Bench]:
    """Return the measurements of the model's stages: what comes before a stage has run when it is measured."""
    line = Line(composed(overrides), folder)
    for stage in ("ingest", "prepare", "structure"):
        line.run(stage)
    found = []
    for kind in generator_class(line.config).kinds:
        tables = line.tables() if kind.per_table else [None]
        runs = {table: line.run(kind.name, table, {"steps": PROBE_STEPS}) for table in tables}
        if read_json(runs[tables[0]] / f"{kind.name}.json").get("training") is not None:
            label = f"{kind.name} train ({tables[0] or 'database'})"
            found.append(Bench(label, trained(line, kind.name, tables[0], seconds)))
    return [*found, Bench("sampling (database)", sampled(line))]


def one_core() -> str:
    """Hold this process to one core and one thread; return the processor's name."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [one for one in lines if one.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def main() -> None:
    """Measure, print a table, write the json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each training run")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("overrides", nargs="*", help="as launch takes them")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    processor = one_core()
    with tempfile.TemporaryDirectory() as folder:
        found = benches(arguments.overrides, Path(folder), arguments.seconds)
        for number in range(arguments.runs):
            for bench in found:
                bench.runs.append(bench.measure())
                print(f"run {number + 1}: {bench.label}: {bench.runs[-1].by_processor:,.0f} rows/s", flush=True)
    print(f"\n{processor}, one core, medians of {arguments.runs} runs (lowest to highest)\n")
    print(f"{'':28} {'rows per processor second':>36} {'rows per second':>30}")
    for bench in found:
        print(f"{bench.label:28} {_spread(bench.column('by_processor')):>36} {_spread(bench.column('by_clock')):>30}")
    if arguments.json is not None:
        stages = {
            bench.label: {
                which: {"median": statistics.median(bench.column(which)), "runs": bench.column(which)}
                for which in ("by_processor", "by_clock")
            }
            for bench in found
        }
        write_json(arguments.json, {"processor": processor, "rows_per_s": stages})


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


if __name__ == "__main__":
    main()
