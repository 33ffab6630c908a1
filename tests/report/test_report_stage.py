"""The stage: inputs in, one file out, and clear words where something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tabgraphsyn.errors import StageError
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import read_sources
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.stages.report import run

CONF = Path(__file__).parents[2] / "conf" / "report"
MakeSweepPoint = Callable[..., dict[str, Path]]


def context(inputs: dict[str, Path], folder: Path, **options: Any) -> StageContext:
    config = yaml.safe_load((CONF / "quick.yaml").read_text()) | options
    return StageContext(
        stage="report",
        table=None,
        signature="r",
        folder=folder,
        config={"report": config},
        inputs=inputs,
        resources=Resources(),
        tracker=SimpleNamespace(log=lambda *_: None),  # type: ignore[arg-type]
        interrupt=SimpleNamespace(requested=False),
    )


def test_stage_writes_one_file(sweep_point: dict[str, Path], tmp_path: Path) -> None:
    made = context(sweep_point, tmp_path / "report" / "r")
    run(made)
    assert [path.name for path in made.artifacts.iterdir()] == ["report.html"]
    text = (made.artifacts / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Synthetic shop &lt;b&gt;&amp;co&lt;/b&gt;" in text


@pytest.mark.parametrize("name", ["default", "quick"])
def test_yaml_is_the_constructor(name: str) -> None:
    raw = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    assert raw.pop("_target_") == "tabgraphsyn.evaluation.report.options.ReportOptions"
    assert ReportOptions(**raw) == ReportOptions(umap=name == "default")


@pytest.mark.parametrize("role", ["ingest", "prepare", "sample", "evaluate"])
def test_missing_role_is_named(sweep_point: dict[str, Path], role: str) -> None:
    inputs = {name: path for name, path in sweep_point.items() if name != role}
    with pytest.raises(StageError, match=f"no input '{role}'"):
        read_sources(inputs)


def test_missing_table_is_named(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    (inputs["sample"] / "synthetic" / "orders.parquet").unlink()
    with pytest.raises(StageError, match="the synthetic database has no file for table 'orders'"):
        read_sources(inputs)


def test_missing_scores_are_named(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    (inputs["evaluate"] / "metrics.json").unlink()
    with pytest.raises(StageError, match=r"metrics\.json: the report needs it"):
        read_sources(inputs)


def test_training_stages_without_metrics_are_left_out(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    for role in ("gnn", "diffusion/customers"):
        (inputs[role].parent / "metrics.jsonl").unlink()
    content = gather(read_sources(inputs), ReportOptions(umap=False))
    assert content.training == []
    assert 'id="training"' not in render(content)


def test_curves_are_thinned_and_a_cut_line_is_no_line(make_sweep_point: MakeSweepPoint) -> None:
    content = gather(read_sources(make_sweep_point()), ReportOptions(umap=False, curve_points=50))
    view, figure = content.training[0]
    assert view.role == "gnn"
    assert view.steps == 899
    assert [curve.name for curve in view.curves] == ["loss", "validation_loss"]
    assert len(content.figures[figure]["curves"][0]["x"]) == 50
    assert view.last == {"rows_per_s": 2.0}


def test_synthetic_column_of_another_type_or_absent_is_said(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    path = inputs["sample"] / "synthetic" / "customers.parquet"
    rows = pq.read_table(path)
    words = rows.column("city").slice(0, rows.num_rows)
    rows = rows.set_column(rows.column_names.index("age"), "age", words).drop_columns(["member"])
    pq.write_table(rows, path)
    text = render(gather(read_sources(inputs), ReportOptions(umap=False)))
    assert "string where a number is expected" in text
    assert "the column cannot be read" in text


def test_copying_is_in_the_verdict(make_sweep_point: MakeSweepPoint) -> None:
    content = gather(read_sources(make_sweep_point(copies=0.4)), ReportOptions(umap=False))
    assert "Copying was found in customers" in content.verdict
    assert content.tiles[0].value == "copies found"


def test_empty_synthetic_table_still_makes_a_report(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    for name in ("customers", "orders"):
        path = inputs["sample"] / "synthetic" / f"{name}.parquet"
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    text = render(gather(read_sources(inputs), ReportOptions(umap=False)))
    assert "every synthetic value is missing" in text


def test_no_score_at_all_still_makes_a_report(make_sweep_point: MakeSweepPoint) -> None:
    inputs = make_sweep_point()
    (inputs["evaluate"] / "metrics.json").write_text(json.dumps({"versions": {}, "scores": [], "unscored": []}))
    text = render(gather(read_sources(inputs), ReportOptions(umap=False)))
    assert "this evaluation has no C2ST score" in text
    assert 'id="worst"' not in text
