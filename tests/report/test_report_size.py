"""A report of very many tables, columns and rows stays small, and says what it leaves out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import ReportSources, read_sources
from tabgraphsyn.evaluation.score import Score

LARGEST_BYTES = 15_000_000
TABLES, COLUMNS, ROWS, MANY_ROWS = 60, 40, 300, 1_000_000
KINDS = ("numerical", "categorical", "datetime", "boolean")


def schema() -> Schema:
    """A tree of tables of 40 columns each; every parent has two child tables."""
    tables, relations = [], []
    for index in range(TABLES):
        columns = [Column(f"column number {place} of table {index}", KINDS[place % 4]) for place in range(COLUMNS)]
        tables.append(TableSchema(f"table{index}", (Column("id", "id"), Column("above", "id"), *columns), ("id",)))
        if index:
            relations.append(Relation(f"table{index}", ("above",), f"table{(index - 1) // 2}", ("id",)))
    return Schema(tuple(tables), tuple(relations))


def rows_of(table: TableSchema, rows: int, generator: np.random.Generator, shift: float) -> pa.Table:
    def values(kind: str) -> pa.Array:
        if kind == "numerical":
            return pa.array(generator.normal(shift, 1, rows), mask=generator.random(rows) < 0.1)
        if kind == "categorical":
            names = pa.array([f"a long name of category {number}" for number in range(300)])
            return names.take(pa.array((generator.random(rows) ** 2 * 300).astype(np.int64)))
        if kind == "boolean":
            return pa.array(generator.random(rows) < 0.4 + shift)
        return pa.array(
            np.datetime64("2015-01-01", "us") + generator.integers(0, 10**14, rows).astype("timedelta64[us]")
        )

    keys = {"id": np.arange(rows), "above": generator.integers(0, ROWS, rows)}
    return pa.table(keys | {column.name: values(column.sdtype) for column in table.columns[2:]})


RULE = {"kind": "fixed", "rows": 1_000, "broken": 200, "real_rows": 100, "real_broken": 0, "counts": True}


def scores(found: Schema) -> Iterator[Score]:
    """Every kind of score, for every place that it can have."""

    def both(metric: str, level: Any, where: str, value: float, **detail: Any) -> Iterator[Score]:
        detail |= {"sd": 0.0123, "interval": [value - 0.02, value + 0.02], "spread": "entities"}
        for comparison in ("synthetic", "real_real", "independent", "copy"):
            yield Score(metric, level, where, value, "higher", comparison, detail)  # type: ignore[arg-type]

    for index, table in enumerate(found.tables):
        names = found.attribute_columns(table.name)
        for metric in ("column_shapes", "pair_trends", "c2st", "null_rates", "ks", "wasserstein"):
            yield from both(metric, "table", table.name, 0.9 - index / 100)
        for place, name in enumerate(names):
            for metric in ("column_shapes", "null_rates", "ks"):
                yield from both(metric, "column", f"{table.name}.{name}", 0.95 - place / 100, table=table.name)
        for left, right in itertools.pairwise(names):
            where = f"{table.name}.{left} ~ {table.name}.{right}"
            yield from both("pair_trends", "pair", where, 0.8, table=table.name, columns=[left, right])
            yield from both("rules", "pair", f"{table.name}: {left} fixes {right}", 0.8, **RULE)
    for relation in found.relations:
        yield from both("cardinality", "relation", relation.name, 0.9)
    for hops in (1, 2, 3):
        for relation in found.relations:
            worst = [{"where": f"{relation.child_table}.column ~ {relation.parent_table}.column", "value": 0.5}] * 12
            where = " > ".join([relation.name] * hops)
            yield from both("khop_trends", "relation", where, 0.8, k=hops, worst=worst)


@pytest.fixture
def wide_point(tmp_path: Path, write_stage: Callable, metrics_of: Callable) -> dict[str, Path]:
    """A sweep point of 60 tables of 40 columns; the first has a million rows."""
    found, generator = schema(), np.random.default_rng(0)
    inputs = {stage: write_stage(tmp_path, stage, stage, {}) for stage in ("ingest", "prepare", "sample", "evaluate")}
    for role, folder, shift in (("ingest", "tables", 0.0), ("sample", "synthetic", 0.2)):
        (inputs[role] / folder).mkdir()
        for index, table in enumerate(found.tables):
            rows = rows_of(table, MANY_ROWS if index == 0 else ROWS, generator, shift)
            pq.write_table(rows, inputs[role] / folder / f"{table.name}.parquet")
    for role in ("ingest", "prepare"):
        (inputs[role] / "schema.json").write_text(json.dumps(found.to_dict()))
    (inputs["evaluate"] / "metrics.json").write_text(json.dumps(metrics_of(list(scores(found)))))
    lines = [
        {"step": step, "time_s": step * 0.01, "loss": 1 / step, "validation_loss": 2 / step} for step in range(1, 5000)
    ]
    for table in found.table_names:
        for stage in ("autoencoder", "diffusion"):
            inputs[f"{stage}/{table}"] = write_stage(tmp_path, stage, f"{stage}-{table}", {"seed": 0})
            path = inputs[f"{stage}/{table}"].parent / "metrics.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return inputs


@pytest.mark.slow
def test_sixty_wide_tables_and_a_million_rows_stay_below_15_mb(wide_point: dict[str, Path]):
    content = gather(read_sources(wide_point), ReportOptions(umap=False))
    page = render(content)
    # Maps of eight tables add 0.4 MB.
    assert len(page.encode()) < LARGEST_BYTES - 400_000
    assert "1,000,000" in page
    assert "Counted over 200,000 rows of each side" in page
    assert "The 13 worst of 40 columns are shown." in page
    for listed, word in ((content.rules, "most broken"), (content.hops, "worst")):
        shown, left = len(listed.rows), listed.left_out
        assert shown <= content.options.score_rows
        assert (f"The {shown:,} {word} of {shown + left:,} are shown." in page) or not left
    assert f"{content.options.curve_points} points at most" in page and content.options.curve_points == 250
    assert {pair.left_out for pair in content.pairs} == {15}


def test_the_worst_rows_are_shown_and_the_others_counted(sources: ReportSources):
    few = gather(sources, ReportOptions(umap=False, score_rows=1))
    assert [row.path for row in few.hops.rows] == ["all paths"] and few.hops.left_out == 1
    assert len(few.rules.rows) == 1 and few.rules.left_out == 0
    none = gather(sources, ReportOptions(umap=False, score_rows=0))
    assert "Across keys" in render(few) and "Across keys" not in render(none)
