"""SQLite files: their tables, with the keys they declare."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import ReadLimits, metered
from tabgraphsyn.data.reading.cells import bounded_blocks, text_batch
from tabgraphsyn.data.reading.names import quoted
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError, listing

# What PRAGMA table_xinfo says in "hidden": 1 is no column to read (virtual tables), 2 and 3 are generated ones.
_NO_COLUMN = 1
_COMPUTED = 2
_COMPUTING_S = 30.0
_STEPS_BETWEEN = 100_000


@dataclass(frozen=True, kw_only=True)
class SqliteTable(TableReader):
    """One table of a SQLite file. SQLite types values, not columns, so values come as text."""

    as_written = True

    @property
    def location(self) -> str:
        """File and table."""
        return f"{self.path.name}: {self.name}"

    def columns(self) -> list[str]:
        """Return the names of all columns, generated ones too."""
        with closing(_connected(self.path, self.options.limits)) as connection:
            try:
                return [name for name, _ in _columns(connection, self.name)]
            except sqlite3.Error as error:
                raise self._unreadable(error) from error

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as text, every column by its name."""
        yield from metered(self._batches(), self.meter)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with closing(_connected(self.path, self.options.limits)) as connection:
            try:
                columns = _columns(connection, self.name)
                names = [name for name, _ in columns]
                if any(hidden == _COMPUTED for _, hidden in columns):
                    self._ask_what_is_computed(connection, names)
                wanted = ", ".join(map(quoted, names))
                rows = connection.execute(f"SELECT {wanted} FROM main.{quoted(self.name)}")
                for block in bounded_blocks(rows):
                    yield text_batch(names, block, self.location)
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                raise self._unreadable(error) from error

    def _ask_what_is_computed(self, connection: sqlite3.Connection, names: list[str]) -> None:
        """Raise where columns that the file computes are too large or take too long, before any row is kept."""
        started = time.monotonic()
        connection.set_progress_handler(lambda: time.monotonic() - started > _COMPUTING_S, _STEPS_BETWEEN)
        lengths = " + ".join(f"coalesce(length({quoted(name)}), 0)" for name in names)
        trial = self.meter
        try:
            for (length,) in connection.execute(f"SELECT {lengths} FROM main.{quoted(self.name)}"):
                trial.add(length)
                if time.monotonic() - started > _COMPUTING_S:
                    raise sqlite3.OperationalError("interrupted")
        finally:
            connection.set_progress_handler(None, 0)

    def _unreadable(self, error: Exception) -> DataError:
        text, letters = str(error), self.options.limits.max_value_length
        if "too big" in text:
            return DataError(
                f"{self.location}: a value of over {letters:,} letters. Shorten it, remove the column, or raise "
                f"dataset.max_value_length."
            )
        if text == "interrupted":
            return DataError(
                f"{self.location}: its generated columns take over {_COMPUTING_S:.0f} s to compute. Write them as "
                f"stored columns, or choose other tables in dataset.tables."
            )
        if isinstance(error, UnicodeError) or "decode" in text:
            return DataError(f"{self.location}: text that is not UTF-8 ({text[:200]}). Mend the value.")
        return DataError(f"{self.location}: cannot be read: {text[:300]}. Mend the file, or choose other tables.")


def sqlite_tables(path: Path, options: DatasetOptions) -> list[SqliteTable]:
    """Return the tables of a SQLite file.

    Raises:
        DataError: it is damaged.
    """
    try:
        with closing(_connected(path, options.limits)) as connection:
            found = connection.execute(
                "SELECT name, type FROM main.sqlite_master WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
            ).fetchall()
            names = [name for name, kind in found if kind == "table"]
            views = [name for name, kind in found if kind == "view"]
            primary = {name: _primary_key(connection, name) for name in names}
            note = (
                f"{path.name}: views are no tables and were passed over: {listing(views)}. Write one as a table "
                f"(CREATE TABLE ... AS SELECT) to use it."
            )
            return [
                SqliteTable(
                    name=name,
                    path=path,
                    options=options,
                    primary_key=primary[name],
                    foreign_keys=_foreign_keys(connection, name, primary),
                    passed_over=(note,) if views and name == names[0] else (),
                )
                for name in names
            ]
    except (sqlite3.Error, UnicodeError) as error:
        raise DataError(f"{path.name}: cannot be read as a SQLite database: {str(error)[:300]}") from error


def _connected(path: Path, limits: ReadLimits) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    # Letters take up to four bytes. The limit holds for what expressions make on the way, too.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(min(4 * limits.max_value_length, 2**31 - 1), 1 << 20))
    connection.execute("PRAGMA trusted_schema = OFF")  # functions of the file's own schema have no side effects
    connection.execute("PRAGMA query_only = ON")
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, int]]:
    rows = connection.execute(f"PRAGMA main.table_xinfo({quoted(table)})").fetchall()
    return [(row[1], row[6]) for row in rows if row[6] != _NO_COLUMN]


def _primary_key(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    info = connection.execute(f"PRAGMA main.table_xinfo({quoted(table)})").fetchall()
    return tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5] > 0)


def _foreign_keys(
    connection: sqlite3.Connection, table: str, primary: dict[str, tuple[str, ...]]
) -> tuple[Relation, ...]:
    rows = connection.execute(f"PRAGMA main.foreign_key_list({quoted(table)})").fetchall()
    by_folded = {name.casefold(): name for name in primary}
    columns = {name.casefold(): name for name, _ in _columns(connection, table)}
    keys: dict[int, list[tuple[int, str, str, str | None]]] = {}
    for key, position, parent, child_column, parent_column, *_ in rows:
        # SQLite folds the case of names: REFERENCES Customers(ID) may mean customers(id).
        parent = by_folded.get(parent.casefold(), parent)
        keys.setdefault(key, []).append(
            (position, parent, columns.get(child_column.casefold(), child_column), parent_column)
        )
    relations = []
    for parts in keys.values():
        ordered = sorted(parts, key=lambda part: part[0])
        parent = ordered[0][1]
        own = {name.casefold(): name for name, _ in _columns(connection, parent)} if parent in primary else {}
        implied = primary.get(parent, ())  # REFERENCES parent, without columns, means its primary key
        parent_columns = tuple(
            own.get(part[3].casefold(), part[3]) if part[3] else (implied[position] if position < len(implied) else "")
            for position, part in enumerate(ordered)
        )
        relations.append(Relation(table, tuple(part[2] for part in ordered), parent, parent_columns))
    return tuple(sorted(relations, key=lambda relation: relation.child_columns))
