"""GraphSAGE: the mean of the neighbours (Hamilton et al. 2017, arXiv 1706.02216)."""

from __future__ import annotations

from torch import Tensor, nn

from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.encoder import GraphEncoder


class MeanConvolution(nn.Module):
    """``W mean(neighbours)``; the row's own part is in the shared update."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        # A linear map and a mean commute: the map goes to the side with fewer rows.
        if source.shape[0] < target.shape[0]:
            return edges.mean(edges.from_source(self.linear(source)))
        return self.linear(edges.mean(edges.from_source(source)))


class GraphSage(GraphEncoder):
    """Heterogeneous GraphSAGE."""

    def convolution(self) -> nn.Module:
        """Return the mean over the neighbours."""
        return MeanConvolution(self.hidden_dim)
