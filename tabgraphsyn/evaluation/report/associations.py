"""How strongly two columns go together, as one number between -1 and 1 for every pair of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.sources import ReportSources, present_columns, sample_rows
from tabgraphsyn.evaluation.statistics.feature import Feature, feature_pair, scored_columns

_MOST_LEVELS = 50


@dataclass(frozen=True)
class AssociationView:
    """Associations of one table.

    Shape:
        real, synthetic: (columns, columns), NaN where a column does not vary.

    Attributes:
        left_out: columns beyond the limit.
        rows: rows of each side that were used.
    """

    table: str
    columns: tuple[str, ...]
    real: np.ndarray
    synthetic: np.ndarray
    left_out: int
    rows: int


def association_view(sources: ReportSources, table: str, options: ReportOptions) -> AssociationView | None:
    """Return the associations of one table, or None where it has fewer than two columns to compare."""
    every = scored_columns(sources.schema, table)
    columns = every[: options.pair_columns]
    if len(columns) < 2:
        return None
    rows = min(options.pair_rows, sources.real[table].num_rows, sources.synthetic[table].num_rows)
    names = [column.name for column in columns]
    real = sample_rows(sources.real[table], names, rows)
    synthetic = sample_rows(sources.synthetic[table], _present(sources, table, names), rows)
    pairs = [feature_pair(c, real.column(c.name), _column(synthetic, c.name), synthetic.num_rows) for c in columns]
    return AssociationView(
        table,
        tuple(names),
        associations([left for left, _ in pairs]),
        associations([right for _, right in pairs]),
        len(every) - len(columns),
        rows,
    )


def associations(features: list[Feature]) -> np.ndarray:
    """Return Pearson's r for two numbers, Cramér's V for two categories, the correlation ratio for one of each.

    Shape:
        return: (columns, columns), symmetric, NaN where one of the two does not vary.
    """
    size = len(features)
    matrix = np.full((size, size), np.nan)
    for i in range(size):
        for j in range(i, size):
            matrix[i, j] = matrix[j, i] = association(features[i], features[j])
    return matrix


def association(first: Feature, second: Feature) -> float:
    """Return the association of two columns over the rows where both are present."""
    kept = ~(first.missing | second.missing)
    if kept.sum() < 3:
        return float("nan")
    left, right = first.values[kept], second.values[kept]
    if first.kind == second.kind == "numerical":
        return _pearson(left, right)
    if first.kind == second.kind == "categorical":
        return _cramer(_pooled(left), _pooled(right))
    codes, numbers = (left, right) if first.kind == "categorical" else (right, left)
    return _correlation_ratio(_pooled(codes), numbers)


def _pearson(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / scale if scale > 0 else float("nan")


def _cramer(left: np.ndarray, right: np.ndarray) -> float:
    """Return Cramér's V (Cramér 1946, section 21.9), without bias correction: both sides have equally many rows."""
    table = np.bincount(left * (right.max() + 1) + right, minlength=(left.max() + 1) * (right.max() + 1))
    table = table.reshape(left.max() + 1, right.max() + 1).astype(float)
    smallest = min(table.shape) - 1
    if smallest < 1:
        return float("nan")
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / smallest))


def _correlation_ratio(codes: np.ndarray, numbers: np.ndarray) -> float:
    """Return eta: the square root of the share of variance that lies between the categories."""
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=numbers) / counts
    between = float((counts * (means - numbers.mean()) ** 2).sum())
    total = float(((numbers - numbers.mean()) ** 2).sum())
    return float(np.sqrt(min(1.0, between / total))) if total > 0 and len(counts) > 1 else float("nan")


def _pooled(codes: np.ndarray) -> np.ndarray:
    """Return codes ``0 .. n - 1`` in which all but the most frequent levels are one level."""
    counts = np.bincount(codes)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.unique(np.minimum(rank, _MOST_LEVELS)[codes], return_inverse=True)[1]


def _present(sources: ReportSources, table: str, names: list[str]) -> list[str]:
    found = present_columns(sources.synthetic[table])
    return [name for name in names if name in found]


def _column(rows: pa.Table, name: str) -> pa.ChunkedArray | None:
    return rows.column(name) if name in rows.column_names else None
