"""What came before a row among its siblings: the last one's clean row, and a recurrent network over all of them.

Trained on windows of whole sequences at once (teacher forcing), stepped position by position when sampling.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.models.absorbing.around.clean_rows import RowEncoder
from tabgraphsyn.models.absorbing.around.recurrence import states
from tabgraphsyn.models.batch import EncodedBatch

PLACE_FEATURES = 6
LEAD = 16
"""Rows before a window that its history begins with: a family that is cut goes on where it was."""


def place_features(rank: Tensor, size: Tensor) -> Tensor:
    """Return what a row's place in its family and the family's size say, (rows, PLACE_FEATURES).

    Shape:
        rank, size: (rows,) float32.
    """
    left = size - 1 - rank
    parts = [
        rank.log1p() / 3,
        left.log1p() / 3,
        (rank == 0).float(),
        (left == 0).float(),
        rank / size,
        size.log1p() / 3,
    ]
    return torch.stack(parts, dim=1)


class LastRow(nn.Module):
    """The row before as one vector, and nothing of those before it.

    Args:
        layout: fields of the table.
        width: of a row's vector.
        level_dim: width of a level's embedding.
    """

    def __init__(self, *, layout: TableLayout, width: int, level_dim: int) -> None:
        super().__init__()
        self.width = width
        self.row = RowEncoder(layout=layout, width=width, level_dim=level_dim)

    @property
    def told(self) -> int:
        """Width of what a row is told."""
        return self.width

    def forward(self, batch: EncodedBatch, lengths: Tensor) -> Tensor:
        """Return (rows, told) for rows of consecutive families.

        Shape:
            batch: clean rows, family after family, siblings in order. lengths: (families,) int64, rows of each.
        """
        rows = self.row(batch)
        has_one = torch.ones(len(rows), 1, dtype=rows.dtype, device=rows.device)
        has_one[(lengths.cumsum(0) - lengths)[lengths > 0]] = 0
        return rows.roll(1, 0) * has_one

    def start(self, families: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """Return the last row, (families, width), and the state of families of which nothing is known."""
        return torch.zeros(families, self.width, device=device), torch.zeros(families, 0, device=device)

    def step(self, last: Tensor, state: Tensor) -> Tensor:
        """Return the state after one more row, as ``state``; ``last`` is (families, width)."""
        del last
        return state

    def seen(self, last: Tensor, state: Tensor) -> Tensor:
        """Return what a row is told, (families, told); ``last`` is (families, width)."""
        return torch.cat([state, last], dim=1)


class History(LastRow):
    """The siblings before a row as one vector: a GRU's state, and the last row itself.

    Args:
        layout: fields of the table.
        width: of a row's vector and of the state.
        level_dim: width of a level's embedding.
    """

    def __init__(self, *, layout: TableLayout, width: int, level_dim: int) -> None:
        super().__init__(layout=layout, width=width, level_dim=level_dim)
        self.cell = nn.GRU(width, width, batch_first=True)

    @property
    def told(self) -> int:
        """Width of what a row is told: the state's and the row's."""
        return 2 * self.width

    def forward(self, batch: EncodedBatch, lengths: Tensor) -> Tensor:
        """See ``LastRow``: (rows, 2 * width)."""
        rows = self.row(batch)
        family = torch.repeat_interleave(torch.arange(len(lengths), device=rows.device), lengths)
        start = lengths.cumsum(0) - lengths
        place = torch.arange(len(rows), device=rows.device) - start[family]
        # Position after position, the longest families first: where each row stands then.
        counts = (len(lengths) - lengths.bincount().cumsum(0))[:-1]
        turn = lengths.argsort(descending=True, stable=True)
        stands = turn.argsort()[family] + (counts.cumsum(0) - counts)[place]
        origin = stands.argsort()
        before = (origin - 1).clamp(min=0)
        seen = rows.index_select(0, before) * (place > 0)[origin].unsqueeze(1)
        state = states(self.cell, seen, counts.tolist())
        return torch.cat([state, seen], dim=1).index_select(0, stands)

    def start(self, families: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """See ``LastRow``: the last row and the state, (families, width) each."""
        nothing = torch.zeros(families, self.width, device=device)
        return nothing, nothing

    def step(self, last: Tensor, state: Tensor) -> Tensor:
        """Return the state after one more row, (families, width).

        Shape:
            last, state: (families, width).
        """
        _, after = self.cell(last.unsqueeze(1), state.unsqueeze(0).contiguous())
        return after[0]


HISTORIES: Mapping[str, type[LastRow] | None] = {"recurrent": History, "last": LastRow, "none": None}
"""``generator.history``: what rows are told of the siblings before them."""
