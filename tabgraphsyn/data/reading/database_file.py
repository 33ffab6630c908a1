"""SQLite and DuckDB files: the first bytes tell which it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.duckdb_file import duckdb_tables
from tabgraphsyn.data.reading.sqlite_file import sqlite_tables
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.errors import DataError


def database_tables(path: Path, options: DatasetOptions) -> Sequence[TableReader]:
    """Return the tables of a SQLite or DuckDB file.

    Raises:
        DataError: the file is neither.
    """
    with path.open("rb") as handle:
        head = handle.read(16)
    if head.startswith(b"SQLite format 3\x00"):
        return sqlite_tables(path, options)
    if head[8:12] == b"DUCK":
        return duckdb_tables(path, options)
    raise DataError(f"{path.name}: neither a SQLite nor a DuckDB database. Give it the suffix of its format.")
