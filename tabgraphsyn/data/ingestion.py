"""A database of any format, read, typed, checked and written as parquet with its schema and profile."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from tabgraphsyn.data.column_scan import ColumnScan
from tabgraphsyn.data.convert import (
    Target,
    fraction_problem,
    natural_target,
    target_of,
    unify_key_types,
    unknown_columns,
    write_converted,
)
from tabgraphsyn.data.files import folder_written_aside, write_json
from tabgraphsyn.data.infer_keys import TableFacts, infer_keys
from tabgraphsyn.data.infer_types import infer_column
from tabgraphsyn.data.metadata import metadata_dict, read_metadata
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.profile import Reasons, profile_dict
from tabgraphsyn.data.raw_table import RawTable, read_raw
from tabgraphsyn.data.reading.find import find_tables
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.data.schema import Column, Schema, TableSchema
from tabgraphsyn.data.subset import check_limit, keep_part
from tabgraphsyn.data.table_files import rewrite
from tabgraphsyn.data.table_queries import ColumnValues, TableQueries
from tabgraphsyn.data.validate import check_orphans, primary_key_problems, shape_problems
from tabgraphsyn.errors import DataError, listing, nearest, raise_collected

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FROM_METADATA = "from the metadata"


@dataclass
class _Work:
    """What is known of the database while it is being read."""

    options: DatasetOptions
    folder: Path
    scratch: Path
    metadata_path: Path | None
    declared: Schema | None = None
    raws: dict[str, RawTable] = field(default_factory=dict)
    targets: dict[str, dict[str, Target]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    reasons: Reasons = field(default_factory=Reasons)

    def table_path(self, table: str) -> Path:
        return self.folder / "tables" / f"{table}.parquet"

    def scan(self, table: str, column: str) -> ColumnScan:
        return self.raws[table].scans[column]


def ingest_database(options: DatasetOptions, folder: Path, *, use_metadata: bool = True) -> dict[str, Any]:
    """Write ``schema.json``, ``metadata.json``, ``profile.json`` and ``tables/<t>.parquet``; return the profile.

    Nothing is left behind when anything is wrong; every problem found is in the one error.

    Args:
        use_metadata: read the metadata if there is one; otherwise types and keys are inferred in any case.

    Raises:
        DataError: the tables or the metadata break a rule, or the disk is full.
    """
    with _no_space_explained(folder), folder_written_aside(folder) as aside:
        scratch = aside / "scratch"
        scratch.mkdir()
        (aside / "tables").mkdir()
        work = _Work(options, aside, scratch, options.metadata_path if use_metadata else None)
        _read(work)
        profile = _check_and_describe(work)
        for path in sorted(scratch.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        scratch.rmdir()
    return profile


@contextmanager
def _no_space_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error) as error:
        full = isinstance(error, OSError) and error.errno in _NO_SPACE
        if not full and "No space left" not in str(error):
            raise
        raise DataError(
            f"{folder}: no space left on the disk while tables were written; nothing was kept. Free some space, or set "
            f"output_dir to a larger disk."
        ) from error


def _read(work: _Work) -> None:
    """Read every table once, decide its types, and write it in them."""
    found = find_tables(work.options)
    work.problems += found.problems
    work.reasons.notes += found.notes
    readers = {reader.name: reader for reader in found.readers}
    wanted = _read_declared(work, readers)
    for position, (name, columns) in enumerate(wanted.items()):
        _read_table(work, readers[name], columns, work.scratch / f"raw{position}.parquet")
    _drop_empty_columns(work)
    for name in work.raws:
        _decide_types(work, name)
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


def _read_declared(work: _Work, readers: dict[str, TableReader]) -> dict[str, list[str]]:
    """Read the metadata, if any, and return the columns to read of each table."""
    columns = {name: found for name, reader in readers.items() if (found := _columns(work, reader)) is not None}
    path = work.metadata_path
    if path is None:
        return columns
    only = next(iter(readers)) if len(readers) == 1 else None
    try:
        declared = read_metadata(path, only)
    except DataError as error:
        work.problems.append(str(error))
        return {}
    work.declared = _chosen_tables(declared, work.options.tables)
    wanted = {}
    for table in work.declared.tables:
        if table.name not in readers:
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


def _columns(work: _Work, reader: TableReader) -> list[str] | None:
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
    if len(names) > work.options.max_columns:
        work.problems.append(
            f"{reader.location}: {len(names)} columns, the limit is {work.options.max_columns}: memory and time grow "
            f"with the square of the columns. Keep those that matter, turn repeated ones into rows of a child table, "
            f"or raise dataset.max_columns."
        )
    return names if len(work.problems) == before else None


def _read_table(work: _Work, reader: TableReader, columns: list[str], path: Path) -> None:
    formats = {}
    if work.declared is not None:
        declared = work.declared.table(reader.name)
        formats = {column.name: column.datetime_format for column in declared.columns if column.datetime_format}
    try:
        raw = read_raw(reader, path, work.options.null_values, formats, columns)
    except DataError as error:
        work.problems.append(str(error))
        return
    empty = [name for name in columns if raw.scans[name].kind == "empty"]
    work.problems += shape_problems({raw.name: raw.rows}, {raw.name: empty}, work.options.all_null)
    work.raws[raw.name] = raw


def _drop_empty_columns(work: _Work) -> None:
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
        TableSchema(
            table.name,
            tuple(column for column in table.columns if column.name not in empty.get(table.name, set())),
            () if set(table.primary_key) & empty.get(table.name, set()) else table.primary_key,
        )
        for table in schema.tables
    )
    keys = {table.name: table.primary_key for table in tables}
    relations = tuple(
        relation
        for relation in schema.relations
        if not set(relation.child_columns) & empty.get(relation.child_table, set())
        and set(relation.parent_columns) == set(keys[relation.parent_table])
    )
    return Schema(tables, relations)


def _decide_types(work: _Work, name: str) -> None:
    targets: dict[str, Target] = {}
    for column, scan in work.raws[name].scans.items():
        if work.declared is None:
            target = natural_target(scan)
        else:
            target, problem = target_of(name, work.declared.table(name).column(column), scan)
            work.problems += [problem] if problem else []
        infinite = fraction_problem(f"{name}.{column}", scan, target)
        work.problems += [infinite] if infinite else []
        targets[column] = target
    work.targets[name] = targets


def _check_and_describe(work: _Work) -> dict[str, Any]:
    """Find or check the keys, apply the policies, and write schema, metadata and profile."""
    tables = {name: list(targets) for name, targets in work.targets.items()}
    with TableQueries(work.scratch) as queries:
        for name, columns in tables.items():
            queries.add(name, work.table_path(name), columns)
        values = _values(queries, tables)
        schema = _inferred_schema(work, queries, values) if work.declared is None else _declared_schema(work)
        if work.options.limit is not None:
            check_limit(schema, work.options.limit)
        changed = _apply_policies(work, schema, queries) | _apply_limit(work, schema, queries)
        if changed:
            values = _values(queries, tables)
            work.problems += shape_problems({name: queries.rows(name) for name in changed}, {}, "drop")
            raise_collected(DataError, work.problems)
        types = {name: {column: target.type for column, target in work.targets[name].items()} for name in tables}
        scans = {name: dict(work.raws[name].scans) for name in tables}
        sources = {name: work.raws[name].reader.location for name in tables}
        profile = profile_dict(schema, types, values, scans, sources, work.reasons, queries)
    write_json(work.folder / "schema.json", schema.to_dict())
    write_json(work.folder / "metadata.json", metadata_dict(schema))
    write_json(work.folder / "profile.json", profile)
    return profile


def _values(queries: TableQueries, tables: dict[str, list[str]]) -> dict[str, dict[str, ColumnValues]]:
    return {name: {column: queries.values(name, column) for column in columns} for name, columns in tables.items()}


def _apply_policies(work: _Work, schema: Schema, queries: TableQueries) -> set[str]:
    """Check keys and repair orphans; return the tables that changed."""
    work.problems += primary_key_problems(schema, queries)
    changed: set[str] = set()
    while True:  # rows that are dropped may leave orphans behind in their own children
        repairs, problems = check_orphans(schema, queries, work.options.orphans)
        raise_collected(DataError, work.problems + problems)
        if not repairs.drop and not repairs.nulls:
            return changed
        work.reasons.notes += repairs.notes
        for table in {*repairs.drop, *repairs.nulls}:
            keep = np.ones(queries.rows(table), dtype=bool)
            keep[repairs.drop.get(table, np.empty(0, dtype=np.int64))] = False
            rewrite(work.table_path(table), keep=keep, nulls=repairs.nulls.get(table, ()))
            changed.add(table)


def _apply_limit(work: _Work, schema: Schema, queries: TableQueries) -> set[str]:
    """Keep the part that ``dataset.limit`` asks for; return the tables that were cut."""
    limit = work.options.limit
    if limit is None:
        return set()
    cut = keep_part(schema, limit, queries)
    masks = {}
    for table in cut:
        rows = queries.execute(f"SELECT row FROM keep_{queries.view(table)}").fetchnumpy()["row"]
        masks[table] = np.zeros(queries.rows(table), dtype=bool)
        masks[table][np.asarray(rows, dtype=np.int64)] = True
    for table, mask in masks.items():
        rewrite(work.table_path(table), keep=mask)
    if cut:
        work.reasons.notes.append(f"dataset.limit: {limit.rows} rows of {limit.table} and what belongs to them.")
    return set(cut)


def _inferred_schema(work: _Work, queries: TableQueries, values: dict[str, dict[str, ColumnValues]]) -> Schema:
    shapes = {
        (name, column): queries.text_shape(name, column)
        for name, targets in work.targets.items()
        for column, target in targets.items()
        if target.type == pa.string()
    }
    facts = [
        TableFacts(
            name,
            {column: target.type for column, target in targets.items()},
            values[name],
            {column: shapes[name, column].spaced for column in targets if (name, column) in shapes},
            work.raws[name].reader.primary_key,
        )
        for name, targets in work.targets.items()
    ]
    declared = [relation for raw in work.raws.values() for relation in raw.reader.foreign_keys]
    keys = infer_keys(facts, declared, queries)
    work.reasons.primary, work.reasons.relations = keys.primary_reasons, keys.relations
    work.reasons.notes += keys.notes
    roles = {(name, column): "primary key" for name, columns in keys.primary.items() for column in columns}
    for relation, reason in keys.relations.items():
        for column in relation.child_columns:
            roles[relation.child_table, column] = f"foreign key to {relation.parent_table}: {reason}"
    tables = []
    for name, targets in work.targets.items():
        columns, reasons = [], {}
        for column, target in targets.items():
            guess, reasons[column] = infer_column(
                column,
                target.type,
                work.scan(name, column),
                values[name][column],
                shapes.get((name, column)),
                roles.get((name, column)),
            )
            columns.append(guess)
        work.reasons.columns[name] = reasons
        tables.append(TableSchema(name, tuple(columns), keys.primary[name]))
    return Schema(tuple(tables), tuple(keys.relations))


def _declared_schema(work: _Work) -> Schema:
    """Return the metadata's schema, with what it leaves open filled from the data."""
    assert work.declared is not None
    tables = []
    for table in work.declared.tables:
        columns = tuple(_completed(column, work, table.name) for column in table.columns)
        tables.append(TableSchema(table.name, columns, table.primary_key))
        work.reasons.columns[table.name] = {column.name: FROM_METADATA for column in columns}
        work.reasons.primary[table.name] = FROM_METADATA
    work.reasons.relations = dict.fromkeys(work.declared.relations, FROM_METADATA)
    return Schema(tuple(tables), work.declared.relations)


def _completed(column: Column, work: _Work, table: str) -> Column:
    if column.sdtype == "numerical" and column.computer_representation is None:
        whole = work.targets[table][column.name].type == pa.int64()
        return replace(column, computer_representation="Int64" if whole else "Float")
    if column.sdtype == "datetime" and column.datetime_format is None:
        return replace(column, datetime_format=work.targets[table][column.name].format)
    return column
