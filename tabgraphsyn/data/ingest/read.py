"""First half of an ingestion: find tables, compare them with the metadata, read them, decide types, write them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from tabgraphsyn.data.ingest.column_view import ColumnView, Decision, Habits, as_text
from tabgraphsyn.data.ingest.convert import (
    fraction_problem,
    unify_key_types,
    unknown_columns,
    write_converted,
)
from tabgraphsyn.data.ingest.decide import decide
from tabgraphsyn.data.ingest.decimal_ids import decimal_ids
from tabgraphsyn.data.ingest.raw_table import RawTable, read_raw
from tabgraphsyn.data.ingest.validate import shape_problems
from tabgraphsyn.data.ingest.work import IngestWork
from tabgraphsyn.data.metadata import read_metadata
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import Meter
from tabgraphsyn.data.reading.find import FoundTables, find_tables
from tabgraphsyn.data.reading.names import column_name_problem
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected


def read_tables(work: IngestWork) -> None:
    """Read every table once, decide its types, and write it in them."""
    found = find_tables(work.options)
    work.problems += found.problems
    work.reasons.notes += found.notes
    readers = {reader.name: reader for reader in found.readers}
    wanted = _read_declared(work, readers, found)
    for position, (name, columns) in enumerate(wanted.items()):
        _read_table(work, readers[name], columns, work.scratch / f"raw{position}.parquet")
    empty = {raw.name: [name for name, scan in raw.scans.items() if scan.kind == "empty"] for raw in work.raws.values()}
    rows = {raw.name: raw.rows for raw in work.raws.values()}
    work.problems += shape_problems(rows, empty, work.options.all_null)
    _drop_empty_columns(work)
    _decide_types(work)
    if work.declared is not None:
        pairs = [
            ((relation.child_table, child), (relation.parent_table, parent))
            for relation in work.declared.relations
            for child, parent in zip(relation.child_columns, relation.parent_columns, strict=True)
            if child in work.targets.get(relation.child_table, {})
            and parent in work.targets.get(relation.parent_table, {})
        ]
        work.problems += unify_key_types(pairs, work.targets)
    raise_collected(DataError, work.problems)
    for name, raw in work.raws.items():
        write_converted(raw, work.targets[name], work.table_path(name))
        raw.path.unlink()


def tables_of(options: DatasetOptions) -> tuple[str, ...]:
    """Return the names of the tables that an ingestion would read, by names, heads and metadata alone: no rows.

    Raises:
        DataError: everything that is wrong with them, as an ingestion would say it.
    """
    nowhere = Path()
    work = IngestWork(options, nowhere, nowhere, options.metadata_path)
    found = find_tables(options)
    work.problems += found.problems
    wanted = _read_declared(work, {reader.name: reader for reader in found.readers}, found)
    raise_collected(DataError, work.problems)
    return tuple(wanted)


def _read_declared(work: IngestWork, readers: dict[str, TableReader], found: FoundTables) -> dict[str, list[str]]:
    """Read the metadata, if any, and return the columns to read of each table."""
    columns = {name: names for name, reader in readers.items() if (names := _columns(work, reader)) is not None}
    path = work.metadata_path
    if path is None:
        return columns
    only = next(iter(readers)) if len(readers) == 1 else None
    try:
        declared = read_metadata(path, only, max_mb=work.options.max_metadata_mb)
    except DataError as error:
        work.problems += error.problems or [str(error)]
        return columns  # what is wrong with the tables comes in the same message
    work.declared = _chosen_tables(declared, work.options.tables)
    wanted = {}
    for table in work.declared.tables:
        if table.name not in readers:
            # Why it is not read has been said where its file was refused.
            if table.name in found.refused or found.hides_tables:
                continue
            work.problems.append(
                f"{path.name}: the metadata names a table {table.name!r}, the data has {listing(readers)}."
                f"{nearest(table.name, readers)} Add its file, or remove it from the metadata."
            )
        elif table.name in columns:
            declared_columns = list(table.by_name)
            missing = unknown_columns(table.name, declared_columns, columns[table.name])
            work.problems += missing
            extra = [name for name in columns[table.name] if name not in table.by_name]
            if extra:
                work.reasons.notes.append(f"{table.name}: not in the metadata, left out: {listing(extra)}.")
            if not missing:
                wanted[table.name] = declared_columns
    left_out = [name for name in readers if name not in work.declared.table_names]
    if left_out:
        work.reasons.notes.append(f"{path.name}: tables not in the metadata, left out: {listing(left_out)}.")
    return wanted


def _chosen_tables(schema: Schema, tables: tuple[str, ...] | None) -> Schema:
    if tables is None:
        return schema
    return Schema(
        tuple(table for table in schema.tables if table.name in tables),
        tuple(
            relation
            for relation in schema.relations
            if relation.child_table in tables and relation.parent_table in tables
        ),
    )


def _columns(work: IngestWork, reader: TableReader) -> list[str] | None:
    """Return the column names, or None after noting what is wrong with them."""
    try:
        names = reader.columns()
    except DataError as error:
        work.problems.append(str(error))
        return None
    before = len(work.problems)
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        work.problems.append(
            f"{reader.location}: each column has its own name, {listing(twice)} stands more than once. Rename one."
        )
    if not names:
        work.problems.append(f"{reader.location}: no column. Remove the table or choose others in dataset.tables.")
    nameless = (column_name_problem(name, reader.location) for name in names)
    work.problems += dict.fromkeys(problem for problem in nameless if problem)
    try:
        Meter(reader.location, work.options.limits, 0).columns(len(names))
    except DataError as error:
        work.problems.append(str(error))
    if len(work.problems) > before:
        return None
    work.reasons.notes += reader.notes
    return names


def _read_table(work: IngestWork, reader: TableReader, columns: list[str], path: Path) -> None:
    formats = {}
    if work.declared is not None:
        declared = work.declared.table(reader.name)
        formats = {column.name: column.datetime_format for column in declared.columns if column.datetime_format}
    try:
        raw = read_raw(reader, path, work.options.null_values, formats, columns)
    except DataError as error:
        work.problems += error.problems or [str(error)]
        return
    work.raws[raw.name] = _without_unnamed(work, raw)


def _without_unnamed(work: IngestWork, raw: RawTable) -> RawTable:
    """Leave out columns that have neither a name nor a value: a delimiter at the end of every line makes one."""
    empty = [name for name, scan in raw.scans.items() if scan.kind == "empty" and name.startswith("Unnamed: ")]
    if not empty or work.declared is not None or len(empty) == len(raw.scans):
        return raw
    work.reasons.notes.append(f"{raw.name}: neither a name nor a value, left out: {listing(empty)}.")
    return replace(raw, scans={name: scan for name, scan in raw.scans.items() if name not in empty})


def _drop_empty_columns(work: IngestWork) -> None:
    """Leave out columns without any value (``all_null=drop``), in the declared schema too."""
    empty = {
        name: {column for column, scan in raw.scans.items() if scan.kind == "empty"} for name, raw in work.raws.items()
    }
    for name, columns in empty.items():
        if columns and work.options.all_null == "drop" and work.raws[name].rows > 1:
            work.reasons.notes.append(f"{name}: no value in any row, dropped: {listing(sorted(columns))}.")
            kept = {column: scan for column, scan in work.raws[name].scans.items() if column not in columns}
            work.raws[name] = replace(work.raws[name], scans=kept)
            if not kept:
                work.problems.append(f"{name}: no column has a value. Leave the table out with dataset.tables.")
    if work.declared is not None and work.options.all_null == "drop":
        work.declared = _without_columns(work.declared, empty)


def _without_columns(schema: Schema, empty: dict[str, set[str]]) -> Schema:
    tables = tuple(
        replace(
            table,
            columns=tuple(column for column in table.columns if column.name not in empty.get(table.name, set())),
            primary_key=() if set(table.primary_key) & empty.get(table.name, set()) else table.primary_key,
            alternate_keys=tuple(one for one in table.alternate_keys if one not in empty.get(table.name, set())),
        )
        for table in schema.tables
    )
    relations = tuple(
        relation
        for relation in schema.relations
        if not set(relation.child_columns) & empty.get(relation.child_table, set())
        and not set(relation.parent_columns) & empty.get(relation.parent_table, set())
    )
    return Schema(tables, relations)


def _decide_types(work: IngestWork) -> None:
    """Decide type and format of every column; what a column leaves open is decided by the others of its table."""
    views = {name: [_view(work, name, column) for column in raw.scans] for name, raw in work.raws.items()}
    decisions = {name: {view.name: decide(view, Habits()) for view in columns} for name, columns in views.items()}
    everywhere = Habits()
    own = {name: Habits() for name in views}
    for name, found in decisions.items():
        for decision in found.values():
            own[name].add(decision.habits)
            everywhere.add(decision.habits)
    for name, columns in views.items():
        habits = own[name].or_else(everywhere)
        for view in columns:
            decision = decisions[name][view.name]
            _decided(work, view, decide(view, habits) if decision.is_open or _may_mix(view, decision) else decision)
    targets = {(name, column): target for name, found in work.targets.items() for column, target in found.items()}
    free = [view for columns in views.values() for view in columns if view.declared is None and view.wanted is None]
    for view in decimal_ids(free, targets):
        work.targets[view.raw.name][view.name] = as_text(view.scan)
        work.reasons.notes.append(
            f"{view.where}: decimals that no two rows share, under the name of an id, or that refer to such "
            f"ones; taken as ids, as they are written. dataset.formats={{{view.where}: '1234.5'}} makes them numbers."
        )


def _view(work: IngestWork, table: str, column: str) -> ColumnView:
    raw = work.raws[table]
    declared = None if work.declared is None else work.declared.table(table).column(column)
    return ColumnView(raw, raw.scans[column], column, declared, work.options.formats.get(f"{table}.{column}"))


def _may_mix(view: ColumnView, decision: Decision) -> bool:
    """Return whether a column of text may be dates of several formats once it is known whether the day comes first."""
    is_text = decision.target.type == pa.string() and decision.target.format is None
    return is_text and view.wanted is None and (view.declared is None or view.declared.sdtype == "datetime")


def _decided(work: IngestWork, view: ColumnView, decision: Decision) -> None:
    work.problems += [decision.problem] if decision.problem else []
    infinite = fraction_problem(view.where, view.scan, decision.target)
    work.problems += [infinite] if infinite else []
    if decision.note:
        work.reasons.notes.append(f"{view.where}: {decision.note}.")
    work.targets.setdefault(view.raw.name, {})[view.name] = decision.target
