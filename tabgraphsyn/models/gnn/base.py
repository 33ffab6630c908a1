"""The contract of a condition encoder: from the foreign-key graph to one vector per row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

EdgeType = tuple[str, str, str]


@dataclass(frozen=True)
class GraphSchema:
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


@dataclass(frozen=True)
class GraphBatch:
    """A graph, whole or sampled.

    Shape:
        structure[table]: (rows, structure_dim) float32.
        latents[table]: (rows, latent_dim) float32; rows of masked tables are not read.
        edges[edge_type]: (2, edges) int64, source row and target row.
    """

    structure: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    edges: Mapping[EdgeType, Tensor]


class ConditionEncoder(nn.Module, ABC):
    """Embeds every row of a target table from what is known when that table is generated.

    Runtime arguments (from the stage, never from yaml): ``graph_schema``.

    Attributes:
        condition_dim: width of a condition; 0 for the null object ``gnn=none``.
        is_trained: False for the null object.
    """

    condition_dim: int
    is_trained: bool

    @abstractmethod
    def forward(self, graph: GraphBatch, target: str) -> Tensor:
        """Return conditions (rows of target, condition_dim) with ``target`` and later tables masked."""

    @abstractmethod
    def loss(self, graph: GraphBatch, target: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Return scalar losses of predicting the latents of ``target`` under its mask; ``loss`` is minimised."""
