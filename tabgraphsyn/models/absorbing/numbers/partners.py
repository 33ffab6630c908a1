"""Numbers near a multiple of another one of their row: a bill a little above last month's, a payment of a 25th of it.

Which multiple, the values say: where the ratio of two numbers is the same in many rows, some components of the mixture
stand at that multiple as soon as the other number is known. A conditional mean of all known numbers lies between them
and would miss each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.numbers.scales import REACH, values_of

MOST = 4
"""Partners of a number, at most; each stands for one multiple of another number."""
RATIO = 0.01
"""Width of a bin of ratios, as a logarithm; a peak is ``2 * PEAK + 1`` of them, the ground is what lies around."""
PEAK, GROUND = 3, 20
RATIOS_MOST = 500
"""Bins to each side of one: ratios from 1/148 to 148."""
LEAST_SHARE = 0.03
"""Share of a number's rows that a peak holds above the ground, at least, beyond what chance makes."""
LEAST_SPIKE = 6.0
"""The same in deviations of a count."""
LEAST_CONTRAST = 1.0
"""Share of the ground under it that a peak stands above the ground, at least: hills and edges are no peaks."""
ROWS, ROWS_LEAST = 10_000, 500
POINTS = 513
STEP = 2 * REACH / (POINTS - 1)
NUMBERS_MOST = 100


@dataclass(frozen=True)
class Peaks:
    """Where known partners say that numbers may stand.

    Shape:
        at: (..., partners), normalised numbers. is_known: (..., partners) bool; what one says that is not is no place.
    """

    at: Tensor
    is_known: Tensor

    def of(self, numbers: Tensor | int) -> Peaks:
        """Return what is said of some numbers, or of one: (rows, n, partners) or (rows, partners)."""
        return Peaks(self.at[:, numbers], self.is_known[:, numbers])


class Partners(nn.Module):
    """What known partners say of numbers.

    Args:
        partners: of each number, the numbers near multiples of which it may lie.
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

    def forward(self, numbers: Tensor, is_known: Tensor, only: int | None = None) -> Peaks | None:
        """Return the partners' numbers as normalised numbers of each number; None: no number has a partner.

        Shape:
            numbers: (rows, n_num). is_known: (rows, n_num) bool. Returned: (rows, n_num, most) each, or (rows, 1, most)
            of the number ``only``.
        """
        if not self.most:
            return None
        own = slice(None) if only is None else slice(only, only + 1)
        partner, across = self.partner[own], self.across[own]
        at = partner.clamp(min=0)
        place = ((numbers[:, at] + REACH) / STEP).clamp(0, POINTS - 1.001)
        below = place.long()
        flat, line = across.flatten(0, 1), torch.arange(partner.numel(), device=numbers.device)
        low, high = flat[line, below.flatten(1)], flat[line, below.flatten(1) + 1]
        found = low + (place - below).flatten(1) * (high - low)
        return Peaks(found.view(below.shape), is_known[:, at] & (partner >= 0))


def partners(codec: TableCodec, table: EncodedTable) -> tuple[list[list[int]], np.ndarray]:
    """Return of each number the numbers near multiples of which it lies, and how these are turned into it.

    A number of which it is near two multiples is named twice; who tells most comes first. Only values above zero have
    ratios.

    Shape:
        The second one is (n_num, most, POINTS) float32, zeros where there is no partner.

    Args:
        codec: knows the value of a normalised number.
        table: training rows; numbers after those of the codec have no partner.
    """
    points, known = np.linspace(-REACH, REACH, POINTS), values_of(codec)
    fields = codec.layout.numerical
    values = {
        place: np.maximum.accumulate(known[field.name](points))
        for place, field in enumerate(fields[:NUMBERS_MOST]) if field.name in known
    }  # fmt: skip
    chosen = np.linspace(0, table.rows - 1, min(table.rows, ROWS)).astype(np.int64)
    numbers = np.asarray(table.numerical[chosen], dtype=np.float64).mean(axis=-1)
    levels = np.asarray(table.categorical[chosen])
    logs: dict[int, np.ndarray] = {}
    for place, own in values.items():
        value, gate = np.interp(numbers[:, place], points, own), fields[place].gate
        there = (value > 0) if gate is None else (value > 0) & (levels[:, gate] == 0)
        logs[place] = np.log(value, out=np.full(len(value), np.nan), where=there)
    others = {number: {other: one for other, one in logs.items() if other != number} for number in logs}
    every = numbers.shape[1]
    found = [_multiples(logs[number], others[number]) if number in logs else [] for number in range(every)]
    across = np.zeros((every, max(map(len, found), default=0), POINTS), dtype=np.float32)
    for number, pairs in enumerate(found):
        for slot, (other, multiple) in enumerate(pairs):
            across[number, slot] = _across(points, values[number], multiple * values[other])
    return [[other for other, _ in pairs] for pairs in found], across


def _across(points: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return at each point of another number's scale the point of the own one with the same value, (POINTS,)."""
    span = max(float(own[-1] - own[0]), 1e-12)
    climbing = own + np.linspace(0, 1e-9, POINTS) * span  # flat parts have a place of their own
    return np.interp(other, climbing, points)


