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


class RowNetwork(nn.Module):
    """Two layers of messages along every key.

    Args:
        widths: number of features of each table.
        ends: source and target table of each type of edges.
        table: whose column is predicted.
        width: of hidden vectors.
        outputs: classes, or 1 for a number.
        seed: of the weights; no global generator is drawn from after them.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        ends: Sequence[tuple[str, str]],
        table: str,
        *,
        width: int,
        outputs: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.tables, self.table = list(widths), self.tables_index(widths, table)
        self.encoders = nn.ModuleList(nn.Linear(size, width) for size in widths.values())
        self.own = nn.ModuleList(nn.ModuleList(nn.Linear(width, width) for _ in widths) for _ in range(LAYERS))
        self.messages = nn.ModuleList(nn.ModuleList(MeanConvolution(width) for _ in ends) for _ in range(LAYERS))
        self.head = nn.Linear(width, outputs)
        self._draw(seed)

    @staticmethod
    def tables_index(widths: Mapping[str, int], table: str) -> int:
        """Return the place of a table."""
        return list(widths).index(table)

    @torch.no_grad()
    def _draw(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            bound = 1 / math.sqrt(max(parameter.shape[-1], 1)) if parameter.dim() > 1 else 0.0
            parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, inputs: Sequence[Tensor], edges: Sequence[tuple[int, int, Edges]], seeds: Tensor) -> Tensor:
        """Return the predictions of the seeds, (seeds, outputs)."""
        state = [functional.relu(encoder(each)) for encoder, each in zip(self.encoders, inputs, strict=True)]
        for own, messages in zip(self.own, self.messages, strict=True):
            news = [layer(each) for layer, each in zip(own, state, strict=True)]  # type: ignore[arg-type]
            for convolution, (source, target, each) in zip(messages, edges, strict=True):  # type: ignore[arg-type]
                news[target] = news[target] + convolution(state[source], state[target], each)
            state = [before + functional.relu(after) for before, after in zip(state, news, strict=True)]
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
    ends = [(source, goal) for source, goal, _ in fit.edges()]
    widths = {name: each.shape[1] for name, each in fit.inputs.items()}
    network = RowNetwork(widths, ends, fit.table, width=width, outputs=classes or 1, seed=seed)
    learnt, asked = (_tensors(graph, tables) for graph in (fit, test))
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
