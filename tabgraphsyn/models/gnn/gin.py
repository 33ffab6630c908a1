"""GIN: the sum of the neighbours, then a perceptron (Xu et al. 2019, arXiv 1810.00826).

The perceptron and the ``(1 + eps)`` of the row itself are the shared update; with several edge types each has its own
linear map before the sum over types.
"""

from __future__ import annotations

from torch import Tensor, nn

from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.encoder import GraphEncoder


class SumConvolution(nn.Module):
    """``W sum(neighbours)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        # A linear map and a sum commute: the map goes to the side with fewer rows.
        if source.shape[0] < target.shape[0]:
            return edges.total(edges.from_source(self.linear(source)))
        return self.linear(edges.total(edges.from_source(source)))


class Gin(GraphEncoder):
    """Heterogeneous graph isomorphism network."""

    def convolution(self) -> nn.Module:
        """Return the sum over the neighbours."""
        return SumConvolution(self.hidden_dim)
