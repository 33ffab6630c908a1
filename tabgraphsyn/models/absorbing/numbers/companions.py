"""What known numbers say of the others, as if all were jointly normal: where the heads of numbers begin.

Learnt step by step, a weight of one takes hundreds of steps, in which the rest is learnt by heart; and which weight is
right depends on what else is known. Both follow from the covariance of the training rows, in normalised space and on
the scale of the values. It is kept as factors and what each number has for itself (factor analysis; Rubin and Thayer
1982), so that a wide table stays cheap. The sibling before is left to the network: what leans on it from the start
predicts real rows better and goes astray on drawn ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FACTORS = 32
"""Most factors that numbers share; with as many numbers or fewer nothing of their covariance is lost."""
LEAST_ROWS = 100
"""Rows that hold two numbers, from which on it is said what these share."""
WHOLE_SHARE = 0.3
"""Share of rows that hold all numbers, from which on only these are looked at."""
RIDGE = 2e-3
"""Least share of a number's variance that it has for itself: the network may still be surprised."""
BITS = 31
TINY = 1e-3
"""Least deviation of a number; normalised ones have about 1."""


class Companions(nn.Module):
    """Means and deviations of numbers, given the known ones.

    Args:
        numbers: how many there are.
    """

    mean: Tensor
    deviation: Tensor
    factors: Tensor
    own: Tensor

    def __init__(self, *, numbers: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, numbers))
        self.register_buffer("deviation", torch.ones(2, numbers))
        self.register_buffer("factors", torch.zeros(2, numbers, min(numbers, FACTORS)))
        self.register_buffer("own", torch.ones(2, numbers))

    @torch.no_grad()
    def measure(self, values: Tensor, is_known: Tensor) -> None:
        """Find out what numbers share; before, each is said to be standard normal.

        Shape:
            values: (rows, 2, numbers), normalised and on the scale of the values. is_known: (rows, numbers) bool.
        """
        for space in range(2):
            mean, deviation, correlation = _shared(values[:, space].double(), is_known)
            levels, vectors = torch.linalg.eigh(correlation)
            kept = self.factors.shape[2]
            factors = vectors[:, -kept:] * (levels[-kept:] - RIDGE).clamp(min=0).sqrt() if kept else vectors
            self.mean[space], self.deviation[space], self.factors[space] = mean, deviation, factors
            self.own[space] = 1 - factors.square().sum(1)

    def forward(self, values: Tensor, is_known: Tensor, asked: slice) -> tuple[Tensor, Tensor]:
        """Return means and deviations of the asked numbers, (rows, asked, 2) each; those of a known one say nothing.

        Shape:
            values: (rows, 2, numbers). is_known: (rows, numbers) bool.
        """
        masks, which = distinct_masks(is_known)
        own, unit = self.own.clamp(min=RIDGE), self.deviation.clamp(min=TINY)
        told = self.factors / own.unsqueeze(-1)
        # Precision of the factors under each mask, (masks, 2, factors, factors).
        known = torch.einsum("mn,snf,sng->msfg", masks.to(values.dtype), told, self.factors)
        spread, _ = torch.linalg.inv_ex(known + torch.eye(known.shape[-1], device=known.device))
        apart = (values - self.mean) / unit * is_known.unsqueeze(1)
        score = torch.einsum("rsn,snf->rsf", apart, told)
        factors = self.factors[:, asked]
        weights = torch.einsum("saf,msfg->msag", factors, spread)
        left = (torch.einsum("msag,sag->msa", weights, factors) + own[:, asked]).clamp(min=RIDGE).sqrt()
        mean = self.mean[:, asked] + unit[:, asked] * torch.einsum("rsag,rsg->rsa", weights[which], score)
        return mean.transpose(1, 2), (unit[:, asked] * left)[which].transpose(1, 2)


def distinct_masks(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct rows of masks in ascending order, and which one each row is: ``unique`` of whole rows.

    Written as whole numbers, 31 places at a time, they sort ten times as fast as row by row.

    Shape:
        masks: (rows, n) bool. Returned: (distinct, n) bool and (rows,) int64.
    """
    which = torch.zeros(len(masks), dtype=torch.int64, device=masks.device)
    for part in masks.split(BITS, dim=1) if masks.shape[1] else ():
        weights = 2 ** torch.arange(part.shape[1] - 1, -1, -1, device=masks.device)
        code = (which << BITS) + (part * weights).sum(1)
        _, which = code.unique(return_inverse=True)
    count = int(which.max()) + 1 if len(which) else 0
    found = masks.new_zeros(count, masks.shape[1])
    found[which] = masks
    return found, which


def _shared(values: Tensor, is_known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return means and deviations (n,) and correlations (n, n), each over the rows that hold both; positive definite.

    Shape:
        values: (rows, n) float64. is_known: (rows, n) bool.
    """
    whole = is_known.all(1)
    if int(whole.sum()) >= max(LEAST_ROWS, WHOLE_SHARE * len(whole)):
        # Correlations over different rows may contradict each other: what follows exactly would look loose.
        values, is_known = values[whole], is_known[whole]
    there = is_known.double()
    rows = there.T @ there
    mean = (values * there).sum(0) / there.sum(0).clamp(min=1)
    apart = (values - mean) * there
    covariance = apart.T @ apart / rows.clamp(min=1) * (rows >= LEAST_ROWS)
    variance = covariance.diagonal()
    deviation = torch.where(variance > TINY**2, variance, torch.ones_like(variance)).sqrt()
    correlation = (covariance / deviation.outer(deviation)).fill_diagonal_(1.0)
    levels, vectors = torch.linalg.eigh(correlation)
    correlation = vectors @ torch.diag(levels.clamp(min=RIDGE)) @ vectors.T
    again = correlation.diagonal().sqrt()
    return mean * (there.sum(0) >= LEAST_ROWS), deviation, correlation / again.outer(again)
