"""By how much each group of entities moves the distances of ``statistics``: their first-order influences.

A largest gap moves like the gap at its place, a sum of absolute gaps like the sum with fixed signs, a correlation like
the mean of ``z z' - r (z^2 + z'^2) / 2`` (Devlin, Gnanadesikan and Kettenring 1975).
"""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.joint import Aligned, Contingency
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Groups, Influences, joined
from tabgraphsyn.evaluation.statistics.statistics import frequencies, gaps_between, known, largest_gap


def ks_influences(real: np.ndarray, other: np.ndarray, groups: GroupPair) -> Influences | None:
    """Return the influences of 1 - KS.

    Shape:
        real, other: (rows of the side,) numbers, NaN for missing.
    """
    sides = [side[~np.isnan(side)] for side in (real, other)]
    if not len(sides[0]) or not len(sides[1]):
        return None
    gap, place = largest_gap(*sides)
    below = [_below(side, place, group) for side, group in zip((real, other), groups, strict=True)]
    return joined(-np.sign(gap), below[0], below[1], groups)


def _below(values: np.ndarray, place: float, groups: Groups) -> np.ndarray:
    used = values[groups.rows]
    return np.where(np.isnan(used), np.nan, used <= place)


def wasserstein_influences(real: np.ndarray, other: np.ndarray, groups: GroupPair) -> Influences | None:
    """Return the influences of the Wasserstein distance in standard deviations of the real side.

    The distance is the mean over real rows of ``h(x)`` less that over the other rows, where ``h`` sums the signs of the
    gap between the distribution functions from ``x`` upwards; a real row also moves the unit.

    Shape:
        real, other: (rows of the side,) numbers, NaN for missing.
    """
    sides = [side[~np.isnan(side)] for side in (real, other)]
    if not len(sides[0]) or not len(sides[1]) or sides[0].min() == sides[0].max():
        return None
    points, gaps = gaps_between(*sides)
    height = np.concatenate([np.cumsum((np.sign(gaps) * np.diff(points))[::-1])[::-1], [0.0]])
    unit, distance = float(sides[0].std()), float((np.abs(gaps) * np.diff(points)).sum())
    used = [side[group.rows] for side, group in zip((real, other), groups, strict=True)]
    # A missing value is looked up beyond the end and dropped again.
    lifted = [
        np.where(np.isnan(side), np.nan, height[np.minimum(np.searchsorted(points, side), len(points) - 1)] / unit)
        for side in used
    ]
    by_unit = distance / unit * np.square((used[0] - sides[0].mean()) / unit) / 2
    return joined(1.0, lifted[0] - by_unit, lifted[1], groups)


def tv_influences(real: Feature, other: Feature, groups: GroupPair) -> Influences | None:
    """Return the influences of 1 - total variation of two categorical columns, missing values left out."""
    signs = np.sign(frequencies(known(real), real.levels) - frequencies(known(other), other.levels))
    values = [
        np.where(side.missing[group.rows], np.nan, signs[side.values[group.rows]])
        for side, group in zip((real, other), groups, strict=True)
    ]
    return joined(-0.5, values[0], values[1], groups)


def contingency_influences(found: Contingency, sides: tuple[Aligned, Aligned], groups: GroupPair) -> Influences | None:
    """Return the influences of 1 - total variation of the joint distributions of both sides."""
    values = [np.sign(found.gaps_of(*side.at(group.rows))) for side, group in zip(sides, groups, strict=True)]
    return joined(-0.5, values[0], values[1], groups)


def correlation_influences(sides: tuple[Aligned, Aligned], gap: float, groups: GroupPair) -> Influences | None:
    """Return the influences of ``1 - |r - r'| / 2``.

    Args:
        sides: two numbers each, NaN for missing.
        gap: r - r'.
        groups: of both sides.
    """
    values = [_correlation_influence(*side.at(group.rows)) for side, group in zip(sides, groups, strict=True)]
    return joined(-np.sign(gap) / 2, values[0], values[1], groups)


def _correlation_influence(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    both = ~(np.isnan(left) | np.isnan(right))
    influence = np.full(len(left), np.nan)
    deviations = [side[both].std() if both.any() else 0.0 for side in (left, right)]
    if min(deviations) <= 0:
        return influence
    scaled = [
        (side[both] - side[both].mean()) / deviation for side, deviation in zip((left, right), deviations, strict=True)
    ]
    product = scaled[0] * scaled[1]
    influence[both] = product - product.mean() * (scaled[0] ** 2 + scaled[1] ** 2) / 2
    return influence
