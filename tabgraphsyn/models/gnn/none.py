"""No graph network: every condition is empty. The unconditional baseline."""

from __future__ import annotations

import torch
from torch import Tensor

from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphBatch, GraphSchema


class NoConditions(ConditionEncoder):
    """Conditions of width 0."""

    condition_dim = 0
    is_trained = False
    layers = 0

    def __init__(self, *, graph_schema: GraphSchema) -> None:
        super().__init__()
        self.graph_schema = graph_schema

    def forward(self, graph: GraphBatch, target: str) -> Tensor:
        """Return (rows, 0)."""
        structure = graph.structure[target]
        rows = structure.shape[0] if graph.rows is None else graph.rows.shape[0]
        return structure.new_zeros(rows, 0)

    def loss(self, graph: GraphBatch, target: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Return nothing: there is nothing to train; otherwise scalar losses."""
        return {}

    def fit_standardisation(self, graph: GraphBatch, target: str) -> None:
        """Nothing to standardise."""
