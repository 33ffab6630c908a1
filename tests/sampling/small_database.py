"""A small database trained by the real stages, for tests and for ``scripts/fuzz.py``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.stages import autoencoder, diffusion, gnn, prepare, sample, structure
from tabgraphsyn.stages.context import Resources, StageContext

CONF = Path(__file__).parents[2] / "conf"


class SilentTracker:
    """Keeps metrics in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []

    def log(self, metrics: Any, step: int) -> None:
        self.lines.append({"step": step, **metrics})

    def rewind(self, step: int, recorded: Any = None) -> None:
        self.lines = [line for line in self.lines if line["step"] <= step]

    def recorded(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        """Lines are held in memory: there is nothing to close."""


@dataclass
class Flag:
    requested: bool = False
    overtaken: bool = False


@dataclass
class SmallStore:
    """Runs stages the way the worker does, one folder each."""

    root: Path
    overrides: dict[str, Any]
    artifacts: dict[str, Path] = field(default_factory=dict)
    tracker: SilentTracker = field(default_factory=SilentTracker)

    def context(self, stage: str, roles: list[str], table: str | None = None, requested: bool = False) -> StageContext:
        name = stage if table is None else f"{stage}/{table}"
        folder = self.root / stage / f"signature-{name.replace('/', '-')}"
        (folder / "artifacts").mkdir(parents=True, exist_ok=True)
        self.artifacts[name] = folder / "artifacts"
        return StageContext(
            stage=stage,
            table=table,
            signature=folder.name,
            folder=folder,
            config=self.overrides,
            inputs={role: self.artifacts[role] for role in roles},
            resources=Resources("cpu", 1),
            tracker=self.tracker,
            interrupt=Flag(requested),
        )

    def run(
        self, module: Callable[[StageContext], None], stage: str, roles: list[str], table: str | None = None
    ) -> None:
        module(self.context(stage, roles, table))

    def ingest(self, schema: Schema, tables: Mapping[str, pa.Table]) -> None:
        """Write what ingesting these tables leaves."""
        ingest = self.context("ingest", []).artifacts
        write_json(ingest / "schema.json", schema.to_dict())
        (ingest / "tables").mkdir()
        for name, table in tables.items():
            pq.write_table(table, ingest / "tables" / f"{name}.parquet")

    def sample_roles(self) -> list[str]:
        tables = read_json(self.artifacts["prepare"] / "plan.json")["order"]
        return [
            "prepare",
            "structure",
            "gnn",
            *(f"{kind}/{table}" for kind in ("autoencoder", "diffusion") for table in tables),
        ]


def load(group: str, name: str = "default") -> dict[str, Any]:
    return dict(OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"), resolve=True))  # type: ignore[arg-type]


def settings() -> dict[str, Any]:
    training = load("training", "quick")
    for section in ("autoencoder", "gnn", "diffusion"):
        training[section] |= {"steps": 20, "warmup_steps": 2, "validate_every": 0}
    return {
        "seed": 0,
        "codec": load("codec", "quantile"),
        "holdout": load("holdout"),
        "structure": load("structure", "skeleton"),
        "generator": load("generator", "latent_diffusion"),
        "autoencoder": load("autoencoder", "data_space"),
        "gnn": load("gnn", "sage"),
        "denoiser": load("denoiser", "mlp"),
        "diffusion": load("diffusion", "edm"),
        "sampler": {**load("sampler"), "steps": 4},
        "sampling": load("sampling"),
        "training": training,
    }


def people_and_visits() -> tuple[Schema, dict[str, pa.Table]]:
    """Cities (reference), people with a boss, visits with a nullable guide, friendships of keys only."""
    rng = np.random.default_rng(0)
    people = [f"PERSON-{number:06d}" for number in rng.choice(900_000, 150, replace=False)]
    boss = [None if i < 10 else people[int(rng.integers(0, i))] for i in range(150)]
    who = np.sort(rng.integers(0, 150, 500))
    home = rng.integers(0, 8, 150)
    friends = sorted({(int(a), int(b)) for a, b in rng.integers(0, 150, (300, 2)) if a != b})
    days = [dt.datetime(2021, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 700, 500)]
    tables = {
        "cities": pa.table({"city": [f"C{i}" for i in range(8)], "size": rng.normal(100, 20, 8)}),
        "people": pa.table(
            {
                "person": people,
                "city": [f"C{i}" for i in home],
                "boss": boss,
                "height": rng.normal(170, 10, 150),
                "zone": [f"zone {i // 2}" for i in home],
                "note": [f"secret remark {i} of nobody else" for i in range(150)],
            }
        ),
        "visits": pa.table(
            {
                "visit": list(range(500)),
                "person": [people[i] for i in who],
                "guide": [people[int(i)] if i < 150 else None for i in rng.integers(0, 200, 500)],
                "day": pa.array(days, pa.timestamp("us")),
                "paid": (who % 3 == 0).tolist(),
                "score": rng.integers(0, 5, 500),
            }
        ),
        "friends": pa.table({"a": [people[a] for a, _ in friends], "b": [people[b] for _, b in friends]}),
    }
    kinds = {
        "size": "numerical",
        "height": "numerical",
        "zone": "categorical",
        "note": "text",
        "day": "datetime",
        "paid": "boolean",
        "score": "numerical",
    }
    primary: dict[str, tuple[str, ...]] = {
        "cities": ("city",),
        "people": ("person",),
        "visits": ("visit",),
        "friends": ("a", "b"),
    }
    schemas = [
        TableSchema(
            name,
            tuple(
                Column(column, kinds.get(column, "id"), datetime_format="%d.%m.%Y" if column == "day" else None)  # type: ignore[arg-type]
                for column in table.column_names
            ),
            primary[name],
        )
        for name, table in tables.items()
    ]
    links = [
        Relation("people", ("city",), "cities", ("city",)),
        Relation("people", ("boss",), "people", ("person",)),
        Relation("visits", ("person",), "people", ("person",)),
        Relation("visits", ("guide",), "people", ("person",)),
        Relation("friends", ("a",), "people", ("person",)),
        Relation("friends", ("b",), "people", ("person",)),
    ]
    return Schema(tuple(schemas), tuple(links)), tables


def trained(root: Path, schema: Schema, tables: dict[str, pa.Table], **overrides: Any) -> SmallStore:
    """Run every stage up to sample on these tables."""
    store = SmallStore(root, {**settings(), **overrides})
    store.ingest(schema, tables)
    store.run(prepare.run, "prepare", ["ingest"])
    order = read_json(store.artifacts["prepare"] / "plan.json")["order"]
    store.run(structure.run, "structure", ["ingest", "prepare"])
    for name in order:
        store.run(autoencoder.run, "autoencoder", ["prepare"], name)
    store.run(gnn.run, "gnn", ["prepare", *(f"autoencoder/{name}" for name in order)])
    for name in order:
        store.run(diffusion.run, "diffusion", ["prepare", f"autoencoder/{name}", "gnn"], name)
    store.run(sample.run, "sample", store.sample_roles())
    return store
