"""First pass over a table: every row once, to a scratch file, while each column is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.formats.arrow_types import plain_array
from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS, TableReader
from tabgraphsyn.errors import DataError, listing, raise_collected


@dataclass(frozen=True)
class RawTable:
    """A table in scratch parquet, its values as written or in the plain arrow types, and what was seen of it."""

    reader: TableReader
    path: Path
    scans: Mapping[str, ColumnScan]
    rows: int

    @property
    def name(self) -> str:
        """The table's name."""
        return self.reader.name

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, some columns."""
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)


def read_raw(
    reader: TableReader, path: Path, null_values: tuple[str, ...], formats: Mapping[str, str], wanted: list[str]
) -> RawTable:
    """Return the table after one pass over its rows, which are written to ``path``.

    Args:
        formats: datetime formats that the metadata gives, by column; tried before the known ones.
        wanted: the columns to keep.

    Raises:
        DataError: the file is damaged, ragged or in another encoding, or a column has a type without a meaning here.
    """
    scans = {name: _scan(reader, formats.get(name)) for name in wanted}
    words = pa.array(list(null_values), type=pa.string())
    writer: pq.ParquetWriter | None = None
    rows = 0
    try:
        for batch in reader.batches():
            arrays = _plain_columns(batch, reader, wanted)
            for place, name in enumerate(wanted):
                array = arrays[place]
                if not reader.as_written:
                    scans[name].see_type(batch.column(name))
                if reader.has_null_words:
                    array = _without_null_words(array, words, scans[name])
                if name in formats and not pa.types.is_timestamp(array.type):
                    array = array.cast(pa.string())  # 20130105 is a number until a format says what it means
                scans[name].update(array)
                arrays[place] = array
            plain_batch = pa.RecordBatch.from_arrays(arrays, names=wanted)
            rows += plain_batch.num_rows
            if writer is None:
                writer = pq.ParquetWriter(path, plain_batch.schema, compression="lz4", use_dictionary=False)
            writer.write_batch(plain_batch)
    finally:
        if writer is not None:
            writer.close()
    return RawTable(reader=reader, path=path, scans=scans, rows=rows)


def _scan(reader: TableReader, format: str | None) -> ColumnScan:
    first = (format,) if format else ()
    others = tuple(known for known in datetimes.KNOWN_FORMATS if known != format)
    return ColumnScan(
        as_written=reader.as_written,
        decimal_comma=reader.as_written and reader.has_decimal_comma,
        formats=first + others,
    )


def _plain_columns(batch: pa.RecordBatch, reader: TableReader, wanted: list[str]) -> list[pa.Array]:
    """Return the wanted columns in the plain types; those that have none are named together."""
    arrays, problems = [], []
    nested = [f"{name} ({batch.column(name).type})" for name in wanted if pa.types.is_nested(batch.column(name).type)]
    if nested:
        problems.append(
            f"{reader.location}: columns hold lists or records, and a table has one value in a cell: "
            f"{listing([each[:120] for each in nested])}. Make a list a table of its own, one row an element with the "
            f"key of its parent; a record columns of its own (pandas.json_normalize); or remove them."
        )
    for name in wanted:
        if pa.types.is_nested(batch.column(name).type):
            continue
        try:
            arrays.append(plain(batch.column(name), f"{reader.name}.{name}"))
        except DataError as error:
            problems.append(str(error))
    raise_collected(DataError, problems)
    return arrays


def _without_null_words(array: pa.Array, words: pa.Array, scan: ColumnScan) -> pa.Array:
    found = pc.is_in(array, value_set=words)
    if not pc.any(found).as_py():
        return array
    for entry in pc.value_counts(array.filter(found)).to_pylist():
        scan.null_words[entry["values"]] += entry["counts"]
    return pc.if_else(found, pa.scalar(None, pa.string()), array)


def plain(array: pa.Array, where: str) -> pa.Array:
    """Return ``array`` in one of the plain types, see ``arrow_types.plain_array``.

    Raises:
        DataError: a type that has no meaning here (lists, structs, binary).
    """
    try:
        return plain_array(array)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{where}: a column holds numbers, booleans, dates or text, found {array.type}. Remove it or write it as "
            f"text."
        ) from error
