"""A database of every shape of key through the default evaluation, which fails only after the training if it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from user_commands import Ended

_ID, _NUMBER, _WORD = {"sdtype": "id"}, {"sdtype": "numerical"}, {"sdtype": "categorical"}
TABLES = {
    # table: (primary key, columns, foreign keys as (own columns, parent, its columns))
    "emp": (
        "id",
        {"id": _ID, "boss": _ID, "unit": _ID, "pay": _NUMBER},
        [("boss", "emp", "id"), ("unit", "unit", "id")],
    ),
    "unit": (
        "id",
        {"id": _ID, "head": _ID, "above": _ID, "kind": _WORD},
        [("head", "emp", "id"), ("above", "unit", "id")],
    ),
    "job": (
        "jid",
        {"jid": _ID, "emp": _ID, "deputy": _ID, "hours": _NUMBER},
        [("emp", "emp", "id"), ("deputy", "emp", "id")],
    ),
    "site": (["land", "no"], {"land": _ID, "no": _ID, "size": _NUMBER}, []),
    "visit": (
        ["land", "no", "jid"],
        {"land": _ID, "no": _ID, "jid": _ID},
        [(["land", "no"], "site", ["land", "no"]), ("jid", "job", "jid")],
    ),
    "note": (None, {"jid": _ID, "level": _WORD, "far": _NUMBER}, [("jid", "job", "jid")]),
    "alone": (None, {"a": _NUMBER, "b": _WORD, "when": {"sdtype": "datetime"}}, []),
}
FEW = ("training=quick", "training.absorbing.steps=3")


def rows_of() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(3)
    emps, units, jobs = 40, 24, 70
    boss = pd.array([rng.integers(0, max(n, 1)) for n in range(emps)], dtype="Int64")
    above = pd.array([rng.integers(0, max(n, 1)) for n in range(units)], dtype="Int64")
    boss[:3], above[:2] = pd.NA, pd.NA
    deputy = pd.array(rng.integers(0, emps, jobs), dtype="Int64")
    deputy[rng.random(jobs) < 0.4] = pd.NA
    lands = np.array(["no", "se", "dk"])
    site = pd.DataFrame({"land": np.repeat(lands, 8), "no": np.tile(np.arange(8), 3), "size": rng.random(24)})
    places = site.iloc[rng.integers(0, 24, 90)][["land", "no"]].reset_index(drop=True)
    visit = places.assign(jid=[f"J{n}" for n in rng.integers(0, jobs, 90)]).drop_duplicates(ignore_index=True)
    far = rng.normal(size=60)
    far[:4] = (1e308, -1e308, 1.7e308, 0.0)
    when = np.array(["2020-01-01"] * 28 + ["0001-01-01", "294247-01-09"], dtype="datetime64[us]")
    return {
        "emp": pd.DataFrame(
            {"id": range(emps), "boss": boss, "unit": rng.integers(0, units, emps), "pay": rng.normal(size=emps)}
        ),
        "unit": pd.DataFrame(
            {
                "id": range(units),
                "head": rng.integers(0, emps, units),
                "above": above,
                "kind": rng.choice(list("ab"), units),
            }
        ),
        "job": pd.DataFrame(
            {
                "jid": [f"J{n}" for n in range(jobs)],
                "emp": rng.integers(0, emps, jobs),
                "deputy": deputy,
                "hours": rng.integers(1, 9, jobs),
            }
        ),
        "site": site,
        "visit": visit,
        "note": pd.DataFrame(
            {"jid": [f"J{n}" for n in rng.integers(0, jobs, 60)], "level": rng.choice(list("xyz"), 60), "far": far}
        ),
        "alone": pd.DataFrame({"a": rng.random(30), "b": rng.choice(list("pq"), 30), "when": when}),
    }


def metadata() -> dict:
    tables = {
        name: {"columns": columns, **({"primary_key": key} if key else {})}
        for name, (key, columns, _) in TABLES.items()
    }
    relationships = [
        {"parent_table_name": parent, "child_table_name": name, "parent_primary_key": theirs, "child_foreign_key": own}
        for name, (_, _, keys) in TABLES.items()
        for own, parent, theirs in keys
    ]
    return {"METADATA_SPEC_VERSION": "MULTI_TABLE_V1", "tables": tables, "relationships": relationships}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "data"
    folder.mkdir()
    for name, rows in rows_of().items():
        rows.to_parquet(folder / f"{name}.parquet")
    (folder / "metadata.json").write_text(json.dumps(metadata()), encoding="utf-8")
    return folder


def test_every_key_shape_is_evaluated_by_default_and_one_format_is_enough(
    shapes: Path, tmp_path: Path, here: Callable[..., Ended]
) -> None:
    place = (f"output_dir={tmp_path / 'out'}", "campaign=c", "cluster=inline", "cluster.threads=1")
    few = ("evaluation.comparisons=[synthetic]", "report=quick", "sampling.formats=[csv]")
    here("dataset=folder", f"dataset.path={shapes}", *place, *FEW, *few)
    point = tmp_path / "out" / "campaigns" / "c" / "default"
    assert sorted(path.name for path in (point / "synthetic").iterdir()) == sorted(f"{name}.csv" for name in TABLES)
    assert (point / "report.html").stat().st_size > 50_000
    found = json.loads((point / "metrics.json").read_text(encoding="utf-8"))
    metrics = {score["metric"] for score in found["scores"]}
    assert "sdmetrics_quality" in metrics
    reasons = [each for each in found["unscored"] if each["metric"] == "sdmetrics_quality"]
    assert any(each["where"] == "emp.boss" and "itself" in each["reason"] for each in reasons)
