"""GAT: a mean of the neighbours, weighted by attention (Velickovic et al. 2018, arXiv 1710.10903)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.models.gnn.attention import NEGATIVE_SLOPE, AttentionEncoder
from tabgraphsyn.models.gnn.edges import Edges


class AttentionConvolution(nn.Module):
    """``sum(attention * W neighbour)``, ``attention = softmax(leaky_relu(a . W neighbour + b . V row))`` per head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(width, width, bias=False)
        self.score = nn.Parameter(torch.randn(heads, width // heads) / (width // heads) ** 0.5)
        self.score_row = nn.Linear(width, heads, bias=False)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        values = self.linear(source)
        if edges.is_function:
            # One neighbour has all the attention.
            return edges.sampled_sum(edges.from_source(values))
        by_head = values.unflatten(1, (self.heads, -1))
        scores = edges.from_source((by_head * self.score).sum(dim=2)) + edges.from_target(self.score_row(target))
        weights = edges.softmax(F.leaky_relu(scores, NEGATIVE_SLOPE))
        # Weights over the sampled neighbours sum to 1: the sum is the weighted mean, no correction is due.
        return edges.sampled_sum((edges.from_source(by_head) * weights.unsqueeze(2)).flatten(1))


class Gat(AttentionEncoder):
    """Heterogeneous graph attention network."""

    def convolution(self) -> nn.Module:
        """Return attention over the neighbours."""
        return AttentionConvolution(self.hidden_dim, self.heads)
