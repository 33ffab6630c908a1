"""GCN: the sum of the neighbours over the square roots of both degrees (Kipf and Welling 2017, arXiv 1609.02907).

Between two tables there is no self-loop to add; the row's own part is in the shared update.
"""

from __future__ import annotations

from torch import Tensor, nn

from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.encoder import GraphEncoder


class NormalisedConvolution(nn.Module):
    """``W sum(neighbour / sqrt(degree of the neighbour * degree of the row))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        scaled = source * edges.source_degree.clamp(min=1.0).rsqrt().unsqueeze(1)
        to_row = edges.target_degree.clamp(min=1.0).rsqrt().unsqueeze(1)
        # A linear map and a sum commute: the map goes to the side with fewer rows.
        if source.shape[0] < target.shape[0]:
            return edges.total(edges.from_source(self.linear(scaled))) * to_row
        return self.linear(edges.total(edges.from_source(scaled)) * to_row)


class Gcn(GraphEncoder):
    """Heterogeneous graph convolutional network."""

    def convolution(self) -> nn.Module:
        """Return the sum over the neighbours, normalised by both degrees."""
        return NormalisedConvolution(self.hidden_dim)
