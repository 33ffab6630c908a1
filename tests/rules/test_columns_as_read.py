"""Rules read columns as they are read, whatever the type that a file has: a time of day in parquet is a time."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.formats import DatetimeFormat
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Order
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Schema, Table, TableSchema


@pytest.mark.parametrize("in_file", [False, True])
def test_a_time_of_day_is_a_time_in_what_was_written(tmp_path, in_file):
    clock = DatetimeFormat(pattern="%H:%M:%S", type="time64[us]")
    schema = TableSchema("t", tuple(Column(name, "datetime", format=clock) for name in ("begins", "ends")), ())
    hours = {"begins": [8, 9, 15], "ends": [9, 10, 14]}
    made = {name: pa.array([datetime.time(one) for one in each], pa.time64("us")) for name, each in hours.items()}
    rows = pa.table(made)
    if in_file:
        pq.write_table(rows, tmp_path / "t.parquet")
    table = Table(schema, tmp_path / "t.parquet" if in_file else rows)
    read = RuleTables(Database(Schema((schema,), ()), {"t": table}), {})
    assert read.is_time("t", Operand("begins")) and not read.is_number("t", Operand("begins"))
    order = Order(table="t", columns=(Operand("begins"), Operand("ends")))
    assert order.check(read).counts == (3, 1)
