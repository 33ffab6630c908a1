"""Time the evaluation metric by metric, and hold its own statistics against SDMetrics on the same data.

    python scripts/bench_evaluation.py FOLDER --protocol default --threads 2
    python scripts/bench_evaluation.py --rows 1000000 --protocol fidelity
    python scripts/bench_evaluation.py FOLDER --agreement

FOLDER holds tables and a metadata.json. What takes the place of synthetic data are independent columns under the real
keys. ``--rows`` makes a database of that many child rows instead.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.metadata import read_metadata
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.base import Score
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.foreign import found_dependencies, random_halves, read_database
from tabgraphsyn.evaluation.metric.cardinality import Cardinality
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.metric.sdmetrics_quality import SDMetricsQuality
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.evaluation.side import with_independent_columns
from tabgraphsyn.stages.evaluate import built_metrics
from tabgraphsyn.stages.protocol import composed_protocol


def generated(rows: int) -> Database:
    """Return two tables of ``rows`` children and a tenth as many parents, six columns each."""
    rng = np.random.default_rng(0)
    sizes = {"parent": max(rows // 10, 10), "child": rows}
    tables, schemas = {}, []
    for name, size in sizes.items():
        columns = [Column("id", "id"), *([Column("parent", "id")] if name == "child" else [])]
        values = {"id": np.arange(size)}
        if name == "child":
            values["parent"] = rng.integers(0, sizes["parent"], size)
        base = rng.normal(size=size)
        for number in range(3):
            columns += [Column(f"x{number}", "numerical"), Column(f"c{number}", "categorical")]
            values[f"x{number}"] = np.round(base + rng.normal(size=size), 3)
            values[f"c{number}"] = (base + rng.normal(size=size) > number - 1).astype(np.int64) + rng.integers(
                0, 5, size
            )
        schemas.append(TableSchema(name, tuple(columns), ("id",)))
        tables[name] = Table(schemas[-1], pa.table(values))
    return Database(Schema(tuple(schemas), (Relation("child", ("parent",), "parent", ("id",)),)), tables)


def agreement(data: EvaluationData) -> None:
    """Print our values and seconds beside SDMetrics' on the same data."""
    start = time.perf_counter()
    theirs = {result.where: result for result in SDMetricsQuality().compute(data)}
    their_seconds = time.perf_counter() - start
    ours = {
        "Column Shapes": (ColumnShapes(), "database"),
        "Column Pair Trends": (PairTrends(own_edges=True), "database"),
        "Column Pair Trends (bins of the real column)": (PairTrends(), "database"),
        "Cardinality": (Cardinality(), "database"),
        "Intertable Trends": (KHopTrends(own_edges=True, longest=1), "1-hop"),
        "Intertable Trends (bins of the real column)": (KHopTrends(longest=1), "1-hop"),
    }
    print(f"{'property':46} {'SDMetrics':>10} {'ours':>10} {'seconds':>8}")
    for name, (metric, where) in ours.items():
        start = time.perf_counter()
        found = next((r for r in metric.compute(data) if isinstance(r, Score) and r.where == where), None)
        seconds = time.perf_counter() - start
        other = theirs.get(name.split(" (")[0])
        values = [f"{r.value:10.6f}" if isinstance(r, Score) else f"{'-':>10}" for r in (other, found)]
        print(f"{name:46} {' '.join(values)} {seconds:8.2f}")
    print(f"SDMetrics' whole quality report: {their_seconds:.2f} s")


def main() -> None:
    """Read the command line and print the timings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--protocol", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--agreement", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        if given.folder is not None:
            schema = read_metadata(given.folder / "metadata.json", given.folder.name)
            real = read_database(given.folder, schema, Path(scratch)).database
        else:
            real = generated(given.rows or 60_000)
        halves, shared = random_halves(real, 0)
        config = composed_protocol(given.protocol)
        data = EvaluationData(
            real=real,
            synthetic=with_independent_columns(real, np.random.default_rng(1)),
            is_holdout=halves,
            plan={"reference_tables": shared},
            dependencies=found_dependencies(real, halves),
            wanted=("synthetic",) if given.agreement else tuple(config["comparisons"]),
            threads=given.threads,
        )
        if given.agreement:
            agreement(data)
            return
        rows = sum(real[name].num_rows for name in real.schema.table_names)
        timing = run_metrics(built_metrics(config["metrics"]), data, logging.getLogger("bench"))["timing"]
    for name, seconds in timing["metrics_s"].items():
        print(f"{name:24} {seconds:8.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'total':24} {timing['total_s']:8.2f} s  {rows} rows, {given.threads} threads, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
