"""What a file may cost, asked while it is read: a few kilobytes from a stranger must not fill a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.errors import DataError

FREE_BYTES = 64 << 20
"""Values of so many bytes are read whatever the size of their file: small files often compress well."""

BATCH_BYTES = 8 << 20
"""About how much of a table is in memory at a time."""


@dataclass(frozen=True)
class ReadLimits:
    """The most that one table may hold.

    Attributes:
        max_columns: columns; what is found out about them grows with their number.
        max_cells: rows times columns.
        max_value_length: letters of one value.
        max_expansion: bytes of values, as a multiple of the bytes of their file (``FREE_BYTES`` are free).
        max_table_gb: gigabytes of values.
    """

    max_columns: int = 1000
    max_cells: int = 5_000_000_000
    max_value_length: int = 1_000_000
    max_expansion: float = 50.0
    max_table_gb: float = 200.0


class Meter:
    """Counts what a table has cost so far; every call that exceeds a limit raises ``DataError``."""

    def __init__(self, location: str, limits: ReadLimits, file_bytes: int) -> None:
        self.location = location
        self.limits = limits
        self.file_bytes = file_bytes
        self.bytes = 0
        self.cells = 0

    def columns(self, count: int, *, is_all: bool = True) -> None:
        """Ask whether a table may have so many columns; ``is_all=False`` where more may follow."""
        limit = self.limits.max_columns
        if count > limit:
            found = f"{count}" if is_all else f"over {limit}"
            raise DataError(
                f"{self.location}: {found} columns, the limit is {limit}: memory and time grow with the columns. "
                f"Keep those that matter, turn repeated ones into rows of a child table, or raise dataset.max_columns."
            )

    def add(self, size: int, cells: int = 0) -> None:
        """Count ``size`` bytes and ``cells`` cells more."""
        self.bytes += size
        self.cells += cells
        if self.cells > self.limits.max_cells:
            raise DataError(
                f"{self.location}: over {self.limits.max_cells:,} cells (rows times columns). Keep a part of the "
                f"table, or raise dataset.max_cells."
            )
        if self.bytes > self.limits.max_table_gb * 1e9:
            raise DataError(
                f"{self.location}: over {self.limits.max_table_gb:g} GB of values. Keep a part of the table, or raise "
                f"dataset.max_table_gb."
            )
        if self.bytes > max(FREE_BYTES, self.limits.max_expansion * self.file_bytes):
            raise DataError(
                f"{self.location}: a file of {_size(self.file_bytes)} holds over {_size(self.bytes)} of values, more "
                f"than {self.limits.max_expansion:g} times its size: damaged, or made to fill memory. If you trust it, "
                f"raise dataset.max_expansion."
            )

    def value(self, column: str, length: int, *, is_all: bool = True) -> None:
        """Ask whether a value of a column may have so many letters."""
        limit = self.limits.max_value_length
        if length > limit:
            found = f"{length:,}" if is_all else f"over {limit:,}"
            where = f"{self.location}.{column}" if column else self.location
            raise DataError(
                f"{where}: a value of {found} letters, the limit is {limit:,}. Shorten it, remove the column, or raise "
                f"dataset.max_value_length."
            )

    def batch(self, batch: pa.RecordBatch) -> None:
        """Count a batch and ask for the length of its texts.

        Raises:
            DataError: a limit, or a text that is not Unicode.
        """
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            texts = array.dictionary if pa.types.is_dictionary(array.type) else array
            if is_text(texts.type):
                longest = pc.max(pc.binary_length(texts)).as_py() or 0
                if longest > self.limits.max_value_length:  # bytes: letters may be fewer
                    self.value(name, pc.max(pc.utf8_length(texts)).as_py())
        size = sum(decoded_bytes(array) for array in batch.columns)
        self.add(size, batch.num_rows * batch.num_columns)


def is_text(type_: pa.DataType) -> bool:
    """Return True for a type of text."""
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)


def decoded_bytes(column: pa.Array) -> int:
    """Return how many bytes a column has once its dictionary is written out; (rows,)."""
    if not pa.types.is_dictionary(column.type) or not is_text(column.type.value_type):
        return column.nbytes
    lengths = pc.binary_length(column.dictionary)
    return 4 * len(column) + (pc.sum(lengths.take(column.indices.drop_null())).as_py() or 0)


def metered(batches: Iterator[pa.RecordBatch], meter: Meter) -> Iterator[pa.RecordBatch]:
    """Yield ``batches`` while they keep the limits."""
    for batch in batches:
        meter.batch(batch)
        yield batch


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"
