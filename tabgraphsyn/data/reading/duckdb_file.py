"""DuckDB files: their tables, with the keys they declare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import BATCH_BYTES, metered
from tabgraphsyn.data.reading.names import quoted
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS, TableReader
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError, listing

# A stranger's file may hold SQL; it reaches neither files nor the network nor other code.
_CLOSED = {
    "memory_limit": "400MB",
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "lock_configuration": "true",
}
_CHUNK_ROWS = 2048  # DuckDB computes so many rows at a time, whatever is asked for


@dataclass(frozen=True, kw_only=True)
class DuckdbTable(TableReader):
    """One table of a DuckDB file.

    Attributes:
        names: its stored columns. Generated ones are code of the file, not data in it, and are left out.
        texts: those of them that hold text.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...] = ()
    schema_name: str = "main"

    @property
    def location(self) -> str:
        """File and table."""
        return f"{self.path.name}: {self.name}"

    def columns(self) -> list[str]:
        """Return the names of the stored columns."""
        return list(self.names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from metered(self._batches(), self.meter)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with closing(_connected(self.path)) as connection:
            try:
                place = _place(connection, self.schema_name, self.name)
                rows, width = self._asked(connection, place)
                select = f"SELECT {', '.join(map(quoted, self.names))} FROM {place}"
                if width * _CHUNK_ROWS <= 8 * BATCH_BYTES:
                    yield from connection.sql(select).to_arrow_reader(
                        max(_CHUNK_ROWS, min(BATCH_ROWS, BATCH_BYTES // max(width, 1)))
                    )
                    return
                step = max(1, BATCH_BYTES // width)
                for start in range(0, rows, step):  # rows of very long texts
                    yield from connection.sql(
                        f"{select} WHERE rowid >= {start} AND rowid < {start + step}"
                    ).to_arrow_reader(_CHUNK_ROWS)
            except (duckdb.Error, pa.ArrowException) as error:
                raise DataError(f"{self.location}: cannot be read: {str(error)[:300]}") from error

    def _asked(self, connection: duckdb.DuckDBPyConnection, place: str) -> tuple[int, int]:
        """Return the largest row number and the most bytes of a row; texts are measured before they are read."""
        ((rows,),) = connection.execute(f"SELECT coalesce(max(rowid), -1) + 1 FROM {place}").fetchall()
        width = 8 * len(self.names)
        trial = self.meter
        trial.add(rows * width, rows * len(self.names))
        for name in self.texts:
            column = quoted(name)
            ((longest, most_bytes, total),) = connection.execute(
                f"SELECT coalesce(max(length({column})), 0), coalesce(max(strlen({column})), 0), "
                f"coalesce(sum(strlen({column})), 0) FROM {place}"
            ).fetchall()
            trial.value(name, longest)
            trial.add(int(total))
            width += most_bytes
        return rows, width


def duckdb_tables(path: Path, options: DatasetOptions) -> list[DuckdbTable]:
    """Return the tables of a DuckDB file, of all its schemas.

    Raises:
        DataError: it is damaged, or of another version.
    """
    try:
        with closing(_connected(path)) as connection:
            columns = connection.execute(
                "SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.is_generated = 'ALWAYS' "
                "FROM information_schema.columns c JOIN duckdb_tables() t "
                "ON t.schema_name = c.table_schema AND t.table_name = c.table_name "
                "AND t.database_name = c.table_catalog "
                "WHERE NOT t.internal AND c.table_catalog = current_database() ORDER BY 1, 2, c.ordinal_position"
            ).fetchall()
            constraints = connection.execute(
                "SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, "
                "referenced_column_names FROM duckdb_constraints() WHERE database_name = current_database() "
                "ORDER BY constraint_index"
            ).fetchall()
    except duckdb.Error as error:
        raise DataError(f"{path.name}: cannot be read as a DuckDB database: {str(error)[:300]}") from error
    primary = {(row[0], row[1]): tuple(row[3]) for row in constraints if row[2] == "PRIMARY KEY"}
    foreign: dict[tuple[str, str], list[Relation]] = {}
    for schema, table, kind, own, parent, parent_columns in constraints:
        if kind == "FOREIGN KEY":
            foreign.setdefault((schema, table), []).append(Relation(table, tuple(own), parent, tuple(parent_columns)))
    return [
        _table(path, options, key, columns, primary.get(key, ()), tuple(foreign.get(key, ())))
        for key in dict.fromkeys((row[0], row[1]) for row in columns)
    ]


def _table(
    path: Path,
    options: DatasetOptions,
    key: tuple[str, str],
    columns: list[tuple[str, str, str, str, bool]],
    primary: tuple[str, ...],
    foreign: tuple[Relation, ...],
) -> DuckdbTable:
    own = [row for row in columns if (row[0], row[1]) == key]
    generated = [row[2] for row in own if row[4]]
    stored = tuple(row[2] for row in own if not row[4])
    note = (
        f"{path.name}: {key[1]}: generated columns are code of the file, not data in it, and were left out: "
        f"{listing(generated)}. Store them (CREATE TABLE ... AS SELECT) to use them."
    )
    return DuckdbTable(
        name=key[1],
        path=path,
        options=options,
        names=stored,
        texts=tuple(row[2] for row in own if row[3] == "VARCHAR" and not row[4]),
        schema_name=key[0],
        primary_key=primary if set(primary) <= set(stored) else (),
        foreign_keys=foreign,
        passed_over=(note,) if generated else (),
    )


def _place(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> str:
    """Return a table's full name: a file called main.duckdb has a database and a schema of one name."""
    ((database,),) = connection.execute("SELECT current_database()").fetchall()
    return f"{quoted(database)}.{quoted(schema)}.{quoted(table)}"


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=True, config=_CLOSED)  # type: ignore[arg-type]
