"""Limits are asked while a file is read: a small file that would fill a machine ends in a message."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.errors import ConfigError, DataError


def read(folder: Path, **options: object) -> dict[str, pa.Table]:
    out = folder.with_name("out")
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder), **options}), out)
    return {name: pq.read_table(out / "tables" / f"{name}.parquet") for name in profile["tables"]}


def _csv_bomb(path: Path) -> None:
    with gzip.open(path / "t.csv.gz", "wb", compresslevel=6) as handle:
        handle.write(b"id,v\n")
        for _ in range(100):
            handle.write(b"1,2\n" * 250_000)


def _blank_bomb(path: Path) -> None:
    with gzip.open(path / "t.csv.gz", "wb", compresslevel=6) as handle:
        handle.write(b"id,v\n1,2\n2,3\n")
        for _ in range(100):
            handle.write(b"\n" * 1_000_000)


def _excel_bomb(path: Path) -> None:
    rows = "".join(f'<row><c t="inlineStr"><is><t>{"x" * 30_000}</t></is></c></row>' for _ in range(3_000))
    _workbook(path / "t.xlsx", f"<sheetData>{rows}</sheetData>")


def _many_rows(path: Path) -> None:
    _workbook(path / "t.xlsx", f"<sheetData>{'<row/>' * 1_500_000}</sheetData>")


def _workbook(path: Path, sheet: str) -> None:
    plain = path.with_name("plain.xlsx")
    openpyxl.Workbook().save(plain)
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            is_sheet = part == "xl/worksheets/sheet1.xml"
            new.writestr(part, f"{head}{sheet}</worksheet>" if is_sheet else old.read(part))
    plain.unlink()


def _sqlite_bomb(path: Path) -> None:
    with sqlite3.connect(path / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1, 300)])
        connection.execute("ALTER TABLE t ADD COLUMN x TEXT GENERATED ALWAYS AS (hex(zeroblob(400000000)))")


def _sqlite_many(path: Path) -> None:
    with sqlite3.connect(path / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT GENERATED ALWAYS AS (hex(zeroblob(400000))))")
        connection.executemany("INSERT INTO t(id) VALUES (?)", [(n,) for n in range(1, 300)])


def _parquet_bomb(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(40_000, dtype="int32")), pa.array(["y" * 30_000]))
    pq.write_table(pa.table({"id": np.arange(40_000), "x": text}), path / "t.parquet")


def _parquet_rows(path: Path) -> None:
    pq.write_table(pa.table({"x": np.zeros(40_000_000, dtype="int64")}), path / "t.parquet", compression="zstd")


def _duckdb_bomb(path: Path) -> None:
    with duckdb.connect(str(path / "d.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS id, repeat('x', 30000) AS s FROM range(20000)")


def _wide_header(path: Path) -> None:
    (path / "t.csv").write_text(",".join(f"c{n}" for n in range(1_000_000)) + "\n")


def _long_value(path: Path) -> None:
    (path / "t.csv").write_text("id,v\n1,a\n2," + "b" * 1_500_000 + "\n")


BOMBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "csv": (_csv_bomb, "dataset.max_expansion"),
    "blank lines": (_blank_bomb, "dataset.max_expansion"),
    "excel": (_excel_bomb, "dataset.max_expansion"),
    "excel rows": (_many_rows, "more than Excel itself can"),
    "sqlite value": (_sqlite_bomb, "dataset.max_value_length"),
    "sqlite values": (_sqlite_many, "dataset.max_expansion"),
    "parquet dictionary": (_parquet_bomb, "dataset.max_expansion"),
    "parquet rows": (_parquet_rows, "dataset.max_expansion"),
    "duckdb": (_duckdb_bomb, "dataset.max_expansion"),
    "header": (_wide_header, "dataset.max_columns"),
    "value": (_long_value, "dataset.max_value_length"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_cannot_fill_a_machine(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    make, words = BOMBS[name]
    make(folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000_000
    with pytest.raises(DataError) as caught:
        read(folder)
    assert words in str(caught.value), str(caught.value)[:500]


def test_a_limit_can_be_raised(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    _long_value(folder)
    assert read(folder, max_value_length=2_000_000)["t"].num_rows == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_cells", 0), ("max_expansion", -1), ("max_table_gb", "1"), ("skip_rows", -1), ("header", "yes"),
     ("skip_footer", {"t": 1.5}), ("comment", ""), ("tables", float("inf")), ("encoding", "hex"), ("encoding", "idna"),
     ("name", ["a"]), ("max_value_length", 2.5)],
)  # fmt: skip
def test_options_outside_their_rule_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"dataset.{key}: "):
        DatasetOptions.from_mapping({"path": "x", key: value})


def test_generated_columns_of_sqlite_move_no_value(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with sqlite3.connect(folder / "d.sqlite") as connection:
        connection.executescript(
            "CREATE TABLE a(id INTEGER PRIMARY KEY, g INTEGER AS (id * 1000), x REAL);"
            "CREATE TABLE b(k TEXT PRIMARY KEY, s INTEGER AS (length(k)) STORED, y REAL) WITHOUT ROWID;"
            'CREATE TABLE "main.c"("sel""ect" INTEGER PRIMARY KEY, z REAL);'
            "CREATE VIEW v AS SELECT * FROM a;"
        )
        connection.executemany("INSERT INTO a(id, x) VALUES (?, ?)", [(n, n / 2) for n in range(1, 5)])
        connection.executemany("INSERT INTO b(k, y) VALUES (?, ?)", [("x" * n, n / 4) for n in range(1, 5)])
        connection.executemany('INSERT INTO "main.c" VALUES (?, ?)', [(n, n / 8) for n in range(1, 5)])
    tables = read(folder)
    assert tables["a"].to_pydict() == {"id": [1, 2, 3, 4], "g": [1000, 2000, 3000, 4000], "x": [0.5, 1.0, 1.5, 2.0]}
    assert tables["b"]["s"].to_pylist() == [1, 2, 3, 4] and tables["b"]["y"].to_pylist() == [0.25, 0.5, 0.75, 1.0]
    assert tables["main.c"].column_names == ['sel"ect', "z"] and set(tables) == {"a", "b", "main.c"}


def test_duckdb_reaches_nothing_outside_and_runs_no_generated_column(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with duckdb.connect(str(folder / "main.duckdb")) as connection:
        connection.execute("CREATE TABLE t(id INTEGER, g VARCHAR AS (repeat('x', 100000000)), x DOUBLE)")
        connection.execute("INSERT INTO t(id, x) VALUES (1, .5), (2, 1.0)")
        connection.execute("CREATE SCHEMA o; CREATE TABLE o.u(k INTEGER PRIMARY KEY, v DOUBLE)")
        connection.execute("INSERT INTO o.u VALUES (1, 1.5), (2, 2.5)")
    tables = read(folder)
    assert tables["t"].to_pydict() == {"id": [1, 2], "x": [0.5, 1.0]}
    assert tables["u"].column_names == ["k", "v"]


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ab\xff\xfe")]
    )
    pq.write_table(pa.table({"id": [1, 2], "s": bad}), folder / "t.parquet")
    with pytest.raises(DataError, match="not UTF-8"):
        read(folder)
