"""How surprising the levels of many fields are, all at once: as one operation of the network, not some ten a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def level_surprises(logits: Sequence[Tensor], codes: Tensor) -> Tensor:
    """Return the negative log likelihood of the level of every field, (rows, fields).

    Args:
        logits: (rows, levels) of each field.
        codes: (rows, fields) int64, the level of each.
    """
    found: Tensor = _Surprises.apply(codes, *logits)
    return found


class _Surprises(torch.autograd.Function):
    """Cross-entropy field by field."""

    @staticmethod
    def forward(context: Any, codes: Tensor, *logits: Tensor) -> Tensor:
        shares = [one.log_softmax(1) for one in logits]
        context.save_for_backward(codes, *shares)
        chosen = [one.gather(1, code) for one, code in zip(shares, codes.split(1, dim=1), strict=True)]
        return torch.cat(chosen, dim=1).neg_()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        codes, *shares = context.saved_tensors
        (wanted,) = gradients
        back = []
        for one, code, own in zip(shares, codes.split(1, dim=1), wanted.split(1, dim=1), strict=True):
            back.append(one.exp().mul_(own).scatter_add_(1, code, -own))
        return None, *back


def log_sum_exp(values: Tensor, dim: int) -> Tensor:
    """Return the logarithm of the sum of exponentials along a dimension, in which one value at least is finite.

    Shape:
        values: (...). Returned: (...) without the dimension.
    """
    found: Tensor = _LogSumExp.apply(values, dim)
    return found


class _LogSumExp(torch.autograd.Function):
    """``torch.logsumexp`` with one exponential for both ways."""

    @staticmethod
    def forward(context: Any, values: Tensor, dim: int) -> Tensor:
        most = values.amax(dim, keepdim=True)
        each = (values - most).exp_()
        total = each.sum(dim, keepdim=True)
        context.save_for_backward(each, total)
        context.dim = dim
        return most.add_(total.log()).squeeze(dim)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        each, total = context.saved_tensors
        return each * (gradients[0].unsqueeze(context.dim) / total), None