def _multiples(own: np.ndarray, others: Mapping[int, np.ndarray]) -> list[tuple[int, float]]:
    """Return (other number, multiple) of what a number lies near: first those of which each tells more than the others.

    Shape:
        own, others: (rows,) float64, the logarithm of the value, not a number where there is none.
    """
    left, rows = np.isfinite(own), int(np.isfinite(own).sum())
    alone = {other: peak(own, one) for other, one in others.items()}
    waiting = sorted(((near, other) for other, (near, _) in alone.items() if near), reverse=True)
    found: list[tuple[int, float]] = []
    while waiting and len(found) < MOST:
        # Rows that a partner already stands near count no more: whoever was ahead is looked at again.
        _, other = waiting.pop(0)
        near, middle = peak(own[left], others[other][left], [at for one, at in found if one == other])
        if near < LEAST_SHARE * rows:
            continue
        if not waiting or near >= waiting[0][0]:
            found.append((other, middle))
            left &= ~(np.abs(own - others[other] - middle) <= (PEAK + 0.5) * RATIO)
        waiting = sorted([*waiting, (near, other)], reverse=True)
    # While those are masked, the next best ones tell it, too.
    rest = sorted((-near, other) for other, (near, _) in alone.items() if near >= LEAST_SHARE * rows)
    found += [(other, alone[other][1]) for _, other in rest if all(other != one for one, _ in found)]
    return [(other, float(np.exp(middle))) for other, middle in found[:MOST]]


def peak(own: np.ndarray, other: np.ndarray, taken: Sequence[float] = ()) -> tuple[float, float]:
    """Return how many rows are in the highest narrow peak of ``own - other``, and where it is; no rows: there is none.

    Numbers that repeat have peaks by chance, so what pairs of different rows show is taken off.

    Args:
        own, other: (rows,) float64 logarithms, not a number where there is none.
        taken: peaks that are known; beside them, where their rows are missing, none is looked for.
    """
    both = np.isfinite(own) & np.isfinite(other)
    own, other = own[both], other[both]
    if len(own) < ROWS_LEAST:
        return 0.0, 0.0
    excess, ground = _excess(own - other)
    by_chance, _ = _excess(own - np.roll(other, len(other) // 2))
    excess -= by_chance.clip(min=0)
    for middle in taken:
        at = round(middle / RATIO) + RATIOS_MOST
        excess[max(at - GROUND - PEAK, 0) : at + GROUND + PEAK + 1] = 0
    best = int(excess.argmax())
    if excess[best] < max(LEAST_SPIKE * np.sqrt(ground[best] + 1), LEAST_CONTRAST * ground[best]):
        return 0.0, 0.0
    ratio, middle = own - other, (best - RATIOS_MOST) * RATIO
    return float(excess[best]), float(np.median(ratio[np.abs(ratio - middle) <= (PEAK + 0.5) * RATIO]))


def _excess(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how many rows the ratios around each bin exceed the ground around them, and that ground: (bins,).

    Shape:
        ratio: (rows,) float64.
    """
    bins = np.rint(ratio / RATIO) + RATIOS_MOST
    bins = bins[(bins >= 0) & (bins <= 2 * RATIOS_MOST)].astype(np.int64)
    count = np.bincount(bins, minlength=2 * RATIOS_MOST + 1)
    sums = np.concatenate([[0.0], np.cumsum(np.pad(count, GROUND))])
    at, width = np.arange(len(count)) + GROUND, 2 * PEAK + 1
    high = sums[at + PEAK + 1] - sums[at - PEAK]
    # The higher side: the foot of a hill or an edge is no peak.
    before = (sums[at - PEAK] - sums[at - GROUND]) / (GROUND - PEAK)
    after = (sums[at + GROUND + 1] - sums[at + PEAK + 1]) / (GROUND - PEAK)
    ground = np.maximum(before, after) * width
    return high - ground, ground
