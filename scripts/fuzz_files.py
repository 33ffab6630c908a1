"""Targets ``files`` and ``metadata`` of ``fuzz.py``: data files of every format, and SDV metadata, changed."""

from __future__ import annotations

import copy
import gzip
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
from fuzz import Try

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.metadata import metadata_dict, parse_metadata, read_metadata
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Database, Schema

CUSTOMERS = pd.DataFrame(
    {
        "customer_id": range(1, 21),
        "name": [f"n{n % 7}" for n in range(20)],
        "born": pd.date_range("2000-01-01", periods=20),
    }
)
ORDERS = pd.DataFrame(
    {
        "order_id": [f"O-{n:03d}" for n in range(60)],
        "customer_id": [n % 20 + 1 for n in range(60)],
        "amount": [n * 1.25 for n in range(60)],
        "is_paid": [n % 3 == 0 for n in range(60)],
    }
)
TABLES = {"customers": CUSTOMERS, "orders": ORDERS}
METADATA: dict[str, Any] = {
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
    "tables": {
        "customers": {
            "primary_key": "customer_id",
            "columns": {
                "customer_id": {"sdtype": "id", "regex_format": "[0-9]{1,3}"},
                "name": {"sdtype": "categorical"},
                "born": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
            },
        },
        "orders": {
            "primary_key": "order_id",
            "columns": {
                "order_id": {"sdtype": "id", "regex_format": "O-[0-9]{3}"},
                "customer_id": {"sdtype": "id"},
                "amount": {"sdtype": "numerical", "computer_representation": "Float"},
                "is_paid": {"sdtype": "boolean"},
            },
        },
    },
    "relationships": [
        {
            "parent_table_name": "customers",
            "child_table_name": "orders",
            "parent_primary_key": "customer_id",
            "child_foreign_key": "customer_id",
        }
    ],
}
BITS = (
    *(
        b"\x00",
        b"\xff",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\n",
        b"\r",
        b"\r\n",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"|",
        b"\\",
    ),
    *(
        b"inf",
        b"-inf",
        b"nan",
        b"NULL",
        b"1e400",
        b"-1e308",
        b"9" * 40,
        b"0x1F",
        b"1,5",
        b"1.037.752,5",
        b"=cmd|1",
        b"\x1b]0;x\x07",
    ),
    *(
        b"\xed\xa0\x80",
        "é".encode(),
        "日本".encode(),
        "\u202e".encode(),
        b"# comment\n",
        b"sep=;\n",
        b"Total,,3\n",
        b"a" * 5_000,
    ),
    *(b"2024-02-30", b"0000-00-00", b"294247-01-10", b"[1,2]", b'{"a":1}', b"true", b",,,,,,\n", b'"' * 9, b"\n" * 50),
)
NASTY: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        1e300,
        "",
        " ",
        "id",
        "numerical",
        "categorical",
        "datetime",
        "boolean",
        "text",
        "unknown",
    ),
    *(
        "email",
        "x",
        "../../evil",
        "\ud800",
        "\x00",
        "[",
        "(?=x)a",
        "[a-z]{60000}{60000}",
        "(a*)*",
        "%Y%m",
        "%",
        "%Q",
        "x" * 3_000,
    ),
    *(
        [],
        {},
        [[]],
        ["customer_id", "name"],
        ["customer_id", "customer_id"],
        {"sdtype": "id"},
        {"sdtype": []},
        [None],
        "orders",
    ),
    *(
        "customers",
        "Int64",
        "Float",
        "MULTI_TABLE_V1",
        "(" * 3_000,
        "[\ud800-\udfff]",
        "[\x00-\U0010ffff]",
        "a{99999999999}",
    ),
)


def prepare_files(folder: Path) -> Callable[[random.Random], Try]:
    """Return the maker of tries with a changed data file."""
    makers = (_csv, _csv, _csv, _gzip, _parquet, _excel, _sqlite, _duckdb)
    good = folder / "good"
    for maker in makers:
        place = good / maker.__name__
        if not place.exists():
            place.mkdir(parents=True)
            maker(place)

    def make(rng: random.Random) -> Try:
        place = folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(good / rng.choice(makers).__name__, place / "data")
        file = rng.choice(sorted((place / "data").iterdir()))
        words = f"{file.name}: " + "; ".join(_mutated(file, rng) for _ in range(rng.choice((1, 1, 1, 2, 4))))
        if rng.random() < 0.3:
            (place / "data" / "metadata.json").write_text(json.dumps(METADATA))
        options = {"path": str(place / "data"), "orphans": rng.choice(("error", "null", "drop"))}
        if rng.random() < 0.15:
            key = rng.choice(
                ("skip_rows", "skip_after_header", "skip_footer", "header", "comment", "encoding", "delimiter")
            )
            options[key] = rng.choice((0, 1, 3, True, False, "#", "utf-16", "latin-1", ";", {"orders": 2}))
            words += f"; {key}={options[key]!r}"
        return Try(words, lambda: _ingested(place, options))

    return make


