"""How surprising the levels of many fields are, all at once: as one operation of the network, not some ten a field."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor


def level_surprises(logits: Tensor, codes: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the negative log likelihood of the level of every field, (rows, fields).

    Args:
        logits: (rows, levels of all fields), field after field.
        codes: (rows, fields) int64, the level of each.
        sizes: number of levels of each field.
    """
    starts = torch.tensor([end - size for end, size in zip(accumulate(sizes), sizes, strict=True)], device=codes.device)
    found: Tensor = _Surprises.apply(logits, codes + starts, tuple(sizes))
    return found


class _Surprises(torch.autograd.Function):
    """Cross-entropy field by field."""

    @staticmethod
    def forward(context: Any, logits: Tensor, chosen: Tensor, sizes: tuple[int, ...]) -> Tensor:
        shares = torch.cat([part.log_softmax(1) for part in logits.split(sizes, dim=1)], dim=1)
        context.save_for_backward(shares, chosen)
        context.sizes = sizes
        return -shares.gather(1, chosen)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        shares, chosen = context.saved_tensors
        (wanted,) = gradients
        field = torch.repeat_interleave(
            torch.arange(len(context.sizes), device=shares.device), torch.tensor(context.sizes, device=shares.device)
        )
        back = shares.exp() * wanted.index_select(1, field)
        return back.scatter_add_(1, chosen, -wanted), None, None
