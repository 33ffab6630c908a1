"""The distinct values of a training column with how often each occurs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.holders import are_held, some_members
from tabgraphsyn.data.schema import Table


@dataclass(frozen=True)
class ValueCounts:
    """Distinct filled values, sorted where they are numbers.

    Attributes:
        distinct: the values, without null.
        counts: (distinct,) int64.
        null_count: rows without a value.
        place: (filled rows,) place of each row's value among the distinct ones, None where every row is an entity.
        entity: (filled rows,) int64, the entity of each row, None where every row is one.
    """

    distinct: pa.Array
    counts: np.ndarray
    null_count: int
    place: np.ndarray | None = field(default=None, repr=False, compare=False)
    entity: np.ndarray | None = field(default=None, repr=False, compare=False)
    _held: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def of(
        values: pa.ChunkedArray | pa.Array, entities: np.ndarray | None = None, null_count: int | None = None
    ) -> ValueCounts:
        """Count the values of a column.

        Args:
            values: (rows,).
            entities: (rows,) int64, the entity of each row; None: every row is one.
            null_count: further rows without a value.
        """
        filled = values.drop_null()
        nulls = values.null_count + (null_count or 0)
        held = entities
        if entities is not None and values.null_count:
            held = entities[as_numpy(pc.is_valid(values)).astype(bool)]
        arrow_type = values.type
        if pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_temporal(arrow_type):
            plain = filled.cast(pa.int64()) if pa.types.is_temporal(arrow_type) else filled
            found = np.unique(as_numpy(plain), return_inverse=True, return_counts=True)
            place = found[1].reshape(-1).astype(np.int32)
            return ValueCounts(pa.array(found[0]).cast(arrow_type), found[2], nulls, place, held)
        counted = pc.value_counts(filled)
        distinct, counts = counted.field(0), as_numpy(counted.field(1)).astype(np.int64)
        if not len(distinct):
            return ValueCounts(distinct, counts, nulls)
        place = as_numpy(pc.index_in(filled, value_set=distinct)).astype(np.int32)
        return ValueCounts(distinct, counts, nulls, place, held)

    def held_by(self, least: int) -> np.ndarray:
        """Return (distinct,) bool: which values at least so many entities hold."""
        if least not in self._held:
            if self.place is None or self.entity is None:
                self._held[least] = self.counts >= least
            else:
                self._held[least] = are_held(self.place, self.entity, self.counts, least)
        return self._held[least]

    def holders_of(self, group: np.ndarray, groups: int, most: int) -> np.ndarray:
        """Return up to ``most`` entities that hold a value of each group, (groups, most) int64; -1 for none more.

        Args:
            group: (distinct,) number of each value's group.
            groups: how many groups there are.
            most: see above.
        """
        if self.place is None or self.entity is None:  # every row is an entity of its own
            rows = np.bincount(group, weights=self.counts, minlength=groups).astype(np.int64)
            number = (np.cumsum(rows) - rows)[:, None] + np.arange(most)
            return np.where(np.arange(most) < rows[:, None], number, -1)
        return some_members(group.astype(np.int32)[self.place], self.entity, groups, most)

    def kept(self, mask: np.ndarray) -> ValueCounts:
        """Return the distinct values that ``mask`` marks, with their rows, (values,) bool."""
        if self.place is None or self.entity is None:
            return ValueCounts(self.distinct.filter(pa.array(mask)), self.counts[mask], self.null_count)
        rows = mask[self.place]
        place = (np.cumsum(mask) - 1).astype(np.int32)[self.place[rows]]
        distinct = self.distinct.filter(pa.array(mask))
        return ValueCounts(distinct, self.counts[mask], self.null_count, place, self.entity[rows])

    @property
    def rows(self) -> int:
        """Rows counted, nulls among them."""
        return int(self.counts.sum()) + self.null_count

    def with_null(self) -> tuple[pa.Array, np.ndarray]:
        """Return values and counts with null as one of the values where it occurs; (values,) each."""
        if not self.null_count:
            return self.distinct, self.counts
        null = pa.nulls(1, self.distinct.type)
        return pa.concat_arrays([self.distinct, null]), np.append(self.counts, self.null_count)


def training_values(table: Table, column: str, is_training: np.ndarray) -> pa.ChunkedArray:
    """Return one column's training rows; ``-0.0`` becomes ``0.0``, which equals it; ``is_training`` is (rows,) bool."""
    return plain_zero(table.column(column).filter(pa.array(is_training)))


def plain_zero(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return the values with ``-0.0`` as ``0.0``: they are equal, but arrow hashes them apart; (rows,)."""
    return pc.add(values, 0.0) if pa.types.is_floating(values.type) else values


def training_batches(
    table: Table, columns: list[str], keep: np.ndarray, batch_rows: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that ``keep`` marks, in order, without holding the table; ``keep`` is (rows,) bool."""
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
    """Return arrow values as numpy; the two arrow classes spell it differently; (rows,)."""
    return values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False)
