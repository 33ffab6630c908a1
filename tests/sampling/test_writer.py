"""Tables written batch by batch."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generation.writer import write_table

TABLE = TableSchema(
    "visits",
    (
        Column("id", "id"),
        Column("name", "text"),
        Column("ok", "boolean"),
        Column("day", "datetime", datetime_format="%d/%m/%Y"),
        Column("at", "datetime"),
        Column("count", "numerical", computer_representation="Int64"),
        Column("nothing", "categorical"),
    ),
)


def batch(first: int) -> pa.Table:
    return pa.table(
        {
            "at": pa.array([dt.datetime(2020, 1, 2, 3, 4, 5), None], pa.timestamp("us")),
            "id": [first, first + 1],
            "name": ['say "a, b"', None],
            "ok": [True, None],
            "day": pa.array([dt.datetime(2020, 2, 29), None], pa.timestamp("us")),
            "count": pa.array([3, None], pa.int64()),
            "nothing": pa.nulls(2),
        }
    )


def test_both_formats_hold_all_batches_in_schema_order(tmp_path: Path) -> None:
    assert write_table(TABLE, [batch(1), batch(3)], tmp_path, ["parquet", "csv"]) == 4
    stored = pq.read_table(tmp_path / "visits.parquet")
    assert stored.column_names == [column.name for column in TABLE.columns]
    assert stored.column("id").to_pylist() == [1, 2, 3, 4]
    assert stored.column("count").to_pylist() == [3, None, 3, None]
    lines = (tmp_path / "visits.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "id,name,ok,day,at,count,nothing"
    assert lines[1] == '1,"say ""a, b""","True","29/02/2020","2020-01-02 03:04:05",3,'
    assert lines[2] == "2,,,,,,"
    assert len(lines) == 5


def test_an_empty_table_has_its_header(tmp_path: Path) -> None:
    assert write_table(TABLE, [batch(1).slice(0, 0)], tmp_path, ["csv", "parquet"]) == 0
    assert len((tmp_path / "visits.csv").read_text().splitlines()) == 1
    assert pq.read_table(tmp_path / "visits.parquet").num_rows == 0


def test_a_failing_batch_leaves_no_file(tmp_path: Path) -> None:
    def batches():  # type: ignore[no-untyped-def]
        yield batch(1)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_table(TABLE, batches(), tmp_path, ["parquet", "csv"])
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'xls'"):
        write_table(TABLE, [batch(1)], tmp_path, ["xls"])
