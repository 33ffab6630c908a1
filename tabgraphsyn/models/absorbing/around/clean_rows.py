"""Clean rows as vectors: of parents and grandparents, and of the siblings before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.models.absorbing.numbers.mixture import FREQUENCIES
from tabgraphsyn.models.batch import EncodedBatch

_FEATURES = 1 + 2 * len(FREQUENCIES)


class RowEncoder(nn.Module):
    """A row of one table as one vector.

    Args:
        layout: its fields.
        width: of the vector.
        level_dim: width of a level's embedding.
    """

    starts: Tensor
    gates: Tensor

    def __init__(self, *, layout: TableLayout, width: int, level_dim: int) -> None:
        super().__init__()
        levels = [field.levels for field in layout.categorical]
        starts = [sum(levels[:place]) for place in range(len(levels))]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        gates = [-1 if field.gate is None else field.gate for field in layout.numerical]
        self.register_buffer("gates", torch.tensor(gates, dtype=torch.int64), persistent=False)
        self.embedding = nn.Embedding(max(sum(levels), 1), level_dim)
        nn.init.normal_(self.embedding.weight, std=0.3)
        self.linear = nn.Linear(max(level_dim * len(levels) + _FEATURES * len(gates), 1), width)

    def forward(self, batch: EncodedBatch) -> Tensor:
        """Return (rows, width)."""
        parts = []
        if batch.categorical.shape[1]:
            parts.append(self.embedding(batch.categorical + self.starts).flatten(1))
        if batch.numerical.shape[1]:
            number = batch.numerical
            angle = number.unsqueeze(-1) * number.new_tensor(FREQUENCIES)
            seen = torch.cat([number.unsqueeze(-1), angle.sin(), angle.cos()], dim=-1)
            parts.append((seen * present(batch, self.gates).unsqueeze(-1)).flatten(1))
        if not parts:
            parts.append(batch.numerical.new_zeros(batch.rows, 1))
        vector: Tensor = self.linear(torch.cat(parts, dim=1))
        return vector


def present(batch: EncodedBatch, gates: Tensor) -> Tensor:
    """Return where numbers have a meaning, (rows, n_num) bool.

    Shape:
        gates: (n_num,) int64, the categorical field that is 0 there; -1 for none.
    """
    if not batch.categorical.shape[1]:
        return torch.ones_like(batch.numerical, dtype=torch.bool)
    return (batch.categorical[:, gates.clamp(min=0)] == 0) | (gates < 0)
