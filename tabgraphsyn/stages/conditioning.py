"""Conditions from a trained graph network: the same code for training rows and for generated rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.graph import adjacencies
from tabgraphsyn.data.graph_features import StructureFeatures
from tabgraphsyn.errors import StageError
from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphSchema
from tabgraphsyn.models.gnn.whole import DatabaseGraph
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.weights import with_weights

CONFIG_FILE = "gnn.json"
WEIGHTS_FILE = "gnn.safetensors"


@dataclass(frozen=True)
class DatabaseConditions:
    """Conditions for the rows of one database whose keys are known."""

    encoder: ConditionEncoder
    graph: DatabaseGraph

    @torch.no_grad()
    def condition(self, target: str, latents: Mapping[str, Tensor]) -> Tensor:
        """Return the standardised conditions of a table, (rows, condition_dim) float32 on the CPU.

        Args:
            target: the table that is generated next.
            latents: latents of the tables before it.

        Raises:
            StageError: latents that are missing, or do not have a row for every row of their table.
        """
        self._check(target, latents)
        read = set(self.encoder.graph_schema.visible(target))
        graph = self.graph.with_latents({table: latents[table].float() for table in latents if table in read})
        return self.encoder(graph.whole(), target).float().cpu()

    def _check(self, target: str, latents: Mapping[str, Tensor]) -> None:
        schema = self.encoder.graph_schema
        for table in schema.visible(target) if self.encoder.is_trained else ():
            wanted = (self.graph.rows[table], schema.latent_dims[table])
            found = tuple(latents[table].shape) if table in latents else None
            if found != wanted:
                raise StageError(
                    f"condition of {target!r}: latents of {table!r}, which is generated before it, must have shape "
                    f"{wanted}, found {found}. Generate tables in the order of plan.json."
                )


@dataclass(frozen=True)
class ConditionSource:
    """A trained graph network with what it needs to know about the keys of any database of its schema."""

    encoder: ConditionEncoder
    features: StructureFeatures
    device: str

    def open(self, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]) -> DatabaseConditions:
        """Return the conditions of one database; its graph is built once, here.

        Args:
            rows: number of rows of every table.
            pointers: relation name -> row of the parent table, -1 for null.
        """
        graph = database_graph(self.features, rows, pointers, {}, self.device)
        return DatabaseConditions(self.encoder, graph)

    def condition(
        self, target: str, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray], latents: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the conditions of one table; for several tables of a database ``open`` it once.

        Shape:
            (rows, condition_dim).
        """
        return self.open(rows, pointers).condition(target, latents)


def database_graph(
    features: StructureFeatures,
    rows: Mapping[str, int],
    pointers: Mapping[str, np.ndarray],
    latents: Mapping[str, Tensor],
    device: str,
) -> DatabaseGraph:
    """Return the graph of a database from its keys; pointers are (child rows,) int64."""
    structure = {table: torch.from_numpy(values) for table, values in features.compute(rows, pointers).items()}
    return DatabaseGraph(structure, latents, adjacencies(features.schema, rows, pointers), device)


def build_encoder(
    config: Mapping[str, Any], schema: GraphSchema, allow_targets: tuple[str, ...] = ()
) -> ConditionEncoder:
    """Return the graph network that ``config`` names, built for ``schema``."""
    encoder: ConditionEncoder = build(config, ConditionEncoder, allow_targets=allow_targets, graph_schema=schema)
    return encoder


def load_conditions(folder: Path, device: str, *, allow_targets: tuple[str, ...] = ()) -> ConditionSource:
    """Read ``gnn.json`` and ``gnn.safetensors`` from a stage's artifacts or a bundle.

    Raises:
        StageError: a file is missing.
        DataError: weights that do not fit the config.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise StageError(f"{folder}: no {name}; expected the artifacts of a gnn stage or a bundle.")
    saved: dict[str, Any] = read_json(folder / CONFIG_FILE)
    schema = GraphSchema.from_dict(saved["graph_schema"])
    encoder = with_weights(lambda: build_encoder(saved["gnn"], schema, allow_targets), folder / WEIGHTS_FILE)
    return ConditionSource(encoder.to(device).eval(), StructureFeatures.from_dict(saved["features"]), device)
