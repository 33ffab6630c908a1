"""Filled cells are written as the column is, whatever type the sample's own file has."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from tabgraphsyn.data.formats import BooleanFormat, DatetimeFormat, Format, NumberFormat
from tabgraphsyn.data.formats.duration import DurationFormat
from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.generation.fixing.typed import ReadTable
from tabgraphsyn.generation.fixing.write_back import filled_rows

NOON = datetime.datetime(1970, 1, 1, 14, 30)
DAY = datetime.datetime(2024, 2, 3, 4, 5)
FORMATS = {
    "time of day": (DatetimeFormat(pattern="%H:%M", type="time64[us]"), NOON, "14:30", datetime.time(14, 30)),
    "day": (DatetimeFormat(pattern="%d/%m/%Y", type="date32[day]"), DAY, "03/02/2024", DAY.date()),
    "time": (DatetimeFormat(pattern="%d.%m.%Y %H:%M"), DAY, "03.02.2024 04:05", DAY),
    "money": (NumberFormat(prefix="£", thousands=",", least=2, most=2), 1250.5, "£1,250.50", 1250.5),
    "percent": (NumberFormat(suffix=" %", whole=True), 19, "19 %", 19),
    "yes and no": (BooleanFormat(true="ja", false="nein"), True, "ja", True),
    "duration": (DurationFormat(width=2), 45_000_000, "00:00:45", 45_000_000),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_filled_cell_is_written_like_the_others(name: str) -> None:
    format, stored, text, typed = FORMATS[name]
    assert isinstance(format, Format)
    table = TableSchema("t", (Column("x", "numerical", format=format),))
    made = pa.table({"x": format.typed(pa.array([stored, stored], format.stored))})
    for old, wanted in ((pa.array([None, text]), text), (pa.array([None, typed], format.arrow), typed)):
        read = ReadTable("t", "t", pa.table({"x": old}))
        assert filled_rows(read, made, table).column("x").to_pylist() == [wanted, wanted]
