"""All that conditions the rows of one table: the graph network's vectors, and what keys into lookup tables say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tabgraphsyn.data.known.columns import KnownRows


@dataclass(frozen=True)
class RowConditions:
    """Conditions in parts, put side by side for the rows of a batch only: one-hot codes of a whole table are large.

    Shape:
        graph: (rows, condition_dim) of the graph network; width 0 without one.
        level: (rows, relations) int64. numbers: (rows, numbers) float32.

    Attributes:
        levels: number of levels of each relation.
        is_composed: True where ``numbers`` say what the rows' children refer to.
    """

    graph: Tensor
    level: Tensor
    numbers: Tensor
    levels: tuple[int, ...]
    is_composed: bool = False

    @staticmethod
    def of(graph: Tensor, rows: KnownRows, levels: tuple[int, ...]) -> RowConditions:
        """Return the conditions of a table's rows, (rows, width).

        Without a graph network (width 0) keys condition nothing: that is what such a baseline is for.
        """
        if not graph.shape[1]:
            return RowConditions.alone(graph)
        return RowConditions(
            graph, torch.from_numpy(rows.level), torch.from_numpy(rows.numbers), levels, rows.is_composed
        )

    @staticmethod
    def alone(graph: Tensor) -> RowConditions:
        """Return conditions that are a graph network's vectors and nothing else, (rows, width)."""
        rows = graph.shape[0]
        return RowConditions(graph, torch.zeros(rows, 0, dtype=torch.int64), torch.zeros(rows, 0), ())

    @property
    def width(self) -> int:
        """Width of what ``take`` returns."""
        return self.graph.shape[1] + sum(self.levels) + self.numbers.shape[1]

    def __len__(self) -> int:
        return self.graph.shape[0]

    def take(self, rows: Tensor, graph_noise: Tensor | None = None) -> Tensor:
        """Return the conditions of some rows, (len(rows), width) float32.

        Args:
            rows: (n,) int64.
            graph_noise: (n, condition_dim), added to the graph network's part.
        """
        graph = self.graph[rows]
        level = graph.new_zeros(len(graph), sum(self.levels))
        if self.levels:
            starts = torch.tensor([sum(self.levels[:place]) for place in range(len(self.levels))])
            level.scatter_(1, self.level[rows] + starts, 1.0)
        return torch.cat([graph if graph_noise is None else graph + graph_noise, self.numbers[rows], level], dim=1)
