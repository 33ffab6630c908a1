"""The distinct values of a training column with how often each occurs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.schema import Table


@dataclass(frozen=True)
class ValueCounts:
    """Distinct filled values, sorted where they are numbers.

    Attributes:
        distinct: the values, without null.
        counts: (distinct,) int64.
        null_count: rows without a value.
    """

    distinct: pa.Array
    counts: np.ndarray
    null_count: int

    @staticmethod
    def of(values: pa.ChunkedArray | pa.Array) -> ValueCounts:
        """Count the values of a column."""
        filled = values.drop_null()
        arrow_type = values.type
        if pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_temporal(arrow_type):
            plain = filled.cast(pa.int64()) if pa.types.is_temporal(arrow_type) else filled
            distinct, counts = np.unique(as_numpy(plain), return_counts=True)
            return ValueCounts(pa.array(distinct).cast(arrow_type), counts, values.null_count)
        counted = pc.value_counts(filled)
        return ValueCounts(counted.field(0), as_numpy(counted.field(1)).astype(np.int64), values.null_count)

    @property
    def rows(self) -> int:
        """Rows counted, nulls among them."""
        return int(self.counts.sum()) + self.null_count

    def with_null(self) -> tuple[pa.Array, np.ndarray]:
        """Return values and counts with null as one of the values where it occurs."""
        if not self.null_count:
            return self.distinct, self.counts
        null = pa.nulls(1, self.distinct.type)
        return pa.concat_arrays([self.distinct, null]), np.append(self.counts, self.null_count)


def training_values(table: Table, column: str, is_training: np.ndarray) -> pa.ChunkedArray:
    """Return one column's training rows; ``-0.0`` becomes ``0.0``, which equals it."""
    return plain_zero(table.column(column).filter(pa.array(is_training)))


def plain_zero(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return the values with ``-0.0`` as ``0.0``: they are equal, but arrow hashes them apart."""
    return pc.add(values, 0.0) if pa.types.is_floating(values.type) else values


def training_batches(
    table: Table, columns: list[str], keep: np.ndarray, batch_rows: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that ``keep`` marks, in order, without holding the table."""
    start = 0
    for batch in table.batches(columns, batch_rows):
        kept = keep[start : start + batch.num_rows]
        start += batch.num_rows
        yield batch if kept.all() else batch.filter(pa.array(kept))


def even_sample(is_training: np.ndarray, limit: int) -> np.ndarray:
    """Return a mask of at most ``limit`` training rows, evenly spaced.

    >>> even_sample(np.array([True, False, True, True, True]), 2)
    array([ True, False, False,  True, False])
    """
    rows = np.flatnonzero(is_training)
    if len(rows) <= limit:
        return is_training
    mask = np.zeros(len(is_training), dtype=bool)
    mask[rows[np.arange(limit) * len(rows) // limit]] = True
    return mask


def as_numpy(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return arrow values as numpy; the two arrow classes spell it differently."""
    return values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False)
