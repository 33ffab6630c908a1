"""The part of a graph that some of a step's rows depend on, and their share in losses that are means over all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.graph import Adjacency, EdgeType
from tabgraphsyn.errors import StageError
from tabgraphsyn.models.gnn.base import ConditionEncoder
from tabgraphsyn.models.gnn.heads import NeighbourHead, PredictionHead
from tabgraphsyn.models.gnn.sampling import NeighbourSampler, SampledGraph


def surroundings(sampled: SampledGraph, target: str, rows: slice, hops: int) -> SampledGraph:
    """Return the part of a sample that some of the rows asked for depend on.

    They see the same neighbours as in the whole sample, so their conditions are the same.

    Args:
        sampled: of all rows asked for, which come first in their table.
        target: their table.
        rows: some of them; they come first in the part.
        hops: layers of the network.
    """
    counts = {table: len(numbers) for table, numbers in sampled.rows.items()}
    adjacency = {
        edge_type: Adjacency.from_edges(index[0], index[1], counts[edge_type[2]])
        for edge_type, index in sampled.edges.items()
    }
    asked = np.arange(rows.start, rows.stop)
    # Without a fanout nothing is drawn.
    part = NeighbourSampler(adjacency, counts, hops, None).sample(target, asked, np.random.default_rng(0))
    return SampledGraph({table: sampled.rows[table][places] for table, places in part.rows.items()}, part.edges)


@dataclass(frozen=True)
class Shares:
    """How much of a whole step's rows a part holds, for every mean that a graph network's loss takes.

    Attributes:
        rows: of the part, over the rows asked for.
        neighbours: rows of the whole step that have neighbours, by the number of the edge type.
    """

    rows: float
    neighbours: Mapping[int, float]

    @staticmethod
    def of(
        network: ConditionEncoder,
        adjacency: Mapping[EdgeType, Adjacency],
        target: str,
        asked: np.ndarray,
        part_rows: int,
    ) -> Shares:
        """Return the shares of ``part_rows`` of the rows ``asked`` for."""
        heads = getattr(network, "incoming", {}).get(target, [])
        counts = {
            number: float((adjacency[edge_type].degree[asked] > 0).sum())
            for number, edge_type in heads
            if edge_type in adjacency
        }
        return Shares(part_rows / len(asked), counts)


@contextmanager
def scaled_heads(network: ConditionEncoder, shares: Shares) -> Iterator[None]:
    """Let every head return its part's share of the mean over the whole step, while the block runs.

    The loss of a graph network is linear in what its heads return, so over all parts it adds up to that of the step.

    Raises:
        StageError: a network whose loss does not come from such heads.
    """
    heads = [module for module in network.modules() if isinstance(module, NeighbourHead | PredictionHead)]
    if not any(isinstance(head, PredictionHead) for head in heads):
        raise StageError(
            f"{type(network).__name__}: its loss is not a sum over rows that is known here, so a batch cannot be "
            "split over ranks or micro-batches. Use resources.gnn.tasks_per_node=1 and a smaller "
            "training.gnn.batch_rows."
        )

    def prediction(_: torch.nn.Module, __: tuple[Tensor, ...], loss: Tensor) -> Tensor:
        return loss * shares.rows

    def neighbours(number: int, inputs: tuple[Tensor, ...], loss: Tensor) -> Tensor:
        return loss * (inputs[2].sum().clamp(min=1.0) / max(shares.neighbours[number], 1.0))

    handles = []
    for number, head in enumerate(getattr(network, "neighbours", [])):
        handles.append(
            head.register_forward_hook(lambda _, inputs, loss, number=number: neighbours(number, inputs, loss))
        )
    handles += [head.register_forward_hook(prediction) for head in heads if isinstance(head, PredictionHead)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
