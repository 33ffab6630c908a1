"""A small database trained by the real stages of ``model=absorbing``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_database import SmallStore, load, people_and_visits, settings

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.stages import absorbing, prepare, sample, structure


@pytest.fixture(scope="session")
def absorbing_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """People and visits, trained up to sample."""
    return trained_absorbing(tmp_path_factory.mktemp("absorbing"), *people_and_visits(), steps=20, width=16)


def trained_absorbing(
    folder: Path, schema: Schema, tables: dict[str, pa.Table], *, steps: int, width: int, **more: Any
) -> SmallStore:
    """Return tables trained up to sample."""
    loop = {**load("training", "quick")["absorbing"], "steps": steps, "batch_rows": 64, "warmup_steps": 2, **more}
    generator = {**load("generator", "absorbing"), "width": width, "window": 4}
    overrides = {**settings(), "generator": generator, "training": {"absorbing": loop}}
    store = SmallStore(folder, overrides)
    ingest = store.context("ingest", []).artifacts
    write_json(ingest / "schema.json", schema.to_dict())
    (ingest / "tables").mkdir()
    for name, table in tables.items():
        pq.write_table(table, ingest / "tables" / f"{name}.parquet")
    store.run(prepare.run, "prepare", ["ingest"])
    store.run(structure.run, "structure", ["ingest", "prepare"])
    order = read_json(store.artifacts["prepare"] / "plan.json")["order"]
    for name in order:
        store.run(absorbing.run, "absorbing", ["prepare"], name)
    store.run(sample.run, "sample", ["prepare", "structure", *(f"absorbing/{name}" for name in order)])
    return store
