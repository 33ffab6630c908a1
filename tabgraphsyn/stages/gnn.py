"""Trains the graph network over the whole database and writes a condition for every training row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tabgraphsyn.data.arrays import save_array
from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.graph import edge_types
from tabgraphsyn.data.graph_features import StructureFeatures
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphSchema
from tabgraphsyn.models.gnn.whole import DatabaseGraph
from tabgraphsyn.stages.conditioning import CONFIG_FILE, WEIGHTS_FILE, DatabaseConditions, build_encoder, database_graph
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.fitting import fit
from tabgraphsyn.stages.starting import start_from
from tabgraphsyn.stages.weights import write_weights
from tabgraphsyn.training.conditions import ConditionTask, GraphLoopConfig


def run(context: StageContext) -> None:
    """Write ``gnn.json``, ``gnn.safetensors`` and ``condition/<table>.npy``."""
    features, graph, schema = _read(context)
    torch.manual_seed(derive_seed(context.config["seed"], "gnn", "weights"))
    encoder = build_encoder(context.config["gnn"], schema, context.allow_targets)
    summary = _train(context, encoder, graph) if encoder.is_trained else None
    encoder.to(context.resources.device).eval()
    for table in schema.tables:
        encoder.fit_standardisation(graph.whole(), table)
        save_array(context.artifacts / "condition" / f"{table}.npy", _conditions(encoder, graph, table))
    write_weights(encoder, context.artifacts / WEIGHTS_FILE)
    write_json(
        context.artifacts / CONFIG_FILE,
        {
            "gnn": dict(context.config["gnn"]),
            "graph_schema": schema.to_dict(),
            "features": features.to_dict(),
            "training": summary,
        },
    )


def _read(context: StageContext) -> tuple[StructureFeatures, DatabaseGraph, GraphSchema]:
    prepared = Prepared(context.input("prepare"))
    schema, plan, pointers = prepared.schema, prepared.plan, prepared.pointers()
    rows = plan.training_rows
    latents = {t: torch.from_numpy(np.load(context.input(f"autoencoder/{t}") / "latents.npy")) for t in plan.order}
    features = StructureFeatures.fit(schema, plan, rows, pointers)
    graph = database_graph(features, rows, pointers, latents, context.resources.device)
    graph_schema = GraphSchema(
        tables=plan.order,
        latent_dims={table: values.shape[1] for table, values in latents.items()},
        structure_dims={table: len(features.names(table)) for table in plan.order},
        edge_types=edge_types(schema),
    )
    return features, graph, graph_schema


def _train(context: StageContext, encoder: ConditionEncoder, graph: DatabaseGraph) -> dict[str, Any] | None:
    config = GraphLoopConfig(**context.config["training"]["gnn"])
    seed = derive_seed(context.config["seed"], "gnn")
    start_from(encoder, context, WEIGHTS_FILE.removesuffix(".safetensors"))
    task = ConditionTask(encoder, graph, config, seed)
    if not task.targets:
        context.log.info("gnn: no table has attributes to predict; the network stays as it was drawn")
        return None
    summary = fit(context, task, config, seed)
    return summary.result()


def _conditions(encoder: ConditionEncoder, graph: DatabaseGraph, table: str) -> np.ndarray:
    return DatabaseConditions(encoder, graph).condition(table, graph.latents).numpy()
