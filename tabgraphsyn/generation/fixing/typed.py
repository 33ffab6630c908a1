"""Foreign tables and values under the schema of a bundle: read with the limits of every reader, typed, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.formats.arrow_types import plain_array
from tabgraphsyn.data.ingest.convert import Target, convert
from tabgraphsyn.data.options import DEFAULT_NULL_VALUES, DatasetOptions
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.reading.find import find_tables
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.data.schema import Column
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected

_FAULTS = (pa.ArrowException, ValueError, OverflowError, KeyError)


@dataclass(frozen=True)
class ReadTable:
    """A foreign table as it stands in its file or frame.

    Attributes:
        name: of the table.
        location: what messages call it.
        rows: its columns as text or in arrow's types; words for a missing value are nulls.
        path: its file, None for a frame.
    """

    name: str
    location: str
    rows: pa.Table = field(repr=False)
    path: Path | None = None


def read_tables(path: Path, where: str) -> list[ReadTable]:
    """Return all rows of the tables under a path.

    Args:
        path: a folder of tables, or one file.
        where: the option that names it.

    Raises:
        DataError: nothing there, a damaged file, or one over the limits of reading (``dataset.max_*``).
    """
    try:
        found = find_tables(DatasetOptions(path=path))
        raise_collected(DataError, found.problems)
        return [ReadTable(one.name, one.location, _rows(one), getattr(one, "path", None)) for one in found.readers]
    except DataError as error:
        raise DataError(str(error).replace("dataset.path", where)) from error


def _rows(reader: TableReader) -> pa.Table:
    words = pa.array(list(DEFAULT_NULL_VALUES), pa.string())
    names, batches = reader.columns(), []
    for batch in reader.batches():
        columns = []
        for name, values in zip(names, batch.columns, strict=True):
            if pa.types.is_nested(values.type):
                raise DataError(f"{reader.location}.{name}: one value in a cell expected, found {values.type}.")
            if reader.has_null_words:
                values = pc.if_else(pc.is_in(values, value_set=words), pa.scalar(None, values.type), values)
            columns.append(values)
        batches.append(pa.Table.from_arrays(columns, names=names))
    return pa.concat_tables(batches) if batches else pa.table({name: pa.nulls(0, pa.string()) for name in names})


class Types:
    """The stored types of a bundle's columns.

    Args:
        prepared: schema and codecs.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    @cached_property
    def _keys(self) -> Mapping[str, Mapping[str, str]]:
        found: Mapping[str, Mapping[str, str]] = read_json(self._prepared.folder / "structure.json")["keys"]["types"]
        return found

    def of(self, table: str) -> dict[str, pa.DataType]:
        """Return column -> type, keys and attributes."""
        codec = self._prepared.codec(table)
        made = codec.decode(*codec.first_levels(0), np.random.default_rng(0))
        keys = {name: pa.type_for_alias(kind) for name, kind in self._keys[table].items()}
        return {**{one.name: one.type for one in made.schema}, **keys}

    def table(self, read: ReadTable, columns: Sequence[str], where: str) -> pa.Table:
        """Return some columns of a foreign table in their stored types, one row each.

        Raises:
            DataError: all values of other types, column by column.
        """
        schema, types = self._prepared.schema.table(read.name), self.of(read.name)
        made, problems = {}, []
        for name in columns:
            column = read.rows.column(name).combine_chunks()
            column = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
            try:
                made[name] = typed(column, schema.column(name), types[name], f"{where}: {read.name}.{name}")
            except DataError as error:
                problems.append(str(error))
        raise_collected(DataError, problems)
        return pa.table(made) if made else pa.table({"\0": pa.nulls(read.rows.num_rows)}).select([])


def typed(values: pa.Array, column: Column, kind: pa.DataType, where: str) -> pa.Array:
    """Return foreign values, (rows,), in a column's stored type.

    Raises:
        DataError: a value that cannot be of it; the first one is named.
    """
    try:
        return _typed(values, column, kind)
    except _FAULTS:
        bad = [
            one for one in pc.unique(values.drop_null()).to_pylist()[:100_000] if not _can(one, values, column, kind)
        ]
        shown = f"found {listing(bad, 3)}" if bad else f"found a column of {values.type}"
        told = column.format.in_words() if column.format is not None else ""
        like = f" written like {column.datetime_format!r}" if column.datetime_format else f", {told}," if told else ""
        text = f"{where}: values of {column.sdtype} ({kind}){like} expected, {shown}. Correct or empty them."
        raise DataError(text) from None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _can(value: object, values: pa.Array, column: Column, kind: pa.DataType) -> bool:
    try:
        _typed(pa.array([value], values.type), column, kind)
    except _FAULTS:
        return False
    return True


def _typed(values: pa.Array, column: Column, kind: pa.DataType) -> pa.Array:
    made = _in_kind(values, column, kind)
    if pa.types.is_floating(made.type) and not np.isfinite(made.drop_null().to_numpy()).all():
        raise ValueError("no finite number")
    return made


def _in_kind(values: pa.Array, column: Column, kind: pa.DataType) -> pa.Array:
    if column.format is not None and not pa.types.is_null(values.type):
        try:
            made = convert(values, Target(kind, column.format))
        except _FAULTS:
            if not (pa.types.is_string(values.type) and (_is_number(kind) or pa.types.is_timestamp(kind))):
                raise
            made = values.cast(kind)  # 500 for $500.00, 2024-01-31 for 31/01/2024: plain, whatever the column's format
        if pa.types.is_floating(values.type) and pa.types.is_integer(made.type):
            values.cast(made.type)  # refuses 0.5, of which a format alone would keep a 0
        return made if made.type == kind else made.cast(kind)
    values = plain_array(values)
    if values.type == kind or pa.types.is_null(values.type):
        return values.cast(kind)
    if not pa.types.is_string(values.type):
        return values.cast(kind)
    text = pc.utf8_trim_whitespace(values)
    if pa.types.is_timestamp(kind):
        patterns = [one for one in (column.datetime_format, *datetimes.KNOWN_FORMATS) if one]
        pattern = next((one for one in patterns if datetimes.matches(text, one)), None)
        if pattern is None:
            raise ValueError("no time")
        return datetimes.parse(text, pattern).cast(kind)
    if pa.types.is_boolean(kind):
        lower = pc.utf8_lower(text)
        known = pc.is_in(lower, value_set=pa.array(["true", "false", "1", "0", "yes", "no", "t", "f", "y", "n"]))
        if not pc.all(pc.or_(known, pc.is_null(text))).as_py():
            raise ValueError("no truth value")
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        made = convert(values, Target(kind))
        return made.cast(kind)
    return values.cast(kind)


def unknown_names(names: Sequence[str], known: Sequence[str], where: str, what: str) -> list[str]:
    """Return a problem for each name that is not known."""
    return [
        f"{where}: no {what} {name!r} in the bundle; there are {listing(known)}.{nearest(name, known)}"
        for name in names
        if name not in known
    ]
