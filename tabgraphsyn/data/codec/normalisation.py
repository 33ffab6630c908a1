"""From a number to normalised space and back: quantile, cdf, standard, none.

Each keeps a coarse state, in which no value stands that few entities hold, and is exact on ties: equal values occupy
one interval, and every number of the interval comes back as that value (randomised ranks; Rueschendorf 2009, "On the
distributional transform").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Self, get_args

import numpy as np
from scipy.special import ndtr, ndtri

from tabgraphsyn.data.codec.column import NEUTRAL
from tabgraphsyn.data.codec.groups import Knots
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Number, Share, Spread

TAIL = 0.13
"""The outermost tie ends at this share of its rank. Uniform draws down to there have the mean of the normal tail."""


class Normalisation(Plain, ABC):
    """A monotone map from values to numbers of about zero mean and unit variance."""

    kind: ClassVar[str]

    @abstractmethod
    def interval(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (rows, 2), the normalised interval of the values from ``low`` to ``high``."""

    @abstractmethod
    def value(self, normalised: np.ndarray) -> np.ndarray:
        """Return the value of each normalised number, (rows,)."""

    def neutral(self) -> tuple[float, float]:
        """Return the interval written where a number has no meaning."""
        return -NEUTRAL, NEUTRAL


@dataclass(frozen=True)
class Ranks(Plain):
    """A coarse distribution function, kept as knots ``(value, rank below, rank up to)``.

    Between two knots ranks are interpolated linearly: knots are values that many entities hold, which keep their mass,
    and ends of groups of values (``groups.py``).
    """

    values: tuple[Number, ...]
    low: tuple[Share, ...]
    high: tuple[Share, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: knots in order."""
        yield len(self.values) == len(self.low) == len(self.high) > 0, "as many ranks as values, at least one"
        yield all(one <= other for one, other in pairwise(self.values)), "values ascend"

    @staticmethod
    def of(knots: Knots) -> Ranks:
        """Return the ranks of a coarse distribution function."""
        return Ranks(tuple(knots.values.tolist()), tuple(knots.low.tolist()), tuple(knots.high.tolist()))

    @cached_property
    def _points(self) -> tuple[np.ndarray, np.ndarray]:
        """Values and ranks, both ascending; ranks outside the knots belong to the smallest and largest value."""
        values = np.repeat(np.asarray(self.values, dtype=np.float64), 2)
        ranks = np.stack([np.asarray(self.low), np.asarray(self.high)], axis=1).reshape(-1)
        values = np.concatenate([values[:1], values, values[-1:]])
        return values, np.concatenate([[0.0], np.maximum.accumulate(ranks), [1.0]])

    def rank_interval(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least rank that reaches ``low`` and the greatest that stays within ``high``.

        Shape:
            all are (rows,), ranks in 0 .. 1.
        """
        values, ranks = self._points
        low, high = np.clip(low, values[0], values[-1]), np.clip(high, values[0], values[-1])
        reaches = np.searchsorted(values, low, side="left")
        first = self._between(low, np.maximum(reaches - 1, 0), reaches)
        leaves = np.searchsorted(values, high, side="right") - 1
        last = self._between(high, leaves, np.minimum(leaves + 1, len(values) - 1))
        first = np.where(values[reaches] == low, ranks[reaches], first)
        last = np.where(values[leaves] == high, ranks[leaves], last)
        first = np.where(first <= 0, TAIL * last, first)
        last = np.where(last >= 1, 1 - TAIL * (1 - first), last)
        return np.clip(first, 1e-9, 1 - 1e-9), np.clip(last, 1e-9, 1 - 1e-9)

    def _between(self, wanted: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
        values, ranks = self._points
        gap = values[above] - values[below]
        share = (wanted - values[below]) / np.where(gap > 0, gap, 1.0)
        return ranks[below] + share * (ranks[above] - ranks[below])

    def value(self, rank: np.ndarray) -> np.ndarray:
        """Return the value at each rank in ``[0, 1]``."""
        values, ranks = self._points
        return np.interp(rank, ranks, values)


@dataclass(frozen=True)
class Ranked(Normalisation):
    """What maps ranks to numbers."""

    ranks: Ranks

    @classmethod
    def fit(cls, knots: Knots) -> Self:
        """Fit to a coarse distribution function."""
        return cls(Ranks.of(knots))


@dataclass(frozen=True)
class Scaled(Normalisation):
    """What knows the mean and deviation of the values."""

    mean: Number
    deviation: Spread

    @classmethod
    def fit(cls, knots: Knots) -> Self:
        """Fit to a coarse distribution function."""
        return cls(*_moments(knots))


def _moments(knots: Knots) -> tuple[float, float]:
    """Return mean and deviation: ties with their mass, ranges as uniform between their ends."""
    value, low, high = knots.values, knots.low, knots.high
    middles, lengths, mass = (value[1:] + value[:-1]) / 2, np.diff(value), low[1:] - high[:-1]
    mean = float((value * (high - low)).sum() + (middles * mass).sum())
    square = ((value - mean) ** 2 * (high - low)).sum() + (((middles - mean) ** 2 + lengths**2 / 12) * mass).sum()
    deviation = float(np.sqrt(max(float(square), 0.0)))
    return mean, deviation if deviation > 0 else 1.0


class QuantileNormal(Ranked):
    """Ranks mapped through the inverse normal distribution function."""

    kind = "quantile"

    def interval(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (rows, 2), the normalised interval of the values from ``low`` to ``high``."""
        return np.stack([ndtri(rank) for rank in self.ranks.rank_interval(low, high)], axis=1)

    def value(self, normalised: np.ndarray) -> np.ndarray:
        """Return the value of each normalised number, (rows,)."""
        return self.ranks.value(ndtr(normalised))


class UniformCdf(Ranked):
    """Ranks stretched to a uniform distribution of zero mean and unit variance, ``(rank - 1/2) sqrt(12)``."""

    kind = "cdf"

    def interval(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (rows, 2), the normalised interval of the values from ``low`` to ``high``."""
        return np.stack([(rank - 0.5) * np.sqrt(12) for rank in self.ranks.rank_interval(low, high)], axis=1)

    def value(self, normalised: np.ndarray) -> np.ndarray:
        """Return the value of each normalised number, (rows,)."""
        return self.ranks.value(normalised / np.sqrt(12) + 0.5)


class Standard(Scaled):
    """``(value - mean) / deviation``."""

    kind = "standard"

    def interval(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (rows, 2), the normalised interval of the values from ``low`` to ``high``."""
        return np.stack([(end - self.mean) / self.deviation for end in (low, high)], axis=1)

    def value(self, normalised: np.ndarray) -> np.ndarray:
        """Return the value of each normalised number, (rows,)."""
        return normalised * self.deviation + self.mean


class Unchanged(Scaled):
    """The value itself; its moments are kept only for the neutral interval."""

    kind = "none"

    def interval(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (rows, 2), the normalised interval of the values from ``low`` to ``high``."""
        return np.stack([low, high], axis=1)

    def value(self, normalised: np.ndarray) -> np.ndarray:
        """Return the value of each normalised number, (rows,)."""
        return normalised

    def neutral(self) -> tuple[float, float]:
        """Return the interval written where a number has no meaning."""
        return self.mean - NEUTRAL * self.deviation, self.mean + NEUTRAL * self.deviation


AnyNormalisation = QuantileNormal | UniformCdf | Standard | Unchanged
NORMALISATIONS: dict[str, type[AnyNormalisation]] = {one.kind: one for one in get_args(AnyNormalisation)}
"""The classes by the word that config and json use for them."""
