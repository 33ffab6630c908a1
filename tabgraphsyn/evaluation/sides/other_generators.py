"""Tables of any generator, read under the real schema; what does not fit is noted, not refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.dependencies import discover
from tabgraphsyn.data.formats import NumberFormat
from tabgraphsyn.data.ingest.column_view import ColumnView, Habits
from tabgraphsyn.data.ingest.convert import Target, write_converted
from tabgraphsyn.data.ingest.decide import decide
from tabgraphsyn.data.ingest.raw_table import read_raw
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.order import KeyUse, driver_relations, generation_order
from tabgraphsyn.data.reading.find import find_tables
from tabgraphsyn.data.reading.suffixes import data_files
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.data.reference import SMALL_ROWS, crowded_masks
from tabgraphsyn.data.rules.find import find_rules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Database, Schema, Table, TableSchema
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected
from tabgraphsyn.evaluation.sides.keys import joint_codes, pointers

# Of a table that stands there in two formats (our own results do) the typed one is read.
_PREFERRED = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True)
class ReadDatabase:
    """A database and what in its files does not fit the metadata."""

    database: Database
    problems: list[str]


def read_database(source: Path, schema: Schema, scratch: Path) -> ReadDatabase:
    """Return the tables of ``schema`` found under ``source``, converted to its types where the values allow.

    Args:
        source: a folder of tables, or one file.
        schema: what is expected.
        scratch: an empty folder for the converted tables.

    Raises:
        DataError: nothing to read there, or a file that is damaged.
    """
    readers = _readers(source, schema)
    problems: list[str] = []
    tables = {}
    for number, table in enumerate(schema.tables):
        if table.name not in readers:
            problems.append(f"{source}: no table {table.name!r}.{nearest(table.name, readers)}")
            tables[table.name] = Table(table, pa.table({column.name: pa.nulls(0) for column in table.columns}))
            continue
        tables[table.name], found = _read(readers[table.name], table, scratch, number)
        problems += found
    return ReadDatabase(Database(schema, tables), problems)


def _readers(source: Path, schema: Schema) -> dict[str, TableReader]:
    chosen: dict[str, TableReader] = {}
    for table in schema.table_names:
        file = next(
            (source / f"{table}{suffix}" for suffix in _PREFERRED if (source / f"{table}{suffix}").is_file()), None
        )
        if file is not None:
            found = find_tables(DatasetOptions(path=file))
            raise_collected(DataError, found.problems)
            chosen[table] = found.readers[0]
    if len(chosen) == len(schema.tables):
        return chosen
    if not chosen and source.is_dir() and not data_files(source):
        raise DataError(f"{source}: no tables there. Give the folder that holds {_files_of(schema)}.")
    found = find_tables(DatasetOptions(path=source))
    if not found.readers:
        raise_collected(DataError, found.problems)
    only = found.readers[0] if len(found.readers) == 1 == len(schema.tables) else None
    named = {reader.name: reader for reader in found.readers} | chosen
    if not set(named) & set(schema.table_names):
        # One table alone may have any file name.
        if only is not None:
            return {schema.table_names[0]: only}
        # A folder without any of the tables is a wrong folder, not a generator that made nothing.
        raise DataError(
            f"{source}: none of the tables {listing(schema.table_names)} is there, found {listing(named)}. "
            f"Give the folder that holds {_files_of(schema)}, or rename the files."
        )
    return named


def _files_of(schema: Schema) -> str:
    return listing([f"{name}.csv" for name in schema.table_names], 3)


def _read(reader: TableReader, table: TableSchema, scratch: Path, number: int) -> tuple[Table, list[str]]:
    there = set(reader.columns())
    absent = [column.name for column in table.columns if column.name not in there]
    problems = [f"{table.name}.{name}: no such column in {reader.location}.{nearest(name, there)}" for name in absent]
    wanted = [column for column in table.columns if column.name in there]
    if not wanted:
        return Table(table, pa.table({column.name: pa.nulls(0) for column in table.columns})), problems
    formats = {column.name: column.datetime_format for column in wanted if column.datetime_format}
    own = (column.missing for column in wanted if column.missing)
    null_values = tuple(dict.fromkeys([*DatasetOptions(path=Path()).null_values, *own]))
    raw = read_raw(reader, scratch / f"raw{number}.parquet", null_values, formats, [column.name for column in wanted])
    if raw.rows == 0:
        return Table(table, pa.table({column.name: pa.nulls(0) for column in wanted})), problems
    targets = {}
    for column in wanted:
        targets[column.name], problem = _target(ColumnView(raw, raw.scans[column.name], column.name, column))
        problems += [problem] if problem else []
    path = scratch / f"table{number}.parquet"
    write_converted(raw, targets, path)
    raw.path.unlink()
    return Table(table, path), problems


def _target(view: ColumnView) -> tuple[Target, str]:
    """Return the declared type where the values allow it, otherwise their own."""
    column, scan = view.declared, view.scan
    assert column is not None
    if column.format is not None and (scan.typed is not None or view.reads(column.format)):
        return Target.of(column.format), ""
    decision = decide(view, Habits())
    if decision.problem is None:
        return decision.target, ""
    if column.sdtype == "datetime":  # generators write dates in formats of their own
        other = decide(replace(view, declared=replace(column, datetime_format=None)), Habits())
        if other.problem is None:
            return other.target, ""
    if column.sdtype == "numerical" and scan.is_number:  # whole numbers written as 3.5 are still numbers
        format = NumberFormat(mark=",", most=15) if scan.has_decimal_comma else None
        return Target(pa.float64(), format), ""
    return decide(replace(view, declared=None), Habits()).target, decision.problem


def with_holdout(training: Database, holdout: Database) -> tuple[Database, dict[str, np.ndarray]]:
    """Return the rows of both databases as one, and which of them are held out.

    A held-out row whose primary key is a training row's belongs to a table that both share; it is left out.
    """
    tables, masks = {}, {}
    for table in training.schema.tables:
        rows, other = (side[table.name].read() for side in (training, holdout))
        names = [name for name in rows.column_names if name in other.column_names]
        if table.primary_key and set(table.primary_key) <= set(names):
            other = other.filter(pa.array(~_known(table, rows, other)))
        both = pa.concat_tables([rows.select(names), other.select(names)], promote_options="permissive")
        tables[table.name] = Table(table, both)
        masks[table.name] = np.arange(both.num_rows) >= rows.num_rows
    return Database(training.schema, tables), masks


def _known(table: TableSchema, rows: pa.Table, other: pa.Table) -> np.ndarray:
    left, right = ([side.column(name) for name in table.primary_key] for side in (rows, other))
    known, asked = joint_codes(left, right)
    return np.isin(asked, known[known >= 0])


def random_halves(database: Database, seed: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return two halves of whole entities, and the tables both share: for the real-against-real line only.

    Shape:
        (rows,) bool per table.
    """
    schema = database.schema
    rows = {name: database[name].num_rows for name in schema.table_names}
    linked = {relation.name: pointers(database, relation) for relation in schema.relations}
    use = {name: KeyUse.measure(parent_row) for name, parent_row in linked.items()}
    order = generation_order(schema.table_names, schema.relations)
    shared = [one.name for one in schema.tables if one.reference or rows[one.name] < SMALL_ROWS]
    driver = driver_relations(order, schema.relations, use)
    crowded = crowded_masks(schema.relations, linked, rows)
    halves = holdout_masks(order, rows, driver, shared, linked, HoldoutConfig(fraction=0.5, seed=seed), crowded)
    return halves, list(shared)


def found_rules(database: Database, is_holdout: Mapping[str, np.ndarray], declared: Sequence[Rule] = ()) -> list[Rule]:
    """Return what holds in every row that is not held out, as ``rules.json`` does, and the declared rules."""
    is_training = {name: ~mask for name, mask in is_holdout.items()}
    linked = {relation.name: pointers(database, relation) for relation in database.schema.relations}
    return find_rules(database, linked, is_training, discover(database, is_training), declared)
