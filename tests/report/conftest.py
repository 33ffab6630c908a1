"""A small sweep point with names that try to break the page, and the report made from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.evaluation.gate import Gate
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import ReportSources, read_sources
from tabgraphsyn.evaluation.score import Score, Unscored
from tabgraphsyn.evaluation.statistics.evidence import Evidence, Share

HOSTILE = "<script>window.ran='yes'</script>"
HOSTILE_VALUE = '"><img src=x onerror="window.ran=\'yes\'">{{ 7*7 }}'

SCHEMA = Schema(
    tables=(
        TableSchema(
            "customers",
            (
                Column("id", "id"),
                Column("age", "numerical", "Int64"),
                Column("income", "numerical", "Float"),
                Column("city", "categorical"),
                Column("member", "boolean"),
                Column("since", "datetime"),
                Column("remark", "text"),
                Column(HOSTILE, "categorical"),
            ),
            ("id",),
        ),
        TableSchema(
            "orders",
            (
                Column("order", "id"),
                Column("customer", "id"),
                Column("amount", "numerical", "Float"),
                Column("items", "numerical", "Int64"),
                Column("never", "numerical", "Float"),
            ),
            ("order",),
        ),
    ),
    relations=(Relation("orders", ("customer",), "customers", ("id",)),),
)


def customers(rows: int, generator: np.random.Generator, shift: float) -> pa.Table:
    age = generator.integers(18, 80, rows)
    income = np.exp(generator.normal(10 + shift, 0.5, rows)) + 200 * age * (1 - shift)
    missing = generator.random(rows) < 0.1 + shift / 2
    cities = generator.choice(["Oslo", "Lima", HOSTILE_VALUE], rows, p=[0.6 - shift, 0.3, 0.1 + shift])
    start = np.datetime64("2015-01-01", "us")
    days = generator.integers(0, 3000, rows).astype("timedelta64[D]")
    return pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "age": pa.array(age),
            "income": pa.array(income, mask=missing),
            "city": pa.array(cities),
            "member": pa.array(generator.random(rows) < 0.4),
            "since": pa.array(start + days),
            "remark": pa.array(["word " * n for n in generator.integers(1, 9, rows)]),
            HOSTILE: pa.array(generator.choice(["a", "b"], rows)),
        }
    )


def orders(parents: int, generator: np.random.Generator, shift: float) -> pa.Table:
    counts = generator.poisson(2.5 + shift, parents)
    rows = int(counts.sum())
    owner = np.repeat(np.arange(parents), counts)
    return pa.table(
        {
            "order": pa.array(np.arange(rows)),
            "customer": pa.array(owner, mask=generator.random(rows) < 0.05),
            "amount": pa.array(generator.gamma(2.0, 30 * (1 + shift), rows)),
            "items": pa.array(generator.integers(1, 7, rows)),
            "never": pa.nulls(rows, pa.float64()),
        }
    )


def _score(
    metric: str, level: str, where: str, value: float, direction: str, baseline: float, **detail: Any
) -> list[Score]:
    return [
        Score(metric, level, where, value, direction, "synthetic", detail),  # type: ignore[arg-type]
        Score(metric, level, where, baseline, direction, "real_real", {}),  # type: ignore[arg-type]
        Score(metric, level, where, min(1.0, value * 0.9), direction, "independent", {}),  # type: ignore[arg-type]
    ]


def scores(*, copies: float = 0.01) -> list[Score]:
    evidence = Evidence(copies - 0.01, share=Share(copies, 600.0), baselines=(Share(0.01, 700.0),))
    copy_detail = {"evidence": evidence.to_dict(), "finding": f"{copies:.0%} of rows equal a training row"}
    found = [
        *_score("copies", "table", "customers", copies, "lower", 0.01, **copy_detail),
        *_score("dcr", "table", "customers", 0.52, "half", 0.5, rows=300, expected_share=0.9, plain_share=0.9),
        *_score("keys", "database", "database", 1.0, "higher", 1.0),
        *_score("column_shapes", "database", "database", 0.94, "higher", 0.98),
        *_score("pair_trends", "database", "database", 0.9, "higher", 0.97),
        *_score("khop_trends", "database", "1-hop", 0.88, "higher", 0.95, k=1),
        *_score(
            "khop_trends",
            "relation",
            "orders.customer--customers",
            0.88,
            "higher",
            0.95,
            k=1,
            worst=[{"where": f"orders.amount ~ customers.{HOSTILE}", "value": 0.6}],
        ),
        *_score("cardinality", "relation", "orders.customer--customers", 0.93, "higher", 0.97),
        *_score("c2st", "database", "database", 0.68, "half", 0.51, worst="customers"),
        *_score("c2st", "table", "customers", 0.68, "half", 0.51),
        *_score("c2st", "table", "orders", 0.6, "half", 0.5),
        *_score("c2st_agg", "database", "database", 0.72, "half", 0.52, worst="customers"),
        *_score(
            "rules",
            "pair",
            "customers: city fixes member",
            0.8,
            "higher",
            1.0,
            kind="fixed",
            table="customers",
            source="found",
            rows=300,
            broken=60,
            real_rows=40,
            real_broken=0,
            counts=True,
        ),
    ]
    for index, table in enumerate(SCHEMA.tables):
        for place, column in enumerate(SCHEMA.attribute_columns(table.name)):
            if column not in ("remark", "never"):
                value = 0.99 - 0.04 * place - 0.01 * index
                found += _score("column_shapes", "column", f"{table.name}.{column}", value, "higher", 0.99)
    return found


def metrics(found: list[Score]) -> dict[str, Any]:
    described = {
        "copies": ("Exact copies", True),
        "dcr": ("DCR share", True),
        "c2st": ("C2ST", False),
        "c2st_agg": ("C2ST-Agg", False),
        "column_shapes": ("Column shapes", False),
    }
    unscored = [
        Unscored("dcr", "orders", "tiny: 3 rows held out"),
        Unscored("column_shapes", "orders.never", "missing in every real row"),
    ]
    limits = {"default": {"warn": 0.001, "fail": 0.01}}
    gate = Gate(action="warn", confidence=0.99, warn_confidence=0.99, blind=0.2, limits=limits)
    return {
        "gate": gate.judge(found, unscored, ["copies", "dcr"]),
        "versions": {"sdmetrics": "0.32.0"},
        "metrics": [
            {
                "name": name,
                "title": title,
                "measures": f"What {title} measures.",
                "range": "0 to 1",
                "direction": "higher",
                "reading": "How to read it.",
                "source": "A paper.",
                "privacy": is_privacy,
            }
            for name, (title, is_privacy) in described.items()
        ],
        "scores": [each.to_dict() for each in found],
        "unscored": [each.to_dict() for each in unscored],
        "timing": {},
    }


def write_stage(folder: Path, stage: str, signature: str, config: Mapping[str, Any]) -> Path:
    artifacts = folder / stage / signature / "artifacts"
    artifacts.mkdir(parents=True)
    spec = {"stage": stage, "version": 1, "config": config}
    done = {
        "stage": stage,
        "signature": signature,
        "started": 1_750_000_000.0,
        "elapsed_s": 12.5,
        "peak_memory_mb": 512.0,
        "device": "cpu",
        "threads": 2,
        "code": {"package": "0.1.0", "commit": "0123abc"},
        "libraries": {"python": "3.11.0", "torch": "2.13.0"},
    }
    (artifacts.parent / "spec.json").write_text(json.dumps(spec))
    (artifacts.parent / "done.json").write_text(json.dumps(done))
    return artifacts


def write_sweep_point(folder: Path, found: list[Score]) -> dict[str, Path]:
    """Write the stage folders that a report reads; returns role -> artifacts."""
    generator = np.random.default_rng(7)
    inputs = {
        "ingest": write_stage(folder, "ingest", "a1", {"dataset": {"name": "shop <b>&co</b>"}}),
        "prepare": write_stage(folder, "prepare", "b2", {"holdout": {"share": 0.1}}),
        "sample": write_stage(folder, "sample", "c3", {"seed": 3}),
        "evaluate": write_stage(folder, "evaluate", "d4", {}),
        "gnn": write_stage(folder, "gnn", "e5", {"seed": 3}),
        "diffusion/customers": write_stage(folder, "diffusion", "f6", {"seed": 3}),
        "autoencoder/customers": write_stage(folder, "autoencoder", "g7", {"seed": 3}),
    }
    for side, artifacts, sub, shift in (
        ("real", inputs["ingest"], "tables", 0.0),
        ("synthetic", inputs["sample"], "synthetic", 0.12),
    ):
        rows = 700 if side == "real" else 600
        (artifacts / sub).mkdir()
        pq.write_table(customers(rows, generator, shift), artifacts / sub / "customers.parquet")
        pq.write_table(orders(rows, generator, shift), artifacts / sub / "orders.parquet")
    (inputs["prepare"] / "holdout").mkdir()
    np.save(inputs["prepare"] / "holdout" / "customers.npy", np.arange(700) < 70)
    for name in ("ingest", "prepare"):
        (inputs[name] / "schema.json").write_text(json.dumps(SCHEMA.to_dict()))
    (inputs["evaluate"] / "metrics.json").write_text(json.dumps(metrics(found)))
    for role in ("gnn", "diffusion/customers"):
        lines = [
            {
                "step": step,
                "time_s": step * 0.01,
                "loss": 3.0 * 0.99**step + 0.02,
                "validation_loss": 0.5,
                "rows_per_s": 2.0,
            }
            for step in range(1, 900)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 900, "ti'
        (inputs[role].parent / "metrics.jsonl").write_text(text)
    return inputs


@pytest.fixture(scope="session")
def sweep_point(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_sweep_point(tmp_path_factory.mktemp("stages"), scores())


@pytest.fixture(scope="session")
def sources(sweep_point: dict[str, Path]) -> ReportSources:
    return read_sources(sweep_point)


@pytest.fixture(scope="session")
def page(sources: ReportSources) -> str:
    return render(gather(sources, ReportOptions(umap=False)))


@pytest.fixture(scope="session")
def report_file(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def make_sweep_point(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Write a sweep point of its own, to be damaged; keyword arguments are those of ``scores``."""

    def made(**changes: Any) -> dict[str, Path]:
        return write_sweep_point(tmp_path / "stages", scores(**changes))

    return made


@pytest.fixture
def make_scores() -> Callable[..., list[Score]]:
    return scores


@pytest.fixture(name="write_stage")
def stage_folder_writer() -> Callable[..., Path]:
    return write_stage


@pytest.fixture
def metrics_of() -> Callable[[list[Score]], dict[str, Any]]:
    return metrics
