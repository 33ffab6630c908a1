"""Edges of one type as tensors, and the sums, means, maxima and softmaxes of messages along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.graph import Adjacency


@dataclass(frozen=True)
class Edges:
    """Edges of one type, sorted by target; ``index`` is the ``edge_index`` of PyG's bipartite convolutions.

    Shape:
        index: (2, edges) int64, source row and target row.
        source_degree: (source rows,) float32, number of target rows that a source row has in the whole graph.
        target_degree: (target rows,) float32, number of source rows that a target row has in the whole graph.
        sampling_weight: (target rows,) float32, ``target_degree`` over the number of its edges that are here; None
            where all are.

    Attributes:
        is_function: no target row has more than one edge here (messages from a parent to its children).
    """

    index: Tensor
    source_degree: Tensor
    target_degree: Tensor
    is_function: bool
    sampling_weight: Tensor | None = None

    @staticmethod
    def whole(adjacency: Adjacency, reverse: Adjacency, device: str = "cpu") -> Edges:
        """Return all edges of a type.

        Args:
            adjacency: neighbours of the target rows.
            reverse: neighbours of the source rows, along the same edges.
            device: where the tensors live.
        """
        degree = adjacency.degree
        return Edges(
            index=torch.from_numpy(adjacency.edges()).to(device),
            source_degree=torch.from_numpy(reverse.degree.astype(np.float32)).to(device),
            target_degree=torch.from_numpy(degree.astype(np.float32)).to(device),
            is_function=bool(degree.max(initial=0) <= 1),
        )

    @property
    def target_rows(self) -> int:
        """Number of target rows, those without edges included."""
        return self.target_degree.shape[0]

    def from_source(self, values: Tensor) -> Tensor:
        """Return the source row's values for every edge, (edges, ...)."""
        return values.index_select(0, self.index[0])

    def from_target(self, values: Tensor) -> Tensor:
        """Return the target row's values for every edge, (edges, ...)."""
        return values.index_select(0, self.index[1])

    def total(self, messages: Tensor) -> Tensor:
        """Return the sum of the messages to every target row, (target rows, ...); 0 without edges.

        Where neighbours were sampled it is the estimate of the sum over all of them.
        """
        summed = self.sampled_sum(messages)
        if self.sampling_weight is None:
            return summed
        return summed * self._per_row(self.sampling_weight, messages)

    def mean(self, messages: Tensor) -> Tensor:
        """Return the mean of the messages to every target row; 0 without edges."""
        count = self.target_degree if self.sampling_weight is None else self.target_degree / self.sampling_weight
        if self.is_function:
            return self.sampled_sum(messages)
        return self.sampled_sum(messages) / self._per_row(count.clamp(min=1.0), messages)

    def largest(self, messages: Tensor) -> Tensor:
        """Return the largest message to every target row in each dimension; 0 without edges."""
        if self.is_function:
            return self.sampled_sum(messages)
        empty = messages.new_zeros(self.target_rows, *messages.shape[1:])
        return empty.scatter_reduce(0, self._expanded(messages), messages, "amax", include_self=False)

    def softmax(self, scores: Tensor) -> Tensor:
        """Return scores (edges, heads) as weights that sum to 1 over the edges of every target row."""
        if self.is_function:
            # The derivative of the only weight, 1, is 0; multiplying keeps the scores in the graph for it.
            return torch.ones_like(scores) + 0.0 * scores
        top = scores.new_zeros(self.target_rows, *scores.shape[1:])
        top = top.scatter_reduce(0, self._expanded(scores), scores.detach(), "amax", include_self=False)
        weights = (scores - self.from_target(top)).exp()
        return weights / self.from_target(self.sampled_sum(weights))

    def part(self, first: int, last: int) -> tuple[Edges, Tensor]:
        """Return the edges to the target rows ``first .. last - 1``, and the source rows that they come from.

        Shape:
            (source rows,) int64.

        Both ends are numbered anew. Only for edges of a whole graph, which are sorted by target.
        """
        bounds = torch.tensor([first, last], device=self.index.device)
        low, high = torch.searchsorted(self.index[1].contiguous(), bounds).tolist()
        source_rows, source = torch.unique(self.index[0, low:high], return_inverse=True)
        part = Edges(
            index=torch.stack([source, self.index[1, low:high] - first]),
            source_degree=self.source_degree[source_rows],
            target_degree=self.target_degree[first:last],
            is_function=self.is_function,
        )
        return part, source_rows

    def sampled_sum(self, messages: Tensor) -> Tensor:
        """Return the sum over the edges that are here, whether or not neighbours were sampled, (target rows, ...)."""
        return messages.new_zeros(self.target_rows, *messages.shape[1:]).index_add(0, self.index[1], messages)

    def _expanded(self, messages: Tensor) -> Tensor:
        return self.index[1].view(-1, *[1] * (messages.dim() - 1)).expand_as(messages)

    @staticmethod
    def _per_row(values: Tensor, messages: Tensor) -> Tensor:
        return values.view(-1, *[1] * (messages.dim() - 1)).to(messages.dtype)
