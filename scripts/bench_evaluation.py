"""Time the evaluation metric by metric, and hold its own statistics against SDMetrics on the same data.

    python scripts/bench_evaluation.py FOLDER --protocol default --threads 2
    python scripts/bench_evaluation.py --rows 1000000 --protocol fidelity
    python scripts/bench_evaluation.py FOLDER --agreement

FOLDER holds tables and a metadata.json. What takes the place of synthetic data are independent columns under the real
keys; for the agreement, columns with faults of every kind. ``--rows`` makes a database of that many child rows instead.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import ks_2samp, wasserstein_distance
from sdmetrics.column_pairs import ReferentialIntegrity
from sdmetrics.single_column import KeyUniqueness, KSComplement, MissingValueSimilarity
from sdmetrics.single_table import NewRowSynthesis

from tabgraphsyn.data.metadata import read_metadata
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.metric.c2st import C2ST
from tabgraphsyn.evaluation.metric.c2st_agg import C2STAgg
from tabgraphsyn.evaluation.metric.cardinality import Cardinality
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.keys import Keys
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.ks import KS
from tabgraphsyn.evaluation.metric.newrow import NewRow
from tabgraphsyn.evaluation.metric.null_rates import NullRates
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.metric.sdmetrics_quality import SDMetricsQuality
from tabgraphsyn.evaluation.metric.wasserstein import Wasserstein
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.evaluation.score import ComparisonName, Score
from tabgraphsyn.evaluation.sdmetrics_reports import frames, metadata_of
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.other_generators import found_rules, random_halves, read_database
from tabgraphsyn.evaluation.sides.side import with_independent_columns
from tabgraphsyn.stages.evaluate import built_metrics
from tabgraphsyn.stages.outside_sweep import composed_protocol

# SDMetrics asks pandas one query a row.
NEW_ROWS = 100
# Real half against real half, by the judges of an earlier study of the same tables.
PUBLISHED: Mapping[str, Mapping[tuple[str, str], float]] = {
    "airbnb": {("c2st", "users"): 0.503, ("c2st", "sessions"): 0.522, ("c2st_agg", "users"): 0.499},
    "single_aids": {("c2st", "aids"): 0.493},
}


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


def disturbed(database: Database, generator: np.random.Generator) -> Database:
    """Return the database with faults of every kind: other marginals, nulls, no trends, keys without a parent."""
    schema, tables = database.schema, {}
    for table in schema.tables:
        rows = database[table.name].read()
        count = rows.num_rows
        for name in schema.attribute_columns(table.name):
            column = rows.column(name).take(pa.array(generator.integers(0, max(3 * count // 4, 1), count)))
            nothing = pa.array(generator.random(count) < 0.05)
            column = pc.if_else(nothing, pa.scalar(None, column.type), column)
            rows = rows.set_column(rows.column_names.index(name), name, column)
        for relation in schema.relations_of_child(table.name):
            name = relation.child_columns[0]
            column = rows.column(name)
            nobody = pa.scalar("nobody" if pa.types.is_string(column.type) else -987654321).cast(column.type)
            column = pc.if_else(pa.array(generator.random(count) < 0.03), nobody, column)
            if name not in table.primary_key:
                rows = rows.set_column(rows.column_names.index(name), name, column)
        tables[table.name] = Table(table, rows)
    return Database(schema, tables)


@dataclass(frozen=True)
class Agreement:
    """One of our metrics beside its counterpart, on the same data.

    Attributes:
        metric: ours, with the setting that makes it comparable.
        counterpart: theirs.
        ours, theirs: the values; None where there is none.
        seconds: of both sides, None where the counterpart was computed with others.
        note: why they differ where they do.
    """

    metric: str
    counterpart: str
    ours: float | None
    theirs: float | None
    seconds: tuple[float, float | None]
    note: str = ""


def agreement(data: EvaluationData) -> None:
    """Print our values and seconds beside those of SDMetrics and SciPy on the same data."""
    start = time.perf_counter()
    report = {r.where: r.value for r in SDMetricsQuality().compute(data) if isinstance(r, Score)}
    report_seconds = time.perf_counter() - start
    print(f"{'metric':34} {'counterpart':40} {'ours':>10} {'theirs':>10} {'gap':>9} {'ours s':>7} {'theirs s':>8}")
    for row in [*_of_the_report(data, report), *_of_single_metrics(data)]:
        gap = "-" if row.ours is None or row.theirs is None else f"{abs(row.ours - row.theirs):.1e}"
        values = [f"{value:10.6f}" if value is not None else f"{'-':>10}" for value in (row.ours, row.theirs)]
        theirs = f"{row.seconds[1]:8.2f}" if row.seconds[1] is not None else f"{'':>8}"
        note = f"  {row.note}" if row.note else ""
        print(f"{row.metric:34} {row.counterpart:40} {' '.join(values)} {gap:>9} {row.seconds[0]:7.2f} {theirs}{note}")
    print(f"SDMetrics' whole quality report: {report_seconds:.2f} s")
    print(
        "No counterpart: c2st, c2st_agg, khop_trends beyond one hop, rules, jaccard, marginal_mae, "
        "marginal_rmse, detection_rf (SDMetrics' detection takes other classifiers), utility, and the privacy metrics "
        "with a holdout."
    )


def _found(metric: Metric, data: EvaluationData, where: str) -> tuple[float | None, float]:
    start = time.perf_counter()
    results = metric.compute(data)
    value = next((r.value for r in results if isinstance(r, Score) and r.where == where), None)
    return value, time.perf_counter() - start


def _of_the_report(data: EvaluationData, report: Mapping[str, float]) -> Iterator[Agreement]:
    real_bins = "by definition: bins of the real column on both sides"
    for title, name, metric, where, note in (
        ("column_shapes", "Column Shapes", ColumnShapes(), "database", ""),
        ("pair_trends own_edges=true", "Column Pair Trends", PairTrends(own_edges=True), "database", ""),
        ("pair_trends", "Column Pair Trends", PairTrends(), "database", real_bins),
        ("cardinality", "Cardinality", Cardinality(), "database", ""),
        ("khop_trends own_edges=true", "Intertable Trends", KHopTrends(own_edges=True, longest=1), "1-hop", ""),
        ("khop_trends", "Intertable Trends", KHopTrends(longest=1), "1-hop", real_bins),
    ):
        value, seconds = _found(metric, data, where)
        yield Agreement(title, f"SDMetrics report, {name}", value, report.get(name), (seconds, None), note)


def _of_single_metrics(data: EvaluationData) -> Iterator[Agreement]:
    """Compare means over the columns that ours scores."""
    comparison = data.comparisons[0]
    real, made = (frames(side, comparison) for side in (comparison.reference, comparison.candidate))

    def columns(metric: Metric, theirs: Callable[[Any, Any], float], name: str, note: str = "") -> Agreement:
        start = time.perf_counter()
        scores = [r for r in metric.compute(data) if isinstance(r, Score) and r.level == "column"]
        seconds, start = time.perf_counter() - start, time.perf_counter()
        places = [score.where.split(".", 1) for score in scores]
        values = [theirs(real[table][column], made[table][column]) for table, column in places]
        ours = float(np.mean([score.value for score in scores])) if scores else None
        their_mean = float(np.mean(values)) if values else None
        return Agreement(metric.name, name, ours, their_mean, (seconds, time.perf_counter() - start), note)

    yield columns(KS(), lambda left, right: 1 - KSComplement.compute(left, right), "1 - SDMetrics KSComplement")
    yield columns(KS(), _ks_scipy, "scipy.stats.ks_2samp")
    yield columns(Wasserstein(), _wasserstein_scipy, "scipy wasserstein_distance / std")
    yield columns(NullRates(), MissingValueSimilarity.compute, "SDMetrics MissingValueSimilarity")
    yield from _of_keys(data, real, made)
    metadata = metadata_of(data.schema)["tables"]
    rows = min(NEW_ROWS, *(len(made[name]) for name in data.schema.table_names))
    for name in data.schema.table_names:
        value, seconds = _found(NewRow(cap_rows=rows), data, name)
        start = time.perf_counter()
        theirs = NewRowSynthesis.compute(real[name], made[name], metadata[name], synthetic_sample_size=rows)
        their_seconds = time.perf_counter() - start
        noise = 1 / (2 * np.sqrt(rows))
        note = f"{rows} rows, drawn apart: up to {noise:.2f} of noise" if rows < len(made[name]) else ""
        shown = None if value is None else theirs
        yield Agreement(f"newrow ({name})", "SDMetrics NewRowSynthesis", value, shown, (seconds, their_seconds), note)


def _of_keys(data: EvaluationData, real: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[Agreement]:
    metric = Keys()
    for table in data.schema.tables:
        if len(table.primary_key) == 1:
            value, seconds = _found(metric, data, table.name)
            theirs = KeyUniqueness.compute(*(side[table.name][table.primary_key[0]] for side in (real, made)))
            yield Agreement(f"keys ({table.name})", "SDMetrics KeyUniqueness", value, float(theirs), (seconds, None))
    for relation in data.schema.relations:
        if len(relation.child_columns) == 1:
            value, seconds = _found(metric, data, relation.name)
            parent, child = relation.parent_columns[0], relation.child_columns[0]
            pairs = [
                (side[relation.parent_table][parent], side[relation.child_table][child].dropna())
                for side in (real, made)
            ]
            theirs = ReferentialIntegrity.compute(*pairs)
            yield Agreement(
                f"keys ({relation.name})", "SDMetrics ReferentialIntegrity", value, float(theirs), (seconds, None)
            )


def _ks_scipy(left: Any, right: Any) -> float:
    kind = "int64" if left.dtype.kind == "M" else "float64"
    return float(ks_2samp(left.dropna().astype(kind), right.dropna().astype(kind)).statistic)


def _wasserstein_scipy(left: Any, right: Any) -> float:
    if left.dtype.kind == "M":
        left, right = (side.dropna().astype("datetime64[us]").astype("int64") for side in (left, right))
    left, right = (side.dropna().to_numpy(float) for side in (left, right))
    return float(wasserstein_distance(left, right) / left.std())


def published(data: EvaluationData, name: str) -> None:
    """Print published values of real half against real half beside ours; halves, seeds and judges differ."""
    print(f"\n{'real half against real half':34} {'where':40} {'ours':>10} {'published':>10}")
    results = [result for metric in (C2ST(), C2STAgg()) for result in metric.compute(data)]
    found = {(result.metric, result.where): result for result in results if isinstance(result, Score)}
    for (metric, where), value in PUBLISHED[name].items():
        score = found.get((metric, where))
        ours = f"{score.value:10.3f}" if score is not None else f"{'-':>10}"
        print(f"{metric:34} {where:40} {ours} {value:10.3f}")


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
        wanted: tuple[ComparisonName, ...] = ("synthetic",)
        data = EvaluationData(
            real=real,
            synthetic=(disturbed if given.agreement else with_independent_columns)(real, np.random.default_rng(1)),
            is_holdout=halves,
            plan={"reference_tables": shared},
            rules=found_rules(real, halves),
            wanted=wanted if given.agreement else tuple(config["comparisons"]),
            threads=given.threads,
        )
        if given.agreement:
            agreement(data)
            if given.folder is not None and given.folder.name in PUBLISHED:
                published(replace(data, wanted=("real_real",)), given.folder.name)
            return
        rows = sum(real[name].num_rows for name in real.schema.table_names)
        timing = run_metrics(built_metrics(config["metrics"]), data, logging.getLogger("bench"))["timing"]
    for name, seconds in timing["metrics_s"].items():
        print(f"{name:24} {seconds:8.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'total':24} {timing['total_s']:8.2f} s  {rows} rows, {given.threads} threads, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
