"""SQLite and DuckDB files: their tables, with the keys they declare."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.cells import text_batch
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError


def quoted(name: str) -> str:
    """Return an SQL identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def database_tables(path: Path, options: DatasetOptions) -> list[SqliteTable] | list[DuckdbTable]:
    """Return the tables of a SQLite or DuckDB file; the first bytes tell which it is.

    Raises:
        DataError: the file is neither.
    """
    with path.open("rb") as handle:
        head = handle.read(16)
    if head.startswith(b"SQLite format 3\x00"):
        return _sqlite_tables(path)
    if head[8:12] == b"DUCK":
        return _duckdb_tables(path)
    raise DataError(f"{path.name}: neither a SQLite nor a DuckDB database. Give it the suffix of its format.")


@dataclass(frozen=True)
class SqliteTable:
    """One table of a SQLite file. SQLite types values, not columns, so values come as text."""

    name: str
    path: Path
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()
    as_written: bool = True
    has_null_words: bool = False
    has_decimal_comma: bool = False

    @property
    def location(self) -> str:
        """File and table."""
        return f"{self.path.name}: {self.name}"

    def columns(self) -> list[str]:
        """Return the column names."""
        with closing(_sqlite(self.path)) as connection:
            return [row[1] for row in connection.execute(f"PRAGMA table_info({quoted(self.name)})")]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as text."""
        names = self.columns()
        with closing(_sqlite(self.path)) as connection:
            try:
                cursor = connection.execute(f"SELECT * FROM {quoted(self.name)}")
                while rows := cursor.fetchmany(BATCH_ROWS):
                    yield text_batch(names, rows, self.location)
            except sqlite3.Error as error:
                raise DataError(f"{self.location}: cannot be read: {error}") from error


@dataclass(frozen=True)
class DuckdbTable:
    """One table of a DuckDB file."""

    name: str
    path: Path
    schema_name: str = "main"
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()
    as_written: bool = False
    has_null_words: bool = False
    has_decimal_comma: bool = False

    @property
    def location(self) -> str:
        """File and table."""
        return f"{self.path.name}: {self.name}"

    @property
    def _select(self) -> str:
        return f"SELECT * FROM {quoted(self.schema_name)}.{quoted(self.name)}"

    def columns(self) -> list[str]:
        """Return the column names."""
        with closing(_duckdb(self.path)) as connection:
            return [row[0] for row in connection.execute(f"DESCRIBE {self._select}").fetchall()]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        with closing(_duckdb(self.path)) as connection:
            try:
                yield from connection.sql(self._select).to_arrow_reader(BATCH_ROWS)
            except (duckdb.Error, pa.ArrowException) as error:
                raise DataError(f"{self.location}: cannot be read: {error}") from error


def _sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _duckdb(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=True, config={"memory_limit": "500MB"})


def _sqlite_tables(path: Path) -> list[SqliteTable]:
    try:
        with closing(_sqlite(path)) as connection:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                )
            ]
            primary = {name: _sqlite_primary_key(connection, name) for name in names}
            return [
                SqliteTable(name, path, primary[name], _sqlite_foreign_keys(connection, name, primary))
                for name in names
            ]
    except sqlite3.Error as error:
        raise DataError(f"{path.name}: cannot be read as a SQLite database: {error}") from error


def _sqlite_primary_key(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    info = connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    return tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5] > 0)


def _sqlite_foreign_keys(
    connection: sqlite3.Connection, table: str, primary: dict[str, tuple[str, ...]]
) -> tuple[Relation, ...]:
    rows = connection.execute(f"PRAGMA foreign_key_list({quoted(table)})").fetchall()
    keys: dict[int, list[tuple[int, str, str, str | None]]] = {}
    for key, position, parent, child_column, parent_column, *_ in rows:
        keys.setdefault(key, []).append((position, parent, child_column, parent_column))
    relations = []
    for parts in keys.values():
        ordered = sorted(parts)
        parent = ordered[0][1]
        implied = primary.get(parent, ())  # REFERENCES parent, without columns, means its primary key
        parent_columns = tuple(
            part[3] or (implied[position] if position < len(implied) else "") for position, part in enumerate(ordered)
        )
        relations.append(Relation(table, tuple(part[2] for part in ordered), parent, parent_columns))
    return tuple(sorted(relations, key=lambda relation: relation.child_columns))


def _duckdb_tables(path: Path) -> list[DuckdbTable]:
    try:
        with closing(_duckdb(path)) as connection:
            names = connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
            ).fetchall()
            constraints = connection.execute(
                "SELECT table_name, constraint_type, constraint_column_names, referenced_table, "
                "referenced_column_names FROM duckdb_constraints() ORDER BY constraint_index"
            ).fetchall()
    except duckdb.Error as error:
        raise DataError(f"{path.name}: cannot be read as a DuckDB database: {error}") from error
    primary = {row[0]: tuple(row[2]) for row in constraints if row[1] == "PRIMARY KEY"}
    foreign: dict[str, list[Relation]] = {}
    for table, kind, columns, parent, parent_columns in constraints:
        if kind == "FOREIGN KEY":
            foreign.setdefault(table, []).append(Relation(table, tuple(columns), parent, tuple(parent_columns)))
    return [
        DuckdbTable(name, path, schema_name, primary.get(name, ()), tuple(foreign.get(name, ())))
        for schema_name, name in names
    ]
