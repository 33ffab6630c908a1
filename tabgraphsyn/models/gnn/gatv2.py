"""GATv2: attention whose ranking of the neighbours depends on the row (Brody et al. 2022, arXiv 2105.14491)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.models.gnn.attention import NEGATIVE_SLOPE, AttentionEncoder
from tabgraphsyn.models.gnn.edges import Edges


class DynamicAttentionConvolution(nn.Module):
    """``sum(attention * W neighbour)``, ``attention = softmax(a . leaky_relu(W neighbour + V row))`` per head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(width, width, bias=False)
        self.row = nn.Linear(width, width)
        self.score = nn.Parameter(torch.randn(heads, width // heads) / (width // heads) ** 0.5)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        values = edges.from_source(self.linear(source))
        if edges.is_function:
            # One neighbour has all the attention.
            return edges.sampled_sum(values)
        mixed = F.leaky_relu(values + edges.from_target(self.row(target)), NEGATIVE_SLOPE)
        scores = (mixed.unflatten(1, (self.heads, -1)) * self.score).sum(dim=2)
        weights = edges.softmax(scores)
        # Weights over the sampled neighbours sum to 1: the sum is the weighted mean, no correction is due.
        return edges.sampled_sum((values.unflatten(1, (self.heads, -1)) * weights.unsqueeze(2)).flatten(1))


class Gatv2(AttentionEncoder):
    """Heterogeneous graph network with dynamic attention."""

    def convolution(self) -> nn.Module:
        """Return attention over the neighbours."""
        return DynamicAttentionConvolution(self.hidden_dim, self.heads)
