"""A small database trained by the real stages of ``model=absorbing``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from small_database import SmallStore, load, people_and_visits, settings

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.stages import absorbing, autoencoder, gnn, prepare, sample, structure


@pytest.fixture(scope="session")
def absorbing_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """People and visits, trained up to sample."""
    return trained_absorbing(tmp_path_factory.mktemp("absorbing"), *people_and_visits(), steps=20, width=16)


def trained_absorbing(
    folder: Path,
    schema: Schema,
    tables: dict[str, pa.Table],
    *,
    steps: int,
    width: int,
    gnn_steps: int = 0,
    generator: Mapping[str, Any] | None = None,
    **more: Any,
) -> SmallStore:
    """Return tables trained up to sample; with ``gnn_steps``, rows are told the vectors of ``gnn=sage``.

    ``generator`` holds further settings of the model, ``more`` those of its training.
    """
    loop = {**load("training", "quick")["absorbing"], "steps": steps, "batch_rows": 64, "warmup_steps": 2, **more}
    model = {**load("generator", "absorbing"), "width": width, "window": 4, **(generator or {})}
    overrides = {**settings(), "generator": model, "gnn": load("gnn", "sage" if gnn_steps else "none")}
    overrides["training"] = {**overrides["training"], "absorbing": loop}
    overrides["training"]["gnn"] |= {"steps": gnn_steps}
    store = SmallStore(folder, overrides)
    store.ingest(schema, tables)
    store.run(prepare.run, "prepare", ["ingest"])
    store.run(structure.run, "structure", ["ingest", "prepare"])
    order = read_json(store.artifacts["prepare"] / "plan.json")["order"]
    read = with_graph(store, order) if gnn_steps else []
    for name in order:
        store.run(absorbing.run, "absorbing", ["prepare", *read[:1]], name)
    store.run(sample.run, "sample", ["prepare", "structure", *read, *(f"absorbing/{name}" for name in order)])
    return store


def with_graph(store: SmallStore, order: list[str]) -> list[str]:
    """Train the graph network and return what sampling reads of it, the network first."""
    for name in order:
        store.run(autoencoder.run, "autoencoder", ["prepare"], name)
    read = [f"autoencoder/{name}" for name in order]
    store.run(gnn.run, "gnn", ["prepare", *read])
    return ["gnn", *read]
