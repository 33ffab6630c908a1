"""Campaigns written by hand: metrics of every point, so that means, tests and verdicts are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.evaluation.campaign.compare import summarise
from tabgraphsyn.evaluation.campaign.summary import CampaignSummary, Provenance

HOSTILE = "<script>window.ran='yes'</script>"
SCHEMA = Schema(
    (
        TableSchema("stores", (Column("id", "id"), Column("size", "numerical")), ("id",)),
        TableSchema("sales", (Column("store", "id"), Column("amount", "numerical"))),
    ),
    (Relation("sales", ("store",), "stores", ("id",)),),
)
DIRECTIONS = {"dcr": "half", "copies": "lower", "c2st": "half", "column_shapes": "higher", "cardinality": "higher"}
TITLES = {"dcr": "DCR share", "copies": "Exact copies", "c2st": "C2ST", "column_shapes": "Column shapes"}
BASELINES = {
    "c2st": {"real_real": 0.48, "independent": 0.95, "copy": 0.30},
    "column_shapes": {"real_real": 0.97, "independent": 0.99, "copy": 0.98},
    "dcr": {"independent": 0.49, "copy": 1.0},
}


def score(metric: str, level: str, where: str, value: float, comparison: str = "synthetic", **detail: Any) -> dict:
    return {
        "metric": metric,
        "level": level,
        "where": where,
        "value": value,
        "direction": DIRECTIONS[metric],
        "comparison": comparison,
        "detail": {"sd": 0.01, "interval": [value - 0.02, value + 0.02], "spread": "entities", **detail},
    }


def metrics(values: Mapping[str, float], gate: str = "pass") -> dict[str, Any]:
    """``metrics.json`` with one score of the database per metric; privacy scores are those of two tables."""
    scores = []
    for name, value in values.items():
        if name in ("dcr", "copies"):
            scores += [score(name, "table", "stores", value - 0.01), score(name, "table", "sales", value)]
        else:
            scores += [score(name, "database", "database", value), score(name, "table", "sales", value)]
        level, where = ("table", "sales") if name in ("dcr", "copies") else ("database", "database")
        scores += [score(name, level, where, each, comparison) for comparison, each in BASELINES.get(name, {}).items()]
    relation = SCHEMA.relations[0].name
    scores.append(score("cardinality", "relation", relation, 0.9, mean_real=2.5, mean_other=2.25))
    described = [
        {"name": name, "title": TITLES.get(name, name), "measures": "", "range": "", "direction": way, "reading": "",
         "source": "", "privacy": name in ("dcr", "copies")}
        for name, way in DIRECTIONS.items()
    ]  # fmt: skip
    rows = {"real": 100, "training": 90, "holdout": 10, "synthetic": 100}
    return {
        "versions": {"sdmetrics": "0.32.0"},
        "gate": {"verdict": gate, "text": f"2 tables judged, {gate}"},
        "metrics": described,
        "rows": {"stores": rows, "sales": rows},
        "scores": scores,
        "unscored": [],
    }


def write_point(folder: Path, overrides: Sequence[str], values: Mapping[str, float], gate: str = "pass") -> None:
    """One sweep point; overrides ``group=option`` and ``seed=n`` become its config."""
    config: dict[str, Any] = {"dataset": {"name": "shops", "path": "x"}, "campaign": folder.parent.name, "seed": 0}
    for text in overrides:
        key, value = text.split("=", 1)
        config[key] = int(value) if key == "seed" else {"name": value} if key == "dataset" else {"_target_": value}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.json").write_text(json.dumps(metrics(values, gate)))
    (folder / "report.html").write_text("<!doctype html>")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "schema.json").write_text(json.dumps(SCHEMA.to_dict()))


PointValues = Mapping[tuple[str, ...], Mapping[str, float]]
Write = Callable[..., dict[str, list[str]]]


@pytest.fixture
def write() -> Write:
    """``write(folder, {overrides: values}, gates={overrides: verdict})`` -> overrides by point."""

    def made(
        folder: Path, points: PointValues, gates: Mapping[tuple[str, ...], str] | None = None
    ) -> dict[str, list[str]]:
        overrides = {}
        for given, values in points.items():
            name = ",".join(text.replace("/", "_") for text in given)
            write_point(folder / name, given, values, (gates or {}).get(given, "pass"))
            overrides[name] = list(given)
        return overrides

    return made


def seeds(model: str, values: Sequence[float], other: Sequence[float] | None = None) -> dict[tuple[str, ...], dict]:
    """Points of one model: C2ST by seed, and column shapes."""
    shapes = other or [0.95 + 0.001 * i for i in range(len(values))]
    return {
        (model, f"seed={seed}"): {"dcr": 0.5 + 0.01 * seed, "copies": 0.0, "c2st": value, "column_shapes": shapes[seed]}
        for seed, value in enumerate(values)
    }


@pytest.fixture
def points_of() -> Callable[..., dict[tuple[str, ...], dict]]:
    return seeds


@pytest.fixture
def summary_of(write: Write, tmp_path: Path) -> Callable[..., CampaignSummary]:
    """The summary of points written by hand."""

    def made(points: PointValues, **settings: Any) -> CampaignSummary:
        folder = tmp_path / "campaign"
        overrides = write(folder, points, **settings)
        provenance = Provenance(("gnn=gin,none", "seed=0,1,2"), ("0123abc",), {"torch": "2.13.0"}, 0.5, 0.0, 0.1)
        return summarise(folder, overrides, hours=lambda names: (0.1 * len(names), 0.0), provenance=provenance)

    return made


@pytest.fixture
def two_models() -> dict[tuple[str, ...], dict]:
    """Clearly better by C2ST in every seed, and no different by shapes."""
    return seeds("gnn=gin", [0.53, 0.54, 0.52]) | seeds("gnn=none", [0.71, 0.725, 0.70], [0.951, 0.9505, 0.9525])
