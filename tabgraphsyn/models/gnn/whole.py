"""A whole database as a graph of tensors, from which batches are taken: all of it, or sampled parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from torch import Tensor

from tabgraphsyn.data.graph import Adjacency, EdgeType, reversed_type
from tabgraphsyn.models.gnn.base import Edges, GraphBatch
from tabgraphsyn.models.gnn.sampling import NeighbourSampler, to_batch


@dataclass(frozen=True)
class DatabaseGraph:
    """Features, latents and edges of every row of a database.

    Shape:
        structure[table]: (rows, structure_dim) float32.
        latents[table]: (rows, latent_dim) float32; absent for tables that are not generated yet.
        adjacency[edge_type]: neighbour lists over all rows.
    """

    structure: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    adjacency: Mapping[EdgeType, Adjacency]
    device: str = "cpu"
    _edges: dict[EdgeType, Edges] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Number of rows of every table."""
        return {table: features.shape[0] for table, features in self.structure.items()}

    def with_latents(self, latents: Mapping[str, Tensor]) -> DatabaseGraph:
        """Return the same graph with other latents; edges that were made once are shared.

        Shape:
            each is (rows, latent_dim).
        """
        return DatabaseGraph(self.structure, latents, self.adjacency, self.device, self._edges)

    @cached_property
    def _whole(self) -> GraphBatch:
        return GraphBatch(
            structure={table: values.to(self.device) for table, values in self.structure.items()},
            latents={table: values.to(self.device) for table, values in self.latents.items()},
            edges={edge_type: self._edges_of(edge_type) for edge_type in self.adjacency},
        )

    def _edges_of(self, edge_type: EdgeType) -> Edges:
        if edge_type not in self._edges:
            reverse = self.adjacency[reversed_type(edge_type)]
            self._edges[edge_type] = Edges.whole(self.adjacency[edge_type], reverse, self.device)
        return self._edges[edge_type]

    def whole(self, rows: Tensor | None = None) -> GraphBatch:
        """Return the whole graph, asking for some rows of the target or for all; ``rows`` are (asked,) int64."""
        batch = self._whole
        return GraphBatch(batch.structure, batch.latents, batch.edges, None if rows is None else rows.to(self.device))

    def sampled(
        self, sampler: NeighbourSampler, target: str, rows: np.ndarray, generator: np.random.Generator
    ) -> GraphBatch:
        """Return the sampled surroundings of distinct ``rows`` of ``target``, asking for these rows in order.

        Shape:
            (asked,) int64.
        """
        part = sampler.sample(target, rows, generator)
        return to_batch(part, self.adjacency, self.structure, self.latents, len(rows), self.device)
