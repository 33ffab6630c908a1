"""A small database with every shape of key, as a graph; every yaml in conf/gnn is tested by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tabgraphsyn.data.graph import edge_types
from tabgraphsyn.data.graph_features import StructureFeatures
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.schema import Relation, Schema, TableSchema
from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphSchema
from tabgraphsyn.models.gnn.whole import DatabaseGraph
from tabgraphsyn.stages.conditioning import build_encoder, database_graph

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "gnn").glob("*.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "config" in metafunc.fixturenames:
        metafunc.parametrize("config", [_config(path) for path in CONFIGS], ids=[path.stem for path in CONFIGS])
    if "trained_config" in metafunc.fixturenames:
        chosen = [path for path in CONFIGS if path.stem != "none"]
        metafunc.parametrize("trained_config", [_config(path) for path in chosen], ids=[path.stem for path in chosen])


def _config(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


# Two keys to one parent (origin, destination), a self-reference (boss), a cycle (airport.hub_crew -> crew -> airport),
# nullable keys, a table of keys only (member), a table without relations (note).
SCHEMA = Schema(
    tuple(TableSchema(name, ()) for name in ("airport", "crew", "flight", "member", "note")),
    (
        Relation("flight", ("origin",), "airport", ("id",)),
        Relation("flight", ("destination",), "airport", ("id",)),
        Relation("crew", ("base",), "airport", ("id",)),
        Relation("crew", ("boss",), "crew", ("id",)),
        Relation("airport", ("hub_crew",), "crew", ("id",)),
        Relation("member", ("flight",), "flight", ("id",)),
        Relation("member", ("crew",), "crew", ("id",)),
    ),
)
ORDER = ("airport", "crew", "flight", "member", "note")
PLAN = {
    "order": list(ORDER),
    "driver": {
        "airport": None,
        "crew": "crew.base--airport",
        "flight": "flight.origin--airport",
        "member": "member.flight--flight",
        "note": None,
    },
    "reference_tables": ["airport"],
}
ROWS = {"airport": 7, "crew": 40, "flight": 120, "member": 200, "note": 30}
LATENT_DIMS = {"airport": 5, "crew": 4, "flight": 6, "member": 0, "note": 3}


class SmallDatabase:
    """Rows, keys and latents of the schema above, drawn by a seed."""

    schema, plan, rows, latent_dims = SCHEMA, PLAN, ROWS, LATENT_DIMS

    def pointers(self, seed: int = 0, rows: dict[str, int] = ROWS) -> dict[str, np.ndarray]:
        generator = np.random.default_rng(seed)
        found = {}
        for relation in SCHEMA.relations:
            parent_row = generator.integers(0, rows[relation.parent_table], rows[relation.child_table])
            if relation.child_columns[0] in ("destination", "boss", "hub_crew", "crew"):
                parent_row[generator.random(len(parent_row)) < 0.3] = -1
                parent_row[generator.random(len(parent_row)) < 0.1] = -2
            found[relation.name] = parent_row.astype(np.int64)
        return found

    def latents(self, seed: int = 0, rows: dict[str, int] = ROWS) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return {table: torch.randn(rows[table], width, generator=generator) for table, width in LATENT_DIMS.items()}

    def features(self) -> StructureFeatures:
        plan = Plan.from_dict({**PLAN, "real_rows": ROWS, "training_rows": ROWS})
        return StructureFeatures.fit(SCHEMA, plan, ROWS, self.pointers())

    def graph_schema(self) -> GraphSchema:
        return GraphSchema(
            tables=ORDER,
            latent_dims=LATENT_DIMS,
            structure_dims={table: len(self.features().names(table)) for table in ORDER},
            edge_types=edge_types(SCHEMA),
        )

    def graph(self, seed: int = 0, rows: dict[str, int] = ROWS) -> DatabaseGraph:
        return database_graph(self.features(), rows, self.pointers(seed, rows), self.latents(seed, rows), "cpu")

    def encoder(self, config: dict[str, Any], seed: int = 0, **changes: Any) -> ConditionEncoder:
        torch.manual_seed(seed)
        return build_encoder({**config, **changes}, self.graph_schema()).eval()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small() -> SmallDatabase:
    return SmallDatabase()
