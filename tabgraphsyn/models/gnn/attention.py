"""The encoder around convolutions with attention heads."""

from __future__ import annotations

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.models.gnn.base import GraphSchema
from tabgraphsyn.models.gnn.encoder import GraphEncoder
from tabgraphsyn.ranges import Layers, Share, ShareBelowOne, Width

NEGATIVE_SLOPE = 0.2


class AttentionEncoder(GraphEncoder):
    """A heterogeneous graph network whose convolutions weigh neighbours by attention.

    Args:
        graph_schema: node and edge types (runtime).
        heads: attention heads; divides ``hidden_dim``.

    The other arguments are those of ``GraphEncoder``.

    Raises:
        ConfigError: ``hidden_dim`` is no multiple of ``heads``.
    """

    def __init__(
        self,
        *,
        graph_schema: GraphSchema,
        hidden_dim: Width = 64,
        heads: Layers = 4,
        layers: Layers = 2,
        condition_dim: Width = 64,
        dropout: ShareBelowOne = 0.1,
        reconstruction_weight: Share = 0.25,
    ) -> None:
        if heads < 1 or hidden_dim % heads:
            raise ConfigError(f"gnn.heads: must divide gnn.hidden_dim = {hidden_dim!r}, found {heads!r}.")
        # Set first: the base class asks for convolutions while it is built.
        self.heads = heads
        super().__init__(
            graph_schema=graph_schema,
            hidden_dim=hidden_dim,
            layers=layers,
            condition_dim=condition_dim,
            dropout=dropout,
            reconstruction_weight=reconstruction_weight,
        )
