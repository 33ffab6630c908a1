"""Parquet: one table a file, with the types it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError


def parquet_tables(path: Path, options: DatasetOptions) -> list[ParquetTable]:
    """Return the one table that a parquet file holds."""
    return [ParquetTable(name=path.stem, path=path)]


@dataclass(frozen=True)
class ParquetTable:
    """One parquet file."""

    name: str
    path: Path
    as_written: bool = False
    has_null_words: bool = False
    has_decimal_comma: bool = False
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()

    @property
    def location(self) -> str:
        """The file's name."""
        return self.path.name

    def columns(self) -> list[str]:
        """Return the column names."""
        try:
            return list(pq.read_schema(self.path).names)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        try:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=BATCH_ROWS)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        text = str(error).rstrip(".")
        return DataError(
            f"{self.location}: cannot be read as parquet ({text}). Write it again, or give it the suffix of its format."
        )
