"""EdgeCNN: the largest of a perceptron on each edge (dynamic graph CNN, Wang et al. 2019, arXiv 1801.07829)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.encoder import GraphEncoder


class EdgeConvolution(nn.Module):
    """``max(act(W1 row + W2 (neighbour - row)))``, in each dimension the largest over the neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.row = nn.Linear(width, width)
        self.neighbour = nn.Linear(width, width, bias=False)

    def forward(self, source: Tensor, target: Tensor, edges: Edges) -> Tensor:
        """Return messages to the target rows, (target rows, width)."""
        # Both maps are applied to rows instead of edges: W1 row + W2 (neighbour - row) = (W1 - W2) row + W2 neighbour.
        own = F.linear(target, self.row.weight - self.neighbour.weight, self.row.bias)
        return edges.largest(F.relu(edges.from_source(self.neighbour(source)) + edges.from_target(own)))


class EdgeCnn(GraphEncoder):
    """Heterogeneous edge-convolution network."""

    def convolution(self) -> nn.Module:
        """Return the largest message over the neighbours."""
        return EdgeConvolution(self.hidden_dim)
