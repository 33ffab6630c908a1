"""What a row costs in each stage as a database grows: microseconds of processor time a row, and peak memory.

    python scripts/bench_size.py [--rows 10000 100000 1000000] [--until sample] [--json FILE] [--override WORD ...]

The database is the one of ``bench_prepare.py``: payments with a nullable foreign key to accounts, a hundredth as many.
Every stage runs in a process of its own on one thread. Training is measured twice: what the stage does around its
steps (20 of them) by the rows of the table, and its further steps by the rows that went through the network.
``--until structure`` leaves training and sampling out, for sizes at which nobody waits for them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_prepare import write_database
from bench_stages import PROBE_STEPS, Line, composed

from tabgraphsyn.data.files import read_json, write_json

STAGES = ("prepare", "structure", "absorbing", "sample")
TABLES: Mapping[str, tuple[str, ...]] = {"absorbing": ("account", "payment")}
INGESTED = "ingest"


def inside(folder: Path, stage: str, table: str, steps: int, overrides: Sequence[str]) -> None:
    """Run one stage over what ran before it in ``folder``, and print what it took as json."""
    import torch

    torch.set_num_threads(1)
    line = Line(composed(["model=absorbing", *overrides]), folder)
    line.artifacts.update({INGESTED: folder / INGESTED})
    line.artifacts.update(
        {name.replace("+", "/"): Path(path) for name, path in read_json(folder / "done.json").items()}
    )
    line.runs = len(list(folder.iterdir()))
    start = time.process_time()
    artifacts = line.run(stage, table or None, {"steps": steps} if stage == "absorbing" else None)
    seconds = time.process_time() - start
    made = artifacts / f"{stage}.json"
    training = (read_json(made).get("training") or {}) if made.exists() else {}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mb": peak_mb,
                "trained_rows": training.get("rows", 0),
                "artifacts": str(artifacts),
            }
        )
    )


def apart(folder: Path, stage: str, table: str, steps: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what a stage takes in a process of its own, and remember its artifacts for the next one."""
    command = [sys.executable, __file__, "--inside", str(folder), stage, table, str(steps), *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    name = f"{stage}+{table}" if table else stage
    write_json(folder / "done.json", {**read_json(folder / "done.json"), name: found["artifacts"]})
    return found


def measured(rows: int, steps: int, until: str, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Return one entry a stage (and table) of a database of so many payments."""
    entries: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_database(folder / INGESTED, rows)
        write_json(folder / "done.json", {})
        for stage in STAGES[: STAGES.index(until) + 1]:
            for table in TABLES.get(stage, ("",)):
                few = apart(folder, stage, table, PROBE_STEPS, overrides)
                entry = {"rows": rows, "stage": f"{stage} {table}".strip(), **few}
                if few["trained_rows"]:
                    many = apart(folder, stage, table, PROBE_STEPS + steps, overrides)
                    entry["step_rows"] = many["trained_rows"] - few["trained_rows"]
                    entry["step_seconds"] = many["seconds"] - few["seconds"]
                entries.append(entry)
                print(told(entry), flush=True)
    return entries


def told(entry: Mapping[str, Any]) -> str:
    """Return a line of an entry.

    >>> told({"rows": 1000, "stage": "prepare", "seconds": 2.0, "peak_mb": 300.0})
    '     1,000 rows  prepare                 2.0 s   2,000.0 us a row, peak 300 MB'
    """
    each = entry["seconds"] / entry["rows"] * 1e6
    line = f"{entry['rows']:10,} rows  {entry['stage']:20} {entry['seconds']:6.1f} s {each:9,.1f} us a row"
    if "step_rows" in entry:
        line += f", a row of a step {entry['step_seconds'] / entry['step_rows'] * 1e6:,.1f} us"
    return f"{line}, peak {entry['peak_mb']:,.0f} MB"


def main() -> None:
    """Measure each size in turn."""
    if sys.argv[1:2] == ["--inside"]:
        folder, stage, table, steps, *overrides = sys.argv[2:]
        inside(Path(folder), stage, table, int(steps), overrides)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=300, help="of training, beyond the first 20")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--override", action="append", default=[], help="as launch takes it")
    options = parser.parse_args()
    found = [entry for rows in options.rows for entry in measured(rows, options.steps, options.until, options.override)]
    if options.json is not None:
        write_json(options.json, {"entries": found})


if __name__ == "__main__":
    main()
