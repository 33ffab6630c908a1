"""Questions about keys and values of tables larger than memory, answered by DuckDB over the parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq

MEMORY_MB = 400
_EXACT_DISTINCT_ROWS = 1_000_000
_TEXT_ROWS = 100_000
_COLUMNS_AT_ONCE = 50


@dataclass(frozen=True)
class ColumnValues:
    """Counts and bounds of one column."""

    rows: int
    nulls: int
    distinct: int
    minimum: Any
    maximum: Any


_WORD = r"\p{{L}}\p{{L}}\p{{Ll}}|\p{{L}}\p{{Ll}}\p{{L}}|\p{{Ll}}\p{{L}}\p{{L}}|\p{{L}}{{7}}"
_CODED = (
    "(length({0}) <= 40 AND (regexp_matches({0}, '[0-9]') OR length({0}) <= 6) AND "
    f"(NOT regexp_matches({{0}}, '{_WORD}') OR regexp_full_match({{0}}, '([^ ]*[0-9])?[^ ]*') AND "
    "regexp_matches({0}, '[0-9]') AND NOT regexp_matches({0}, '\\p{{L}}{{5}}')))"
)
"""Short, with a digit or in a few letters, and without a word: 'PG 94 92 68 C', 'Nr. 12', '3.0.20', 'x7f-22'."""


@dataclass(frozen=True)
class TextShape:
    """How the text of a column looks, as shares of the values in its first 100,000 rows."""

    mean_length: float
    spaced: float
    email: float
    uuid: float
    url: float
    phone: float
    coded: float


class TableQueries:
    """A DuckDB connection that sees each table as a view; columns by position, rows by number.

    DuckDB folds the case of names, so that ``A`` and ``a`` would be one column: views have c0, c1, ... instead.
    """

    def __init__(self, scratch: Path, memory_mb: int = MEMORY_MB) -> None:
        self._connection = duckdb.connect(
            ":memory:", config={"memory_limit": f"{memory_mb}MB", "temp_directory": str(scratch / "duckdb")}
        )
        # In a notebook without ipywidgets DuckDB has no progress bar, and cannot be told to show none.
        with suppress(duckdb.InvalidInputException):
            self._connection.execute("SET enable_progress_bar = false")
        self._views: dict[str, str] = {}
        self._paths: dict[str, Path] = {}
        self._places: dict[str, dict[str, int]] = {}

    def __enter__(self) -> TableQueries:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, table: str, path: Path, columns: Sequence[str]) -> None:
        """Make (or replace) the view of a table."""
        view = self._views.setdefault(table, f"t{len(self._views)}")
        self._places[table] = {column: place for place, column in enumerate(columns)}
        names = ", ".join([*(f"c{position}" for position in range(len(columns))), "row"])
        self._connection.execute(
            f"CREATE OR REPLACE VIEW {view} AS "
            f"SELECT * FROM read_parquet({_literal_path(path)}, file_row_number = true) AS t({names})"
        )
        self._paths[table] = path

    def rows(self, table: str) -> int:
        """Return the number of rows, as the file says now."""
        return pq.read_metadata(self._paths[table]).num_rows

    def values(self, table: str, columns: Sequence[str]) -> dict[str, ColumnValues]:
        """Return counts and bounds by column; distinct is exact up to a million rows and within some per cent beyond.

        Many columns go into one query: each query reads what the file says about all of them.
        """
        rows = self.rows(table)
        distinct = "count(DISTINCT {0})" if rows <= _EXACT_DISTINCT_ROWS else "approx_count_distinct({0})"
        found = self._aggregates(table, columns, ("count({0})", distinct, "min({0})", "max({0})"), self._views[table])
        return {
            column: ColumnValues(rows, rows - filled, different, low, high)
            for column, (filled, different, low, high) in found.items()
        }

    def text_shapes(self, table: str, columns: Sequence[str]) -> dict[str, TextShape]:
        """Return how the first texts of some columns look."""
        shapes = (
            "avg(length({0}))",
            "avg(({0} LIKE '% %')::INT)",
            "avg(regexp_full_match({0}, '[^@ ]+@[^@ ]+[.][a-zA-Z]+')::INT)",
            "avg(regexp_full_match({0}, '[0-9a-fA-F]{{8}}-([0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}')::INT)",
            "avg(({0} LIKE 'http%://%')::INT)",
            "avg(regexp_full_match({0}, '[+]?[0-9() .-]{{7,18}}')::INT)",
            f"avg({_CODED}::INT)",
        )
        found = self._aggregates(table, columns, shapes, f"{self._views[table]} WHERE row < {_TEXT_ROWS}")
        return {column: TextShape(*(value or 0.0 for value in row)) for column, row in found.items()}

    def _aggregates(
        self, table: str, columns: Sequence[str], wanted: Sequence[str], source: str
    ) -> dict[str, tuple[Any, ...]]:
        """Return by column what ``wanted`` (SQL in which ``{0}`` is the column) gives."""
        found: dict[str, tuple[Any, ...]] = {}
        for start in range(0, len(columns), _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            parts = [each.format(self._column(table, column)) for column in some for each in wanted]
            row = self._one(f"SELECT {', '.join(parts)} FROM {source}")
            found |= {name: row[n * len(wanted) : (n + 1) * len(wanted)] for n, name in enumerate(some)}
        return found

    def null_rows(self, table: str, columns: Sequence[str]) -> int:
        """Return in how many rows one of the columns is null."""
        return self._one(f"SELECT count(*) FROM {self._views[table]} WHERE NOT {self._filled(table, columns)}")[0]

    def duplicates(self, table: str, columns: Sequence[str]) -> tuple[int, list[Any]]:
        """Return how many keys stand in more than one row, and up to ten of them (in order of the key)."""
        keys = ", ".join(self._column(table, column) for column in columns)
        grouped = (
            f"SELECT {keys} FROM {self._views[table]} WHERE {self._filled(table, columns)} "
            f"GROUP BY ALL HAVING count(*) > 1"
        )
        count = self._one(f"SELECT count(*) FROM ({grouped})")[0]
        found = self._connection.execute(f"{grouped} ORDER BY ALL LIMIT 10").fetchall() if count else []
        return count, [row[0] if len(row) == 1 else row for row in found]

    def is_unique(self, table: str, columns: Sequence[str]) -> bool:
        """Return whether no two rows agree on the columns and none of them is null."""
        return self.null_rows(table, columns) == 0 and self.duplicates(table, columns)[0] == 0

    def is_numbered(self, table: str, family: str, number: str, least: float = 0.9) -> bool:
        """Return whether a column counts the rows of each family from one start, in so large a share of the rows."""
        group, value = self._column(table, family), self._column(table, number)
        share, most = self._one(
            f"WITH f AS (SELECT count(*) AS n, min({value}) AS low, max({value}) AS high FROM {self._views[table]} "
            f"WHERE {self._filled(table, [family, number])} GROUP BY {group}), s AS (SELECT mode(low) AS start FROM f) "
            f"SELECT sum(CASE WHEN low = start AND high - low + 1 = n THEN n ELSE 0 END) / sum(n), max(n) FROM f, s"
        )
        return share is not None and share >= least and most > 1

    def shared_rows(self, table: str, column: str, least: int) -> float:
        """Return the share of a column's filled rows whose value stands in at least so many rows, 1 where none is."""
        name = self._column(table, column)
        shared, filled = self._one(
            f"SELECT coalesce(sum(n) FILTER (n >= {least}), 0), coalesce(sum(n), 0) FROM "
            f"(SELECT count(*) AS n FROM {self._views[table]} WHERE {name} IS NOT NULL GROUP BY {name})"
        )
        return float(shared) / float(filled) if filled else 1.0

    def some_values(self, table: str, column: str, most: int = 5_000) -> list[str]:
        """Return distinct values of a column as text, at most so many."""
        name = self._column(table, column)
        found = self._connection.execute(
            f"SELECT DISTINCT {name}::VARCHAR FROM {self._views[table]} WHERE {name} IS NOT NULL LIMIT {most}"
        ).fetchall()
        return [row[0] for row in found]

    def orphan_rows(self, child: str, columns: Sequence[str], parent: str, keys: Sequence[str]) -> np.ndarray:
        """Return the numbers of child rows whose key is complete and matches no parent, ascending.

        Shape:
            (orphans,) int64.
        """
        match = " AND ".join(
            f"p.{self._column(parent, key)} = c.{self._column(child, column)}"
            for column, key in zip(columns, keys, strict=True)
        )
        found = self._connection.execute(
            f"SELECT row FROM {self._views[child]} c WHERE {self._filled(child, columns)} "
            f"AND NOT EXISTS (SELECT 1 FROM {self._views[parent]} p WHERE {match}) ORDER BY row"
        ).fetchnumpy()
        return np.asarray(found["row"], dtype=np.int64)

    def examples(self, table: str, columns: Sequence[str], rows: np.ndarray) -> list[Any]:
        """Return the distinct values of some columns in the first few of ``rows``, (rows,) int64."""
        wanted = ", ".join(str(int(row)) for row in rows[:1000])
        keys = ", ".join(self._column(table, column) for column in columns)
        found = self._connection.execute(
            f"SELECT {keys} FROM {self._views[table]} WHERE row IN ({wanted}) GROUP BY ALL ORDER BY min(row) LIMIT 10"
        ).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def inclusion(
        self, child: str, columns: Sequence[str], parent: str, keys: Sequence[str], *, is_loose: bool = False
    ) -> tuple[int, int]:
        """Return how many distinct keys the child has, and how many of them the parent has.

        ``is_loose`` leaves case, and spaces around texts, aside.
        """
        form = "lower(trim({}))" if is_loose else "{}"
        child_keys = ", ".join(form.format(self._column(child, column)) for column in columns)
        parent_keys = ", ".join(form.format(self._column(parent, key)) for key in keys)
        names = ", ".join(f"k{position}" for position in range(len(columns)))
        total, matched = self._one(
            f"WITH c({names}) AS (SELECT DISTINCT {child_keys} FROM {self._views[child]} "
            f"WHERE {self._filled(child, columns)}), "
            f"p({names}) AS (SELECT DISTINCT {parent_keys} FROM {self._views[parent]}) "
            f"SELECT (SELECT count(*) FROM c), (SELECT count(*) FROM c SEMI JOIN p USING ({names}))"
        )
        return total, matched

    def children(self, child: str, columns: Sequence[str], parent: str) -> tuple[float, int, float]:
        """Return mean and largest number of children per parent, and the share of parents without any."""
        keys = ", ".join(self._column(child, column) for column in columns)
        parents = self.rows(parent)
        with_children, rows, most = self._one(
            f"SELECT count(*), coalesce(sum(n), 0), coalesce(max(n), 0) FROM (SELECT count(*) AS n "
            f"FROM {self._views[child]} WHERE {self._filled(child, columns)} GROUP BY {keys})"
        )
        return float(rows) / max(parents, 1), int(most), 1 - with_children / max(parents, 1)

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Run SQL over the views (see ``view`` and ``column_name``)."""
        return self._connection.execute(sql)

    def view(self, table: str) -> str:
        """Return the name of a table's view."""
        return self._views[table]

    def column_name(self, table: str, column: str) -> str:
        """Return the name of a column in its view."""
        return self._column(table, column)

    def _column(self, table: str, column: str) -> str:
        return f"c{self._places[table][column]}"

    def _filled(self, table: str, columns: Sequence[str]) -> str:
        return "(" + " AND ".join(f"{self._column(table, column)} IS NOT NULL" for column in columns) + ")"

    def _one(self, sql: str) -> tuple[Any, ...]:
        row = self._connection.execute(sql).fetchone()
        assert row is not None, sql
        return row


def _literal_path(path: Path) -> str:
    # DuckDB reads * ? [ in a path as a pattern; an output folder may well be called "seed=[0]".
    escaped = "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
    return "'" + escaped.replace("'", "''") + "'"
