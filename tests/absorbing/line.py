"""A small database trained by the real stages of ``model=absorbing``."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from small_database import SmallStore, load, people_and_visits, settings

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.stages import absorbing, prepare, sample, structure


@pytest.fixture(scope="session")
def absorbing_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """People and visits, trained up to sample."""
    loop = {**load("training", "quick")["absorbing"], "steps": 20, "batch_rows": 64, "warmup_steps": 2}
    generator = {**load("generator", "absorbing"), "width": 16, "window": 4}
    overrides = {**settings(), "generator": generator, "training": {"absorbing": loop}}
    store = SmallStore(tmp_path_factory.mktemp("absorbing"), overrides)
    schema, tables = people_and_visits()
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
