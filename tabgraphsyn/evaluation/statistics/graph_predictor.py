"""A small graph network that predicts a column of a row from the rows around it, as relational deep learning does.

Every table has an encoder, every foreign key a mean of neighbours in both directions and every layer (Robinson et al.
2024, arXiv 2407.20060; Hamilton et al. 2017, arXiv 1706.02216). It is trained on one database and used on another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.sage import MeanConvolution

LAYERS = 2
_LEARNING_RATE = 0.01
_WEIGHT_DECAY = 1e-3


@dataclass(frozen=True)
class RowGraph:
    """Some rows of a database, what is known of them, and the keys between them.

    Shape:
        inputs: per table (rows, its features) float32.
        keys: per foreign key (2, edges) int64, child row and parent row among those here.
        seeds: (seeds,) int64, rows of ``table`` whose column is asked for.

    Attributes:
        ends: per foreign key its child table and its parent table.
        table: of the seeds.
    """

    inputs: Mapping[str, np.ndarray]
    keys: Mapping[str, np.ndarray]
    ends: Mapping[str, tuple[str, str]]
    table: str
    seeds: np.ndarray

    def edges(self) -> list[tuple[str, str, Edges]]:
        """Return source table, target table and edges, both directions of every key."""
        found = []
        for name, (child, parent) in self.ends.items():
            pair = self.keys[name]
            found.append((child, parent, _edges(pair, len(self.inputs[child]), len(self.inputs[parent]))))
            found.append((parent, child, _edges(pair[::-1], len(self.inputs[parent]), len(self.inputs[child]))))
        return found


def _edges(pair: np.ndarray, sources: int, targets: int) -> Edges:
    degrees = [np.bincount(rows, minlength=size) for rows, size in ((pair[0], sources), (pair[1], targets))]
    return Edges(
        index=torch.from_numpy(np.ascontiguousarray(pair)),
        source_degree=torch.from_numpy(degrees[0].astype(np.float32)),
        target_degree=torch.from_numpy(degrees[1].astype(np.float32)),
        is_function=bool(degrees[1].max(initial=0) <= 1),
    )


class _Layer(nn.Module):
    """A row's own map by table, and a mean of messages by type of edges."""

    def __init__(self, tables: int, edges: int, width: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(tables))
        self.messages = nn.ModuleList(MeanConvolution(width) for _ in range(edges))

    def forward(self, state: Sequence[Tensor], edges: Sequence[tuple[int, int, Edges]]) -> list[Tensor]:
        """Return the next vectors of each table, (rows, width) each."""
        news = [layer(each) for layer, each in zip(self.own, state, strict=True)]
        for convolution, (source, target, each) in zip(self.messages, edges, strict=True):
            news[target] = news[target] + convolution(state[source], state[target], each)
        return [before + functional.relu(after) for before, after in zip(state, news, strict=True)]


class RowNetwork(nn.Module):
    """Two layers of messages along every key.

    Args:
        widths: number of features of each table.
        edges: number of types of edges.
        table: place of the table whose column is predicted.
        width: of hidden vectors.
        outputs: classes, or 1 for a number.
        seed: of the weights.
    """

    def __init__(self, widths: Sequence[int], edges: int, table: int, *, width: int, outputs: int, seed: int) -> None:
        super().__init__()
        self.table = table
        self.encoders = nn.ModuleList(nn.Linear(size, width) for size in widths)
        self.layers = nn.ModuleList(_Layer(len(widths), edges, width) for _ in range(LAYERS))
        self.head = nn.Linear(width, outputs)
        self._draw(seed)

    @torch.no_grad()
    def _draw(self, seed: int) -> None:
        """Draw the weights from a generator of their own: columns are judged side by side."""
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            bound = 1 / math.sqrt(max(parameter.shape[-1], 1)) if parameter.dim() > 1 else 0.0
            parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, inputs: Sequence[Tensor], edges: Sequence[tuple[int, int, Edges]], seeds: Tensor) -> Tensor:
        """Return the predictions of the seeds, (seeds, outputs)."""
        state = [functional.relu(encoder(each)) for encoder, each in zip(self.encoders, inputs, strict=True)]
        for layer in self.layers:
            state = layer(state, edges)
        found: Tensor = self.head(state[self.table][seeds])
        return found


def graph_predictions(
    fit: RowGraph, target: np.ndarray, test: RowGraph, classes: int, seed: int, *, width: int, steps: int
) -> np.ndarray:
    """Return what a network that learnt from one graph says of the seeds of another.

    Args:
        fit: rows to learn from.
        target: (seeds of fit,) classes, or ranks.
        test: rows to predict.
        classes: number of classes; 0 for ranks.
        seed: of the weights.
        width: of hidden vectors.
        steps: over the whole graph.

    Shape:
        (seeds of test,) or (seeds of test, classes).
    """
    tables = list(fit.inputs)
    learnt, asked = (_tensors(graph, tables) for graph in (fit, test))
    widths, place = [each.shape[1] for each in fit.inputs.values()], tables.index(fit.table)
    network = RowNetwork(widths, len(learnt[1]), place, width=width, outputs=classes or 1, seed=seed)
    wanted = torch.from_numpy(target if classes else target.astype(np.float32))
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            found = network(*learnt)
            loss = functional.cross_entropy(found, wanted) if classes else functional.mse_loss(found[:, 0], wanted)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        predicted = network(*asked).double().numpy()
    return predicted if classes else predicted[:, 0]


def _tensors(graph: RowGraph, tables: Sequence[str]) -> tuple[list[Tensor], list[tuple[int, int, Edges]], Tensor]:
    inputs = [torch.from_numpy(np.ascontiguousarray(graph.inputs[name])) for name in tables]
    edges = [(tables.index(source), tables.index(target), each) for source, target, each in graph.edges()]
    return inputs, edges, torch.from_numpy(graph.seeds)
