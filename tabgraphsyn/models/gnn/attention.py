"""The encoder around convolutions with attention heads."""

from __future__ import annotations

from typing import Any

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.models.gnn.encoder import GraphEncoder
from tabgraphsyn.ranges import Layers, Width

NEGATIVE_SLOPE = 0.2


class AttentionEncoder(GraphEncoder):
    """A heterogeneous graph network whose convolutions weigh neighbours by attention.

    Args:
        hidden_dim: width of a row's vector.
        heads: attention heads; divides ``hidden_dim``.

    The other arguments are those of ``GraphEncoder``.

    Raises:
        ConfigError: ``hidden_dim`` is no multiple of ``heads``.
    """

    def __init__(
        self,
        *,
        hidden_dim: Width = 64,
        heads: Layers = 4,
        **others: Any,
    ) -> None:
        if heads < 1 or hidden_dim % heads:
            raise ConfigError(f"gnn.heads: must divide gnn.hidden_dim = {hidden_dim!r}, found {heads!r}.")
        # Set first: the base class asks for convolutions while it is built.
        self.heads = heads
        super().__init__(hidden_dim=hidden_dim, **others)
