"""Tables written batch by batch, parquet and CSV at once, in the form of the original files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.data.formats import DatetimeFormat
from tabgraphsyn.data.schema import Column, TableSchema, mapped
from tabgraphsyn.errors import ConfigError, listing

_FORMULA = r"\A([=+\-@\t\r])"
DEFAULT_DATETIME_FORMAT = "%Y-%m-%d %H:%M:%S"

Write = Callable[[pa.Table], None]


def write_table(
    table: TableSchema, batches: Iterable[pa.Table], folder: Path, formats: Iterable[str], *, csv_formulas: str = "keep"
) -> int:
    """Write ``<table>.<format>`` for each format, aside then renamed; return the number of rows.

    The first batch decides the columns' types. An empty table must yield one batch of no rows.

    Raises:
        ConfigError: a format that is not known.
    """
    rows = 0
    with ExitStack() as stack:
        writers: list[Write] = []
        for batch in batches:
            ordered = batch.select([column.name for column in table.columns])
            if not writers:
                writers = [
                    stack.enter_context(_open(table, ordered.schema, folder, name, csv_formulas)) for name in formats
                ]
            for write in writers:
                write(ordered)
            rows += ordered.num_rows
    return rows


@contextmanager
def _open(table: TableSchema, schema: pa.Schema, folder: Path, name: str, csv_formulas: str) -> Iterator[Write]:
    if name not in FORMATS:
        raise ConfigError(f"sampling.formats: {name!r} is unknown, expected some of {listing(FORMATS)}.")
    opened = _escaped_csv if name == "csv" and csv_formulas == "escape" else FORMATS[name]
    with written_aside(folder / f"{table.name}.{name}") as aside, opened(table, schema, aside) as write:
        yield write


@contextmanager
def _parquet(table: TableSchema, schema: pa.Schema, path: Path) -> Iterator[Write]:
    formats = {column.name: column.format for column in table.columns if column.format is not None}
    written = pa.schema([pa.field(f.name, formats[f.name].arrow) if f.name in formats else f for f in schema])

    def write(batch: pa.Table) -> None:
        columns = [
            mapped(batch.column(name), formats[name].typed) if name in formats else batch.column(name)
            for name in batch.column_names
        ]
        writer.write_table(pa.table(columns, schema=written))

    with pq.ParquetWriter(path, written, compression="zstd") as writer:
        yield write


@contextmanager
def _csv(
    table: TableSchema, schema: pa.Schema, path: Path, safe: Callable[[Any], Any] = lambda values: values
) -> Iterator[Write]:
    """Write csv; ``safe`` is applied to names and to columns of text (not to numbers in a format of their own)."""
    has_format = {column.name for column in table.columns if column.format is not None}
    words = {column.name: column.missing for column in table.columns if column.missing}
    types = [pa.string() if f.name in has_format or f.name in words else _written_type(f.type) for f in schema]
    names = safe(pa.array(schema.names, pa.string())).to_pylist()
    written = pa.schema([pa.field(name, kind) for name, kind in zip(names, types, strict=True)])

    def write(batch: pa.Table) -> None:
        columns = [as_written(table.column(name), batch.column(name)) for name in batch.column_names]
        for place, (name, values) in enumerate(zip(batch.column_names, columns, strict=True)):
            if pa.types.is_string(values.type) and name not in has_format:
                columns[place] = safe(values)
            if name in words:
                columns[place] = pc.fill_null(columns[place].cast(pa.string()), words[name])
        writer.write_table(pa.table(columns, schema=written))

    with pacsv.CSVWriter(path, written, write_options=pacsv.WriteOptions(quoting_style="needed")) as writer:
        yield write


def _escaped_csv(table: TableSchema, schema: pa.Schema, path: Path) -> AbstractContextManager[Write]:
    """Write csv in which no text begins like a formula: a spreadsheet would compute it."""
    return _csv(table, schema, path, lambda values: pc.replace_substring_regex(values, _FORMULA, r"'\1"))


FORMATS: Mapping[str, Callable[[TableSchema, pa.Schema, Path], AbstractContextManager[Write]]] = {
    "parquet": _parquet,
    "csv": _csv,
}


def _written_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_boolean(kind) or pa.types.is_temporal(kind) or pa.types.is_null(kind) else kind


def as_written(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as the text that its original file has: in its format; nulls stay null."""
    if column.format is not None:
        return mapped(values, column.format.write)
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, "True", "False")
    if pa.types.is_temporal(values.type):
        return mapped(values, DatetimeFormat(pattern=column.datetime_format or DEFAULT_DATETIME_FORMAT).write)
    return values.cast(pa.string()) if pa.types.is_null(values.type) else values
