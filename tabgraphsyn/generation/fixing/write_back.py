"""Filled tables written back: empty cells get their values, every other byte of a CSV file stays what it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.csv_faults import CsvSource
from tabgraphsyn.data.reading.csv_file import CsvTable
from tabgraphsyn.data.reading.find import find_tables
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.fixing.demands import whole
from tabgraphsyn.generation.fixing.typed import ReadTable
from tabgraphsyn.generation.writer import as_written

Span = tuple[int, int]


def filled_rows(read: ReadTable, made: pa.Table, table: TableSchema) -> pa.Table:
    """Return a foreign table, (rows,), in its own types, its nulls in the place of what was made for them.

    Args:
        read: what is filled.
        made: as the sample is written, in the types of the original files.
        table: its columns.

    Raises:
        DataError: a type that a made value does not fit.
    """
    rows = read.rows
    for place, name in enumerate(rows.column_names):
        old = whole(rows.column(name))
        if not old.null_count:
            continue
        new, column = whole(made.column(name)), table.column(name)
        if pa.types.is_string(old.type):
            new = new if column.format is None else column.format.stored_of(new)
            new = whole(as_written(column, new))
        kind = new.type if pa.types.is_null(old.type) else old.type
        try:
            values = pc.if_else(old.is_valid(), old.cast(kind), new.cast(kind))
        except pa.ArrowException as error:
            what = str(error).splitlines()[0]
            raise DataError(f"{read.location}.{name}: {old.type} does not hold what was made ({what}).") from error
        rows = rows.set_column(place, pa.field(name, kind), values)
    return rows


def write_filled(read: ReadTable, made: pa.Table, table: TableSchema, folder: Path) -> pa.Table:
    """Write a filled file under its own name (compressed CSV as plain CSV) and return its (rows,).

    Raises:
        DataError: a format that is not written, or lines that are no rows.
    """
    rows = filled_rows(read, made, table)
    if read.path is None or read.path.suffix == ".parquet":
        place = folder / f"{read.name}.parquet"
        with written_aside(place) as aside:
            pq.write_table(rows, aside)
        return rows
    (reader,) = find_tables(DatasetOptions(path=read.path)).readers
    if not isinstance(reader, CsvTable):
        raise DataError(f"--impute: {read.location}: CSV or parquet expected. Write the table in one of them first.")
    place = folder / re.sub(r"\.(gz|bz2|zst)$", "", read.path.name)
    content = _spliced(reader.source, read, rows)
    with written_aside(place) as aside:
        aside.write_bytes(content)
    return rows


def _spliced(source: CsvSource, read: ReadTable, rows: pa.Table) -> bytes:
    if source.comment or source.skip_footer:
        raise DataError(f"--impute: {read.location}: lines that are no rows (comments, a footer). Remove them first.")
    with source.open_raw() as stream:
        raw = stream.read()
    encoding = "utf-8" if source.encoding == "utf-8-sig" else source.encoding
    text = raw.decode(encoding)
    begin = 0
    for _ in range(source.skip_rows):
        begin = text.index("\n", begin) + 1
    records = list(_records(text, begin, source.delimiter))
    names = rows.column_names
    records = records[len(records) - rows.num_rows :] if len(records) in (rows.num_rows, rows.num_rows + 1) else []
    if len(records) != rows.num_rows or any(len(one) != len(names) for one in records):
        raise DataError(
            f"--impute: {read.location}: its lines cannot be told apart exactly. Write it as plain CSV first."
        )
    changes: list[tuple[Span, str]] = []
    for place, name in enumerate(names):
        empty = read.rows.column(name).is_null().to_numpy()
        values = rows.column(name).cast(pa.string()).to_pylist() if empty.any() else []
        for number in empty.nonzero()[0].tolist():
            if values[number] is not None:
                changes.append((records[number][place], _quoted(values[number], source.delimiter)))
    parts, last = [], 0
    for (start, end), value in sorted(changes):
        parts += [text[last:start], value]
        last = end
    return "".join([*parts, text[last:]]).encode(encoding)


def _records(text: str, begin: int, delimiter: str) -> Iterator[list[Span]]:
    """Yield where the fields of each line stand, quotes included; empty lines are none."""
    field = re.compile(
        rf'("(?:[^"]|"")*"[^{re.escape(delimiter)}\r\n]*|[^{re.escape(delimiter)}\r\n]*)({re.escape(delimiter)}|\r\n|\n|\r|\Z)'
    )
    record: list[Span] = []
    place = begin
    while place < len(text) or record:
        found = field.match(text, place)
        if found is None:
            return
        record.append(found.span(1))
        place = found.end()
        if found[2] != delimiter:
            if len(record) > 1 or record[0][0] < record[0][1]:
                yield record
            record = []


def _quoted(value: str, delimiter: str) -> str:
    if any(mark in value for mark in (delimiter, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value