def prepare_metadata(folder: Path) -> Callable[[random.Random], Try]:
    """Return the maker of tries with changed metadata beside good files."""
    _csv(folder)

    def make(rng: random.Random) -> Try:
        place = folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        (place / "data").mkdir(parents=True)
        for name in TABLES:
            shutil.copy(folder / f"{name}.csv", place / "data")
        raw = json.loads(json.dumps(METADATA))
        words = "; ".join(_changed(raw, rng) for _ in range(rng.choice((1, 1, 2, 3))))
        text = json.dumps(raw).encode()
        if rng.random() < 0.2:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(BITS) + text[at + rng.choice((0, 1, 7)) :]
            words += f"; bytes at {at}"
        (place / "data" / "metadata.json").write_bytes(text)
        # Reading tables takes most of the time: most tries only go where the metadata itself is judged.
        if rng.random() < 0.8:
            return Try(words, lambda: _parsed(place / "data" / "metadata.json"))
        return Try(words, lambda: _ingested(place, {"path": str(place / "data"), "orphans": "null"}))

    return make


def _parsed(path: Path) -> str | None:
    schema = read_metadata(path)
    again = parse_metadata(json.dumps(metadata_dict(schema)).encode(), "again")
    return None if again.table_names == schema.table_names else "written and read again, it names other tables"


def _ingested(place: Path, options: dict[str, Any]) -> str | None:
    """Ingest, and hold what was written against its own schema."""
    out = place / "out"
    profile = ingest_database(DatasetOptions.from_mapping(options), out)
    schema = Schema.from_dict(json.loads((out / "schema.json").read_text(encoding="utf-8")))
    database = Database.open(schema, out / "tables")
    for table in schema.tables:
        rows = database[table.name].read()
        if rows.column_names != [column.name for column in table.columns]:
            return f"{table.name}: columns {rows.column_names} are not those of the schema"
        if rows.num_rows != profile["tables"][table.name]["rows"]:
            return f"{table.name}: {rows.num_rows} rows, the profile says otherwise"
    return None


def _csv(place: Path) -> None:
    for name, table in TABLES.items():
        table.to_csv(place / f"{name}.csv", index=False)


def _gzip(place: Path) -> None:
    for name, table in TABLES.items():
        (place / f"{name}.csv.gz").write_bytes(gzip.compress(table.to_csv(index=False).encode()))


def _parquet(place: Path) -> None:
    for name, table in TABLES.items():
        table.to_parquet(place / f"{name}.parquet")


def _excel(place: Path) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in TABLES.items():
        sheet = book.create_sheet(name)
        sheet.append(list(table.columns))
        for row in table.itertuples(index=False):
            sheet.append([value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in row])
    book.save(place / "shop.xlsx")


def _sqlite(place: Path) -> None:
    with sqlite3.connect(place / "shop.sqlite") as connection:
        for name, table in TABLES.items():
            table.to_sql(name, connection, index=False)


def _duckdb(place: Path) -> None:
    with duckdb.connect(str(place / "shop.duckdb")) as connection:
        for name, table in TABLES.items():
            connection.register("frame", table)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")


def _mutated(file: Path, rng: random.Random) -> str:
    """Change the bytes of a file; texts at places between fields and lines too."""
    data = file.read_bytes()
    at = rng.randrange(len(data)) if data else 0
    kind = rng.choice(("insert", "insert", "replace", "cut", "flip", "truncate", "double", "empty"))
    if kind == "insert":
        data = data[:at] + rng.choice(BITS) + data[at:]
    elif kind == "replace":
        data = data[:at] + rng.choice(BITS) + data[at + rng.randrange(1, 9) :]
    elif kind == "cut":
        data = data[:at] + data[at + rng.choice((1, 2, 30, 400)) :]
    elif kind == "flip":
        flipped = bytearray(data)
        for _ in range(rng.choice((1, 3, 40))):
            if flipped:
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        data = bytes(flipped)
    elif kind == "truncate":
        data = data[:at]
    elif kind == "double":
        data = data[:at] + data
    else:
        data = b"" if rng.random() < 0.2 else data[: len(data) // 2] + data[:9]
    file.write_bytes(data)
    return f"{kind} at {at}"


def _changed(raw: Any, rng: random.Random) -> str:
    """Change one place of a json value: its value, its key, or whether it is there."""
    places = list(_places(raw, ""))
    holder, key, where = rng.choice(places)
    kind = rng.choice(("value", "value", "value", "remove", "rename", "copy"))
    if kind == "remove":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[str(rng.choice(("x", "", "columns", "orders", "../x", "\x1b[0m", "a" * 300)))] = holder.pop(key)
    elif kind == "copy" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = copy.deepcopy(rng.choice(NASTY))  # changed by a later change, it would hold itself
    return f"{kind} {where}"


def _places(value: Any, where: str) -> list[tuple[Any, Any, str]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found = [(value, key, f"{where}/{key}") for key in keys]
    return found + [each for key in keys for each in _places(value[key], f"{where}/{key}")]
