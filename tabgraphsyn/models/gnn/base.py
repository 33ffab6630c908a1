"""The contract of a condition encoder: from the foreign-key graph to one vector per row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tabgraphsyn.data.graph import EdgeType
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.models.gnn.edges import Edges

__all__ = ["ConditionEncoder", "EdgeType", "Edges", "GraphBatch", "GraphSchema"]


@dataclass(frozen=True)
class GraphSchema(Plain):
    """Node and edge types of the graph that a network is built for.

    Attributes:
        tables: node types, in generation order.
        latent_dims: width of each table's latents.
        structure_dims: width of each table's structural features (degrees, null keys, rank among siblings).
        edge_types: ``(child, relation name, parent)`` and their reverses ``(parent, "rev:" + relation name, child)``.
    """

    tables: tuple[str, ...]
    latent_dims: Mapping[str, int]
    structure_dims: Mapping[str, int]
    edge_types: tuple[EdgeType, ...]

    def visible(self, target: str) -> tuple[str, ...]:
        """Return the tables that are generated before ``target``: the only ones whose latents it may see."""
        return self.tables[: self.tables.index(target)]


@dataclass(frozen=True)
class GraphBatch:
    """A graph, whole or sampled.

    Shape:
        structure[table]: (rows, structure_dim) float32.
        latents[table]: (rows, latent_dim) float32; tables that are hidden from the target may be absent.
        edges[edge_type]: the edges of that type; in a sampled graph rows are numbered anew.
        rows: (asked,) int64, rows of the target table that are asked for; None for all.
    """

    structure: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    edges: Mapping[EdgeType, Edges]
    rows: Tensor | None = None


class ConditionEncoder(nn.Module, ABC):
    """Embeds every row of a target table from what is known when that table is generated.

    Runtime arguments (from the stage, never from yaml): ``graph_schema``.

    Attributes:
        graph_schema: what the network was built for.
        condition_dim: width of a condition; 0 for the null object ``gnn=none``.
        is_trained: False for the null object.
        layers: hops over which a condition sees the graph.
    """

    graph_schema: GraphSchema
    condition_dim: int
    is_trained: bool
    layers: int

    @abstractmethod
    def forward(self, graph: GraphBatch, target: str) -> Tensor:
        """Return standardised conditions of the rows asked for, (rows, condition_dim).

        Latents of ``target`` and of later tables are not read.
        """

    @abstractmethod
    def loss(self, graph: GraphBatch, target: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Return scalar losses of predicting the latents of ``target`` under its mask; ``loss`` is minimised."""

    @abstractmethod
    def fit_standardisation(self, graph: GraphBatch, target: str) -> None:
        """Set the mean and spread of the conditions of ``target`` from its training rows, once training is over."""
