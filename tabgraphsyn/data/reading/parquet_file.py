"""Parquet: one table a file, with the types it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import BATCH_BYTES, decoded_bytes, is_text, metered
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS, TableReader
from tabgraphsyn.errors import DataError

_FAILURES = (pa.ArrowException, OSError, ValueError)


def parquet_tables(path: Path, options: DatasetOptions) -> list[ParquetTable]:
    """Return the one table that a parquet file holds."""
    return [ParquetTable(name=path.stem, path=path, options=options)]


@dataclass(frozen=True, kw_only=True)
class ParquetTable(TableReader):
    """One parquet file."""

    def columns(self) -> list[str]:
        """Return the column names."""
        try:
            return list(pq.read_schema(self.path).names)
        except _FAILURES as error:
            raise self._unreadable(error) from error

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; texts that a dictionary repeats are measured before they are written out."""
        try:
            declared = pq.read_schema(self.path)  # a reader that makes dictionaries of texts declares dictionaries
            texts = [field.name for field in declared if is_text(field.type)]
            with pq.ParquetFile(self.path, read_dictionary=texts) as file:
                self._ask_footer(file.metadata)
                for batch in metered(self._decoded(file, declared), self.meter):
                    batch.validate(full=True)  # text that is not UTF-8
                    yield batch
        except _FAILURES as error:
            raise self._unreadable(error) from error

    def _ask_footer(self, metadata: pq.FileMetaData) -> None:
        """Ask for the size of the pages as they are before compression, and for the cells."""
        trial = self.meter
        trial.columns(metadata.num_columns)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        trial.add(sum(group.total_byte_size for group in groups), metadata.num_rows * metadata.num_columns)

    def _decoded(self, file: pq.ParquetFile, declared: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            size = sum(decoded_bytes(column) for column in batch.columns)
            rows = max(1, int(batch.num_rows * BATCH_BYTES / max(size, BATCH_BYTES)))
            for start in range(0, batch.num_rows, rows):
                part = batch.slice(start, rows)
                columns = [_plain(column, declared.field(n).type) for n, column in enumerate(part.columns)]
                yield pa.RecordBatch.from_arrays(columns, names=part.schema.names)

    def _unreadable(self, error: Exception) -> DataError:
        text = str(error).rstrip(".")[:300]
        if "UTF8" in text or "utf-8" in text:
            return DataError(f"{self.location}: text that is not UTF-8. Write the file again from decoded text.")
        return DataError(
            f"{self.location}: cannot be read as parquet ({text}). Write it again, or give it the suffix of its format."
        )


def _plain(column: pa.Array, declared: pa.DataType) -> pa.Array:
    """Return a column that only this reader reads as a dictionary as what the file declares."""
    is_ours = pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(declared)
    return column.dictionary_decode().cast(declared) if is_ours else column
