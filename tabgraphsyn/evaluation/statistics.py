"""Distances between two columns, or between the dependence of two pairs of columns: pure functions on features.

They return the values of SDMetrics 0.32 (tests hold them together) in linear time and without p-values: SciPy's
``ks_2samp`` computes an exact p-value that nobody reads, and pandas' ``groupby`` is some thirty times slower than
counting codes. None of them returns NaN: what is undefined is ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.feature import Feature

# Above so many cells a contingency table is counted by sorting what occurs instead of as an array.
LARGEST_TABLE = 8_000_000


def known(feature: Feature) -> np.ndarray:
    """Return the values that are not missing."""
    return feature.values[~feature.missing]


def ks_distance(real: np.ndarray, other: np.ndarray) -> float:
    """Return the largest gap between two empirical distribution functions; 1 where one side is empty.

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
    edges = _edges(real, bins)
    if own_edges:
        pair = (np.digitize(real.values, edges), np.digitize(other.values, _edges(other, bins)))
    else:
        edges = edges.copy()
        edges[0], edges[-1] = -np.inf, np.inf
        pair = (np.digitize(real.values, edges), np.digitize(other.values, edges))
    return (
        Feature(real.name, "categorical", pair[0].astype(np.int32), bins + 2),
        Feature(other.name, "categorical", pair[1].astype(np.int32), bins + 2),
    )


def _edges(feature: Feature, bins: int) -> np.ndarray:
    values = known(feature)
    return np.histogram_bin_edges(values, bins) if len(values) else np.linspace(0.0, 1.0, bins + 1)


@dataclass(frozen=True)
class Contingency:
    """Two joint distributions of two categories each.

    Shape:
        cells: per side (rows,) int64, the cell of each row.
        gaps: (cells,) share of the real rows - share of the other rows.
    """

    cells: tuple[np.ndarray, np.ndarray]
    gaps: np.ndarray

    @property
    def similarity(self) -> float:
        """1 - total variation."""
        return float(1.0 - np.abs(self.gaps).sum() / 2)


def contingency(real: tuple[Feature, Feature], other: tuple[Feature, Feature]) -> Contingency:
    """Return the joint distributions of two pairs of categories, missing being a category."""
    width = real[1].levels + 1
    cells = (real[0].levels + 1) * width
    joint = [(first.values.astype(np.int64) + 1) * width + second.values + 1 for first, second in (real, other)]
    if cells > LARGEST_TABLE:
        _, dense = np.unique(np.concatenate(joint), return_inverse=True)
        cells = int(dense.max(initial=0)) + 1
        joint = [dense[: len(joint[0])], dense[len(joint[0]) :]]
    shares = [np.bincount(codes, minlength=cells) / max(len(codes), 1) for codes in joint]
    return Contingency((joint[0], joint[1]), shares[0] - shares[1])


def contingency_similarity(real: tuple[Feature, Feature], other: tuple[Feature, Feature]) -> float:
    """Return 1 - total variation between two joint distributions of categories, missing being a category."""
    return contingency(real, other).similarity


def pearson(left: np.ndarray, right: np.ndarray) -> float | None:
    """Return the correlation over rows where both are present, None where it is undefined.

    Undefined: fewer than two such rows, or one side constant on them.
    """
    both = ~(np.isnan(left) | np.isnan(right))
    if both.sum() < 2:
        return None
    left, right = left[both], right[both]
    left, right = left - left.mean(), right - right.mean()
    # Scaling first keeps squares of large numbers (timestamps) in range.
    scale_left, scale_right = np.abs(left).max(), np.abs(right).max()
    if scale_left == 0 or scale_right == 0:
        return None
    left, right = left / scale_left, right / scale_right
    # Sums of products, not BLAS: its own threads wait actively for each other, which costs more than it saves here.
    norm = np.sqrt((left * left).sum() * (right * right).sum())
    return float(np.clip((left * right).sum() / norm, -1.0, 1.0)) if norm > 0 else None


def wasserstein(real: np.ndarray, other: np.ndarray) -> float:
    """Return the area between two empirical distribution functions, in the unit of the values."""
    points = np.sort(np.concatenate([real, other]))
    widths = np.diff(points)
    below_real = np.searchsorted(np.sort(real), points[:-1], "right") / len(real)
    below_other = np.searchsorted(np.sort(other), points[:-1], "right") / len(other)
    return float((np.abs(below_real - below_other) * widths).sum())


def marginals(real: Feature, other: Feature, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of each category or bin (missing last) on both sides."""
    left, right = binned(real, other, bins, own_edges=False)
    return frequencies(left.values, left.levels), frequencies(right.values, right.levels)
