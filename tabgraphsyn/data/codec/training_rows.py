"""The rows that a table's codecs are fitted to, one column at a time, with the entity of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.counts import ValueCounts, even_sample, training_batches, training_values
from tabgraphsyn.data.schema import Table

EXAMPLE_ROWS = 1_000_000
RULE_ROWS = 200_000


@dataclass(frozen=True)
class TrainingRows:
    """Training rows of a table.

    Attributes:
        table: all real rows.
        is_training: (rows,) bool.
        entities: (training rows,) int64, the entity of each; None: every row is one.
    """

    table: Table
    is_training: np.ndarray = field(repr=False)
    entities: np.ndarray | None = field(default=None, repr=False)

    def values(self, column: str) -> pa.ChunkedArray:
        """Return a column, (rows,)."""
        return training_values(self.table, column, self.is_training)

    def whole(self, column: str) -> pa.Array:
        """Return a column in one piece, (rows,)."""
        values = self.values(column)
        return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values

    def counts(self, column: str) -> ValueCounts:
        """Return a column's distinct values."""
        return ValueCounts.of(self.values(column), self.entities)

    def examples(self, column: str) -> tuple[pa.ChunkedArray, np.ndarray | None]:
        """Return a column of at most a million rows, evenly spaced, and their entities."""
        keep = even_sample(self.is_training, EXAMPLE_ROWS)
        chunks = [batch.column(0) for batch in training_batches(self.table, [column], keep)]
        kind = self.table.read([column]).schema.field(0).type if not chunks else None
        entities = None if self.entities is None else self.entities[keep[self.is_training]]
        return pa.chunked_array(chunks, type=kind), entities

    def sampled(self, columns: Sequence[str]) -> dict[str, pa.Array]:
        """Return columns of at most 200,000 rows, evenly spaced; none where there is no row."""
        if not columns:
            return {}
        batches = list(training_batches(self.table, list(columns), even_sample(self.is_training, RULE_ROWS)))
        if not batches:
            return {}
        rows = pa.Table.from_batches(batches)
        return {name: rows.column(name).combine_chunks() for name in columns}
