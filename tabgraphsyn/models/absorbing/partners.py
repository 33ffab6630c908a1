"""Numbers that lie near another number of their row: this month's bill near last month's, a payment near the bill.

How near is a matter of the values, in the column's own unit: where many rows hold a number within a few quantiles of
another one, some components of its mixture stand at that very number as soon as it is known. A conditional mean of all
known numbers lies between them and would miss each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.scales import REACH, values_of

MOST = 3
"""Partners of a number, at most."""
NEARBY = 0.05
"""Normalised numbers that differ by less are near."""
NEARBY_SHARE = 0.1
"""Share of the rows whose number is near its partner's, at least, and ``SPIKE`` times what chance would make it."""
SPIKE = 3.0
ROWS, ROWS_LEAST = 20_000, 500
POINTS = 513
STEP = 2 * REACH / (POINTS - 1)
NUMBERS_MOST = 100


class Partners(nn.Module):
    """What known partners say of smooth numbers.

    Args:
        partners: of each smooth number, the numbers that it may lie near.
    """

    partner: Tensor
    across: Tensor

    def __init__(self, *, partners: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.most = max(map(len, partners), default=0)
        padded = [[*own, *[-1] * (self.most - len(own))] for own in partners]
        partner = torch.tensor(padded, dtype=torch.int64).view(len(partners), self.most)
        self.register_buffer("partner", partner, persistent=False)
        self.register_buffer("across", torch.zeros(len(partners), self.most, POINTS))

    def forward(self, numbers: Tensor, is_known: Tensor, only: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the partners' numbers as normalised numbers of each smooth one, and which of them are known.

        Shape:
            numbers: (rows, n_num). is_known: (rows, n_num) bool. Returned: (rows, smooth, most) each, or (rows, 1,
            most) of the smooth number ``only``.
        """
        own = slice(None) if only is None else slice(only, only + 1)
        partner, across = self.partner[own], self.across[own]
        at = partner.clamp(min=0)
        place = ((numbers[:, at] + REACH) / STEP).clamp(0, POINTS - 1.001)
        below = place.long()
        flat, line = across.flatten(0, 1), torch.arange(partner.numel(), device=numbers.device)
        low, high = flat[line, below.flatten(1)], flat[line, below.flatten(1) + 1]
        found = low + (place - below).flatten(1) * (high - low)
        return found.view(below.shape), is_known[:, at] & (partner >= 0)


def partners(codec: TableCodec, table: EncodedTable, smooth: Sequence[int]) -> tuple[list[list[int]], np.ndarray]:
    """Return of each smooth number which numbers it lies near, best first, and how these are turned into it.

    Shape:
        The second one is (smooth, most, POINTS) float32, zeros where there is no partner.

    Args:
        codec: knows the value of a normalised number.
        table: training rows.
        smooth: numerical fields under a continuous head.
    """
    if len(smooth) == 0:
        return [], np.zeros((0, 0, POINTS), dtype=np.float32)
    points, known = np.linspace(-REACH, REACH, POINTS), values_of(codec)
    fields = codec.layout.numerical
    values = {
        place: np.maximum.accumulate(known[field.name](points))
        for place, field in enumerate(fields[:NUMBERS_MOST]) if field.name in known
    }  # fmt: skip
    chosen = np.linspace(0, table.rows - 1, min(table.rows, ROWS)).astype(np.int64)
    numbers = np.asarray(table.numerical[chosen], dtype=np.float64).mean(axis=-1)
    levels = np.asarray(table.categorical[chosen])
    there = np.stack(
        [np.ones(len(chosen), bool) if one.gate is None else levels[:, one.gate] == 0 for one in fields], 1
    )
    found: list[list[int]] = []
    for number in smooth:
        shares = {
            other: _near(_across(points, values[number], values[other]), points, numbers, there, number, other)
            for other in values if other != number and number in values
        }  # fmt: skip
        found.append(sorted((one for one in shares if shares[one] > 0), key=lambda one: -shares[one])[:MOST])
    across = np.zeros((len(smooth), max(map(len, found), default=0), POINTS), dtype=np.float32)
    for place, (number, own) in enumerate(zip(smooth, found, strict=True)):
        for slot, other in enumerate(own):
            across[place, slot] = _across(points, values[number], values[other])
    return found, across


def _across(points: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return at each point of another number's scale the point of the own one with the same value, (POINTS,)."""
    span = max(float(own[-1] - own[0]), 1e-12)
    climbing = own + np.linspace(0, 1e-9, POINTS) * span  # flat parts have a place of their own
    return np.interp(other, climbing, points)


def _near(
    across: np.ndarray, points: np.ndarray, numbers: np.ndarray, there: np.ndarray, number: int, other: int
) -> float:
    """Return the share of the rows with both numbers where they are near, 0 where that may be chance."""
    both = there[:, number] & there[:, other]
    if both.sum() < ROWS_LEAST:
        return 0.0
    own, said = numbers[both, number], np.interp(numbers[both, other], points, across)
    share = float((np.abs(own - said) < NEARBY).mean())
    by_chance = float((np.abs(own - np.roll(said, len(said) // 2)) < NEARBY).mean())
    return share if share >= max(NEARBY_SHARE, SPIKE * by_chance) else 0.0
