"""What a few seeds can tell: intervals of means, paired differences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

#: Below so many seeds nothing is said about a mean or a difference.
FEWEST_SEEDS = 3
LEVEL = 0.95
_SAME = 1e-12


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % t interval; the ends are None below three seeds."""

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class Contrast:
    """The mean difference between two models.

    Attributes:
        difference: mean of the first less mean of the second.
        low: lower end of its 95 % interval, or None.
        high: upper end, or None.
        p: two-sided p value, or None where no test is possible.
        seeds: seeds of each, or common ones when paired.
        is_paired: True where differences were taken seed by seed.
        note: why there is no test; empty otherwise.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    seeds: int
    is_paired: bool
    note: str = ""


def mean_interval(values: Sequence[float]) -> Interval:
    """Return mean, standard deviation and t interval of values of several seeds.

    >>> found = mean_interval([1.0, 2.0, 3.0])
    >>> round(found.low, 3), found.mean, round(found.high, 3)
    (-0.484, 2.0, 4.484)
    >>> mean_interval([1.0, 2.0]).low is None
    True
    """
    mean, count = float(np.mean(values)), len(values)
    sd = float(np.std(values, ddof=1)) if count > 1 else None
    if sd is None or count < FEWEST_SEEDS:
        return Interval(mean, sd, None, None, count)
    half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * sd / count**0.5
    return Interval(mean, sd, mean - half, mean + half, count)


def contrast(first: Mapping[str, float], second: Mapping[str, float]) -> Contrast:
    """Return the difference of two models' means: a paired t test over common seeds, else Welch's.

    Args:
        first: value by seed.
        second: value by seed.
    """
    common = [seed for seed in first if seed in second]
    if len(common) >= FEWEST_SEEDS:
        gaps = np.array([first[seed] - second[seed] for seed in common])
        return _tested(float(gaps.mean()), float(gaps.std(ddof=1)) / len(gaps) ** 0.5, len(gaps) - 1, len(gaps), True)
    left, right = np.array(list(first.values())), np.array(list(second.values()))
    difference, seeds = float(left.mean() - right.mean()), min(len(left), len(right))
    if seeds < FEWEST_SEEDS:
        note = f"{seeds} {'seed' if seeds == 1 else 'seeds'}: no statement is possible, {FEWEST_SEEDS} are needed"
        return Contrast(difference, None, None, None, seeds, bool(common), note)
    parts = np.array([left.var(ddof=1) / len(left), right.var(ddof=1) / len(right)])
    total = float(parts.sum())
    freedom = total**2 / float((parts**2 / [len(left) - 1, len(right) - 1]).sum()) if total > 0 else 1.0
    return _tested(difference, total**0.5, freedom, seeds, False)


def _tested(difference: float, error: float, freedom: float, seeds: int, is_paired: bool) -> Contrast:
    if error <= _SAME * max(1.0, abs(difference)):
        same = abs(difference) <= _SAME
        note = "equal in every seed" if same else "the same difference in every seed: seeds say nothing about chance"
        return Contrast(0.0 if same else difference, None, None, None, seeds, is_paired, note)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Contrast(difference, difference - half, difference + half, p, seeds, is_paired)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected for being tested together (Holm 1979); what was not tested does not count.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    tested = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, round(p * (len(tested) - rank), 12)))
        found[place] = largest
    return found
