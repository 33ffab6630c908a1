"""How far a score would move if other entities had been drawn: standard errors without drawing again.

A row's influence on a score is its first-order share in it (infinitesimal jackknife: Jaeckel 1972; Efron 1982, chapter
6). Influences are summed over random groups of entities, an entity being a row together with its descendants, so that
rows of one family count as one draw. The squares of the group sums add up to the variance that a bootstrap over
entities would find, at the cost of one look at up to ``ROWS`` rows; and because every column of every table uses the
same groups, the standard error of a mean over columns takes their correlation into account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import stdtrit

GROUPS = 32
ROWS = 20_000
FEWEST_GROUPS = 5
LEVEL = 0.95

Influences = np.ndarray
"""(2, GROUPS) float64: by how much each group of entities of the real and of the compared side moves a score."""


@dataclass(frozen=True)
class Groups:
    """Rows of one side of one table, in groups of whole entities.

    Shape:
        rows: (used,) int64 positions among the rows of the side, ascending.
        group: (used,) int64 in ``0 .. GROUPS - 1``.

    Attributes:
        share: used rows over all rows of the side.
    """

    rows: np.ndarray
    group: np.ndarray
    share: float

    @staticmethod
    def of(draws: np.ndarray, most_rows: int = ROWS) -> Groups:
        """Return groups from one uniform draw per entity; above ``most_rows`` rows only some entities are used.

        Shape:
            draws: (rows,) float64 in ``[0, 1)``, equal for the rows of one entity.
        """
        kept = min(1.0, most_rows / max(len(draws), 1))
        rows = np.flatnonzero(draws < kept)
        group = np.minimum((draws[rows] / kept * GROUPS).astype(np.int64), GROUPS - 1)
        return Groups(rows, group, len(rows) / max(len(draws), 1))

    @cached_property
    def present(self) -> int:
        """Number of groups that hold a row."""
        return len(np.unique(self.group))

    def mean_influences(self, values: np.ndarray) -> np.ndarray:
        """Return (GROUPS,) by how much each group moves the mean of a per-row value.

        Shape:
            values: (used,) float64, NaN for rows that do not count.
        """
        counted = ~np.isnan(values)
        if not counted.any():
            return np.full(GROUPS, np.nan)
        off = np.where(counted, values - values[counted].mean(), 0.0)
        sums = np.bincount(self.group, weights=off, minlength=GROUPS) / counted.sum()
        several = max(self.present, 2)
        return sums * np.sqrt(self.share * several / (several - 1))


GroupPair = tuple[Groups, Groups]
"""Groups of the real and of the compared side."""


def entity_draws(entities: np.ndarray, seed: int) -> np.ndarray:
    """Return one uniform draw per entity, by a hash of its number (splitmix64), so that no table of draws is kept.

    Shape:
        entities: (rows,) int64, equal for the rows of one entity. Returns (rows,) float64 in ``[0, 1)``.
    """
    mixed = entities.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53


def joined(sign: float, real: np.ndarray, other: np.ndarray, groups: GroupPair) -> Influences | None:
    """Return the influences of ``sign * (mean of real - mean of other)``; None with too few entities to tell.

    Shape:
        real, other: (used rows of the side,) per-row values, NaN for rows that do not count.
    """
    if min(side.present for side in groups) < FEWEST_GROUPS:
        return None
    influences = np.stack([sign * groups[0].mean_influences(real), -sign * groups[1].mean_influences(other)])
    return None if np.isnan(influences).any() else influences


def one_sided(values: np.ndarray, groups: Groups) -> Influences | None:
    """Return the influences of a mean over rows of the compared side alone; None with too few entities to tell.

    Shape:
        values: (used rows,) per-row values, NaN for rows that do not count.
    """
    if groups.present < FEWEST_GROUPS:
        return None
    influences = np.stack([np.zeros(GROUPS), groups.mean_influences(values)])
    return None if np.isnan(influences).any() else influences


def jackknifed(groups: GroupPair, value: Callable[[np.ndarray, np.ndarray], float | None]) -> Influences | None:
    """Return the influences of any statistic, by leaving out one group after the other (Efron 1982, chapter 3).

    Args:
        groups: of both sides.
        value: the statistic of some rows of the real and some of the compared side, by position; None where undefined.
    """
    if min(side.present for side in groups) < FEWEST_GROUPS:
        return None
    influences = np.zeros((2, GROUPS))
    for side, mine in enumerate(groups):
        left_out = np.full(GROUPS, np.nan)
        for group in np.unique(mine.group):
            rows = [each.rows for each in groups]
            rows[side] = mine.rows[mine.group != group]
            found = value(rows[0], rows[1])
            left_out[group] = np.nan if found is None else found
        there = ~np.isnan(left_out)
        if there.sum() < FEWEST_GROUPS:
            return None
        factor = np.sqrt(mine.share * (there.sum() - 1) / there.sum())
        influences[side, there] = factor * (left_out[there].mean() - left_out[there])
    return influences


def standard_error(influences: Influences) -> float:
    """Return the standard error that the influences add up to."""
    return float(np.sqrt((influences**2).sum()))


def mean_influences(parts: Sequence[Influences | None]) -> Influences | None:
    """Return the influences of the mean of several scores, None where one of them does not tell.

    A score without influences among many (too few values in a column) is left out while it is under a tenth of them.
    """
    known = [part for part in parts if part is not None]
    if not known or len(known) < 0.9 * len(parts):
        return None
    return np.mean(known, axis=0)


def interval(value: float, error: float, freedom: float = GROUPS - 1) -> tuple[float, float]:
    """Return the 95 % interval of a score, kept inside the unit interval where the score is.

    >>> low, high = interval(0.9, 0.01)
    >>> round(low, 3), round(high, 3)
    (0.88, 0.92)
    >>> interval(1.0, 0.0)
    (1.0, 1.0)
    """
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    low, high = value - half, value + half
    return (max(low, 0.0) if value >= 0 else low), (min(high, 1.0) if value <= 1 else high)


def share_error(share: float, rows: int) -> float:
    """Return the standard error of a share of independent rows; a share of 0 or 1 counts one row more (Agresti).

    >>> round(share_error(0.5, 100), 3), round(share_error(0.0, 100), 3)
    (0.05, 0.014)
    """
    smoothed = (share * rows + 2) / (rows + 4)
    plain = share if 0 < share < 1 else smoothed
    return float(np.sqrt(plain * (1 - plain) / max(rows, 1)))


def folds_error(deviation: float, folds: int, repeats: int) -> float:
    """Return the standard error of a cross-validated mean: folds share their training rows (Nadeau and Bengio 2003).

    >>> round(folds_error(0.02, 5, 1), 4)
    0.0134
    """
    return deviation * float(np.sqrt(1 / (folds * repeats) + 1 / max(folds - 1, 1)))


def described(value: float, error: float, source: str, freedom: float = GROUPS - 1) -> dict[str, Any]:
    """Return what a score's detail says of its spread: ``sd``, ``interval`` and what was drawn anew (``spread``)."""
    low, high = interval(value, error, freedom)
    return {"sd": round(error, 6), "interval": [round(low, 6), round(high, 6)], "spread": source}
