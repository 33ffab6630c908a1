"""What rows of one family tell each other inside a denoiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tabgraphsyn.models.batch import SiblingGroups

RANK_WAVELENGTHS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
FEATURES = 2 * len(RANK_WAVELENGTHS) + 4


def sibling_features(siblings: SiblingGroups) -> Tensor:
    """Return what a row's place in its family looks like to a network, (rows, FEATURES) float32.

    Sine and cosine of the rank at wavelengths of 2 to 256 rows, the relative rank, and the family's size.
    """
    rank, size = siblings.rank, siblings.size
    angle = rank.unsqueeze(1) * (2 * torch.pi / torch.tensor(RANK_WAVELENGTHS, device=rank.device))
    relative = rank / (size - 1).clamp(min=1)
    last = (rank == size - 1).to(rank.dtype)
    smooth = torch.stack([2 * relative - 1, torch.log1p(rank) / 3, torch.log1p(size) / 3, last], dim=1)
    return torch.cat([torch.sin(angle), torch.cos(angle), smooth], dim=1)


class SiblingExchange(nn.Module):
    """Messages between the rows of a family: its mean, the row before, the row after.

    Shape:
        input and output: (rows, width); rows of a group are contiguous and in sibling order.
    """

    def __init__(self, *, width: int, message_dim: int) -> None:
        super().__init__()
        self.send = nn.Linear(width, 4 * message_dim, bias=False)
        self.receive = nn.Linear(4 * message_dim, width)
        self.message_dim = message_dim
        nn.init.zeros_(self.receive.weight)
        nn.init.zeros_(self.receive.bias)

    def forward(self, hidden: Tensor, siblings: SiblingGroups) -> Tensor:
        """Return what each row receives."""
        sent = self.send(hidden)
        to_mean, to_next, to_previous, own = sent.chunk(4, dim=1)
        group = siblings.group
        rows = torch.bincount(group, minlength=siblings.count).unsqueeze(1)
        # Of a large family a sum in bf16 would lose the small ones.
        total = torch.zeros(siblings.count, self.message_dim, device=hidden.device)
        mean = (total.index_add(0, group, to_mean.float()) / rows)[group].to(sent.dtype)
        same = (group[1:] == group[:-1]).to(sent.dtype).unsqueeze(1)
        from_previous = torch.cat([torch.zeros_like(to_next[:1]), to_next[:-1] * same])
        from_next = torch.cat([to_previous[1:] * same, torch.zeros_like(to_previous[:1])])
        return self.receive(nn.functional.silu(torch.cat([mean, from_previous, from_next, own], dim=1)))
