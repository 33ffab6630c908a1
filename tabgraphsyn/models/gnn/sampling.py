"""Neighbour sampling: the part of a graph that the conditions of a few rows depend on.

PyG's loaders need compiled packages that no public wheel offers for every platform; this sampler is vectorised numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.graph import Adjacency, EdgeType, reversed_type
from tabgraphsyn.models.gnn.base import Edges, GraphBatch


@dataclass(frozen=True)
class SampledGraph:
    """Rows and edges that were reached.

    Shape:
        rows[table]: (reached,) int64, row numbers in the whole graph; the rows asked for come first in their table.
        edges[edge_type]: (2, edges) int64, positions in ``rows`` of the source and of the target, sorted by target.
    """

    rows: Mapping[str, np.ndarray]
    edges: Mapping[EdgeType, np.ndarray]


class Sampler(Protocol):
    """Anything that can cut a part out of a graph."""

    def sample(self, target: str, rows: np.ndarray, generator: np.random.Generator) -> SampledGraph:
        """Return what ``rows`` of ``target`` depend on, (asked,) int64."""


@dataclass
class NeighbourSampler:
    """Breadth first from the rows asked for; every row that is reached is expanded once.

    With ``fanout=None`` the conditions of the rows asked for are exactly those in the whole graph.

    Attributes:
        adjacency: neighbours of the target rows of every edge type.
        rows: number of rows of every table.
        hops: how far to go: the layers of the network.
        fanout: largest number of neighbours of one row along one edge type; None for all.
    """

    adjacency: Mapping[EdgeType, Adjacency]
    rows: Mapping[str, int]
    hops: int
    fanout: int | None
    _position: dict[str, np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # One array a table, made once and cleaned after each use: a sample costs what it reaches, not the graph's size.
        self._position = {table: np.full(count, -1, dtype=np.int64) for table, count in self.rows.items()}

    def sample(self, target: str, rows: np.ndarray, generator: np.random.Generator) -> SampledGraph:
        """Return what the distinct ``rows`` of ``target`` depend on, (asked,) int64."""
        reached: dict[str, list[np.ndarray]] = {table: [] for table in self.rows}
        self._reach(target, rows, reached)
        fresh = {target: rows}
        pieces: dict[EdgeType, list[tuple[np.ndarray, np.ndarray]]] = {edge_type: [] for edge_type in self.adjacency}
        for _ in range(self.hops):
            found: dict[str, list[np.ndarray]] = {}
            for edge_type, adjacency in self.adjacency.items():
                source_table, _, target_table = edge_type
                if target_table not in fresh:
                    continue
                source, owner = sampled_neighbours(adjacency, fresh[target_table], self.fanout, generator)
                found.setdefault(source_table, []).append(self._reach(source_table, source, reached))
                pieces[edge_type].append((source, owner))
            fresh = {table: np.concatenate(parts) for table, parts in found.items()}
        edges = {edge_type: self._local(edge_type, parts) for edge_type, parts in pieces.items() if parts}
        collected = {
            table: np.concatenate(parts) if parts else np.zeros(0, np.int64) for table, parts in reached.items()
        }
        for table, touched in collected.items():
            self._position[table][touched] = -1
        return SampledGraph(collected, edges)

    def _reach(self, table: str, rows: np.ndarray, reached: dict[str, list[np.ndarray]]) -> np.ndarray:
        """Return those of ``rows`` that were not reached before, after numbering them."""
        position = self._position[table]
        unseen = rows[position[rows] < 0]
        _, first = np.unique(unseen, return_index=True)
        new = unseen[np.sort(first)]
        start = sum(len(part) for part in reached[table])
        position[new] = np.arange(start, start + len(new))
        reached[table].append(new)
        return new

    def _local(self, edge_type: EdgeType, parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        source = self._position[edge_type[0]][np.concatenate([part[0] for part in parts])]
        target = self._position[edge_type[2]][np.concatenate([part[1] for part in parts])]
        return np.stack([source, target])[:, np.argsort(target, kind="stable")]


def sampled_neighbours(
    adjacency: Adjacency, rows: np.ndarray, fanout: int | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return up to ``fanout`` distinct neighbours of every row, and the row that each belongs to.

    A row with more neighbours gets one of each of ``fanout`` equal stretches of its list, which is rotated at random:
    every neighbour has the same chance, at a cost that does not depend on the number of neighbours.

    Shape:
        rows: (count,) int64. Returned: two (sampled,) int64 arrays, grouped by row in the order of ``rows``.
    """
    start = adjacency.pointer[rows]
    degree = adjacency.pointer[rows + 1] - start
    count = degree if fanout is None else np.minimum(degree, fanout)
    owner = np.repeat(np.arange(len(rows)), count)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    if fanout is not None and np.any(degree > fanout):
        low = place * degree[owner] // count[owner]
        high = (place + 1) * degree[owner] // count[owner]
        drawn = low + (generator.random(len(owner)) * (high - low)).astype(np.int64)
        rotation = (generator.random(len(rows)) * degree).astype(np.int64)
        place = np.where(degree[owner] > fanout, (drawn + rotation[owner]) % degree[owner], place)
    return adjacency.source[start[owner] + place], rows[owner]


def to_batch(
    sampled: SampledGraph,
    adjacency: Mapping[EdgeType, Adjacency],
    structure: Mapping[str, Tensor],
    latents: Mapping[str, Tensor],
    asked: int,
    device: str,
) -> GraphBatch:
    """Return the tensors of a sampled graph.

    Args:
        sampled: what was reached.
        adjacency: the whole graph, for the true degrees.
        structure, latents: tensors of the whole graph; tables without latents may be absent.
        asked: number of rows of the target table that were asked for.
        device: where the batch goes.
    """
    rows = {table: torch.from_numpy(numbers) for table, numbers in sampled.rows.items()}
    edges = {
        edge_type: _edges(edge_type, index, sampled.rows, adjacency, device)
        for edge_type, index in sampled.edges.items()
    }
    return GraphBatch(
        structure={table: structure[table][numbers].to(device) for table, numbers in rows.items()},
        latents={table: latents[table][numbers].to(device) for table, numbers in rows.items() if table in latents},
        edges=edges,
        rows=torch.arange(asked, device=device),
    )


def _edges(
    edge_type: EdgeType,
    index: np.ndarray,
    rows: Mapping[str, np.ndarray],
    adjacency: Mapping[EdgeType, Adjacency],
    device: str,
) -> Edges:
    source, target = rows[edge_type[0]], rows[edge_type[2]]
    target_degree = _degree(adjacency[edge_type], target)
    here = np.bincount(index[1], minlength=len(target)).astype(np.float32)
    weight = np.where(here > 0, target_degree / np.maximum(here, 1), 1.0).astype(np.float32)
    return Edges(
        index=torch.from_numpy(index).to(device),
        source_degree=torch.from_numpy(_degree(adjacency[reversed_type(edge_type)], source)).to(device),
        target_degree=torch.from_numpy(target_degree).to(device),
        is_function=bool(here.max(initial=0) <= 1),
        sampling_weight=torch.from_numpy(weight).to(device),
    )


def _degree(adjacency: Adjacency, rows: np.ndarray) -> np.ndarray:
    return (adjacency.pointer[rows + 1] - adjacency.pointer[rows]).astype(np.float32)
