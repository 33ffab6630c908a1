"""Distances between two columns: pure functions on features.

They return the values of SDMetrics 0.32 (tests hold them together) in linear time and without p-values: SciPy's
``ks_2samp`` computes an exact p-value that nobody reads, and pandas' ``groupby`` is some thirty times slower than
counting codes. None of them returns NaN: what is undefined is ``None``.
"""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.statistics.feature import Feature


def known(feature: Feature) -> np.ndarray:
    """Return the values that are not missing, (known rows,)."""
    return feature.values[~feature.missing]


def ks_distance(real: np.ndarray, other: np.ndarray) -> float:
    """Return the largest gap between two empirical distribution functions; 1 where one side is empty.

    Shape:
        from (rows,) of each.

    >>> ks_distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    if len(real) == 0 or len(other) == 0:
        return 0.0 if len(real) == len(other) else 1.0
    return abs(largest_gap(real, other)[0])


def largest_gap(real: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the largest gap between two empirical distribution functions, real - other, and the value it lies at.

    >>> largest_gap(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    (0.5, 1.0)
    """
    real, other = np.sort(real), np.sort(other)
    points = np.concatenate([real, other])
    gaps = np.searchsorted(real, points, "right") / len(real) - np.searchsorted(other, points, "right") / len(other)
    at = int(np.abs(gaps).argmax())
    return float(gaps[at]), float(points[at])


def frequencies(codes: np.ndarray, levels: int) -> np.ndarray:
    """Return (levels + 1,) float64 shares; the last is that of missing values."""
    counts = np.bincount(np.where(codes < 0, levels, codes), minlength=levels + 1)
    return counts / max(len(codes), 1)


def tv_distance(real: Feature, other: Feature) -> float:
    """Return half the summed difference of category shares among the values that are not missing.

    1 where one side has no values.
    """
    left, right = known(real), known(other)
    if len(left) == 0 or len(right) == 0:
        return 0.0 if len(left) == len(right) else 1.0
    return float(np.abs(frequencies(left, real.levels) - frequencies(right, other.levels)).sum() / 2)


def binned(real: Feature, other: Feature, bins: int, own_edges: bool) -> tuple[Feature, Feature]:
    """Return numbers as codes of equal-width bins, missing values in the last bin; categories unchanged.

    Args:
        real: the reference column.
        other: the compared column.
        bins: number of bins.
        own_edges: False for the edges of the real column on both sides, open at the ends (SDMetrics'
            ``discretize_column``); True for each side's own edges, as SDMetrics 0.32's reports do it: a single
            outlier then moves every bin of one side, and the largest value shares a bin with the missing ones.
    """
    if real.kind == "categorical":
        return real, other
    edges = bin_edges(real, bins)
    if own_edges:
        return in_bins(real, edges), in_bins(other, bin_edges(other, bins))
    return in_bins(real, opened(edges)), in_bins(other, opened(edges))


def in_bins(feature: Feature, edges: np.ndarray) -> Feature:
    """Return the numbers as codes of bins: 0 below the first edge, as many as there are edges above the last."""
    levels = len(edges) + 1
    codes = np.digitize(feature.values, edges).astype(np.min_scalar_type(-levels - 1))
    return Feature(feature.name, "categorical", codes, levels)


def opened(edges: np.ndarray) -> np.ndarray:
    """Return the edges with the outer bins open, (bins + 1,)."""
    return np.concatenate([[-np.inf], edges[1:-1], [np.inf]])


def bin_edges(feature: Feature, bins: int) -> np.ndarray:
    """Return the edges of equal-width bins between the smallest and the largest value, (bins + 1,)."""
    values = known(feature)
    return np.histogram_bin_edges(values, bins) if len(values) else np.linspace(0.0, 1.0, bins + 1)


def wasserstein(real: np.ndarray, other: np.ndarray) -> float:
    """Return the area between two empirical distribution functions, in the unit of the values; (rows,) of each."""
    points, gaps = gaps_between(real, other)
    return float((np.abs(gaps) * np.diff(points)).sum())


def gaps_between(real: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all values in order and, from each to the next, the gap between the distribution functions, real - other.

    Shape:
        points: (values,) float64. gaps: (values - 1,) float64.
    """
    points = np.sort(np.concatenate([real, other]))
    below_real = np.searchsorted(np.sort(real), points[:-1], "right") / len(real)
    below_other = np.searchsorted(np.sort(other), points[:-1], "right") / len(other)
    return points, below_real - below_other


def marginals(real: Feature, other: Feature, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of each category or bin (missing last) on both sides; (shares,) each."""
    left, right = binned(real, other, bins, own_edges=False)
    return frequencies(left.values, left.levels), frequencies(right.values, right.levels)
