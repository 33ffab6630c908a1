"""What values a number may take: its bounds, its decimals, its lattice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated

import numpy as np
from msgspec import Meta

from tabgraphsyn.data.codec.groups import Knots
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import NotNegative, Number

MAX_DECIMALS = 12
MAX_SUPPORT = 5_000
LATTICE_VALUES = 10
CLOSED_SHARE = 0.99
"""Share of rows whose value enough entities hold, at least, in a closed set: others would all take its last value."""
SUPPORT_ROWS = 10
"""A value set is taken for closed (decoded numbers snap to it) when its values occur this often on average."""


@dataclass(frozen=True)
class Precision(Plain):
    """Bounds and lattice of a column, from its training values; no bound is a value that few entities hold.

    Attributes:
        minimum: decoded numbers are held above it.
        maximum: decoded numbers are held below it.
        step: distance of the lattice on which all training values lie, 0 where there is none.
        decimals: decimals of the lattice, None where there is none.
        support: the values that enough entities hold, where the training values repeat enough to be a closed set.
        offset: where the lattice stands, in ``[0, step)``.
    """

    minimum: Number
    maximum: Number
    step: NotNegative = 0.0
    decimals: Annotated[int, Meta(ge=0, le=MAX_DECIMALS)] | None = None
    support: tuple[Number, ...] = ()
    offset: Number = 0.0

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: a lattice within bounds, values in order."""
        yield 0 <= self.offset <= self.step, "offset is within a step"
        yield self.minimum <= self.maximum, "minimum is at most maximum"
        ordered = pairwise([self.minimum, *self.support, self.maximum])
        yield all(one <= other for one, other in ordered), "support ascends from minimum to maximum"

    @staticmethod
    def fit(distinct: np.ndarray, counts: np.ndarray, knots: Knots) -> Precision:
        """Return the precision of sorted distinct values, (values,) each.

        Args:
            distinct: the values.
            counts: how often each occurs.
            knots: their coarse distribution function.
        """
        decimals = _decimals(distinct)
        step = 0.0 if decimals is None else _lattice_step(distinct, decimals)
        named = counts[np.isin(distinct, knots.ties)].sum()
        is_closed = len(distinct) <= MAX_SUPPORT and counts.sum() >= SUPPORT_ROWS * len(distinct)
        is_closed &= bool(len(knots.ties)) and named >= CLOSED_SHARE * counts.sum()
        return Precision(
            minimum=float(knots.values[0]),
            maximum=float(knots.values[-1]),
            step=step,
            decimals=decimals if step else None,
            support=tuple(knots.ties.tolist()) if is_closed else (),
            offset=float(np.round(distinct[0] % step, decimals or 0)) % step if step else 0.0,
        )

    @cached_property
    def _values(self) -> np.ndarray:
        return np.asarray(self.support, dtype=np.float64)

    @cached_property
    def _edges(self) -> np.ndarray:
        """Middles between neighbours; the outer cells are as wide as what is inside of them."""
        values = self._values
        middles = (values[1:] + values[:-1]) / 2
        if not len(middles):
            return np.array([values[0], values[0]])
        return np.concatenate([[2 * values[0] - middles[0]], middles, [2 * values[-1] - middles[-1]]])

    def cell(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the interval of numbers that ``snap`` takes to each value."""
        if self.support:
            edges, place = self._edges, self._nearest(values)
            return edges[place], edges[place + 1]
        return values - self.step / 2, values + self.step / 2

    def snap(self, numbers: np.ndarray) -> np.ndarray:
        """Return the permitted value nearest to each number, (rows,)."""
        held = np.clip(numbers, self.minimum, self.maximum)
        if self.support:
            return self._values[self._nearest(held)]
        if not self.step:
            return held
        first, last = np.ceil(self._steps(self.minimum)), np.floor(self._steps(self.maximum))
        steps = np.clip(np.rint(self._steps(held)), first, max(first, last))
        snapped = np.round(self.offset + steps * self.step, self.decimals or 0)
        return np.clip(snapped, self.minimum, self.maximum) if first <= last else snapped

    def _steps(self, numbers: np.ndarray | float) -> np.ndarray:
        """Return places on the lattice; what is next to a point of it but for rounding is on it."""
        steps = (np.asarray(numbers, dtype=np.float64) - self.offset) / self.step
        near = np.rint(steps)
        return np.where(np.abs(steps - near) <= 1e-9 * np.maximum(1.0, np.abs(steps)), near, steps)

    def _nearest(self, numbers: np.ndarray) -> np.ndarray:
        above = np.clip(np.searchsorted(self._values, numbers), 1, max(len(self._values) - 1, 1))
        above = np.minimum(above, len(self._values) - 1)
        below = np.maximum(above - 1, 0)
        return np.where(numbers - self._values[below] <= self._values[above] - numbers, below, above)


def _decimals(values: np.ndarray) -> int | None:
    """Return the least number of decimals that writes every value, None if more than ``MAX_DECIMALS``."""
    for decimals in range(MAX_DECIMALS + 1):
        if np.allclose(np.round(values, decimals), values, rtol=1e-15, atol=0.0):  # rounding errs by an ulp or two
            return decimals
    return None


def _lattice_step(distinct: np.ndarray, decimals: int) -> float:
    scaled = distinct * 10.0**decimals
    if len(distinct) < 2 or np.abs(scaled).max() > 2.0**53:
        return 0.0
    whole = np.rint(scaled).astype(np.int64)
    if len(distinct) < LATTICE_VALUES:
        return 1 / 10**decimals  # the difference of a few values would tell them
    return float(np.gcd.reduce(whole - whole[0])) / 10**decimals
