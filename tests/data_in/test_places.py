"""Clocks that change twice a year: one moment, one place, written back with the zone of its day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.formats import DatetimeFormat, MixedFormat
from tabgraphsyn.data.formats.places import minutes_ahead, place_of
from tests.data_in.test_every_value_comes_back import ingested, write_csv


def stamps(place: str, pattern: str = "%Y-%m-%dT%H:%M:%S%z", rows: int = 200) -> list[str]:
    start = datetime(2021, 1, 3, 0, 20, tzinfo=UTC)
    return [(start + timedelta(hours=53 * row)).astimezone(ZoneInfo(place)).strftime(pattern) for row in range(rows)]


@pytest.mark.parametrize("place", ["Europe/Rome", "America/New_York", "Australia/Adelaide", "America/St_Johns"])
def test_a_clock_with_summer_time_is_a_time_and_comes_back_as_it_was(tmp_path: Path, place: str) -> None:
    texts = stamps(place)
    write_csv(tmp_path / "data" / "t.csv", {"at": texts, "n": [str(row % 7) for row in range(len(texts))]})
    table, _ = ingested(tmp_path)
    format = table.schema.column("at").format
    assert isinstance(format, DatetimeFormat), "no column of texts, so that orders and rules can read it"
    assert table.column("at").type == pa.timestamp("us")
    assert format.write(table.column("at").combine_chunks()).to_pylist() == texts
    assert DatetimeFormat.from_dict(format.to_dict()) == format


def test_zones_of_no_place_stay_several_formats(tmp_path: Path) -> None:
    texts = [text[:-5] + ("+0100" if row % 3 else "+0200") for row, text in enumerate(stamps("UTC"))]
    write_csv(tmp_path / "data" / "t.csv", {"at": texts, "n": [str(row % 7) for row in range(len(texts))]})
    table, _ = ingested(tmp_path)
    assert isinstance(table.schema.column("at").format, MixedFormat)


def test_what_a_place_says_of_moments_and_back() -> None:
    moments = np.array([datetime(2024, month, 15, tzinfo=UTC).timestamp() * 1e6 for month in (1, 7)], dtype=np.int64)
    assert minutes_ahead(moments, "Europe/Berlin").tolist() == [60, 120]
    assert place_of(moments, np.array([-300, -240])) == "America/New_York"
    assert place_of(moments, np.array([7, 8])) == ""
    assert minutes_ahead(moments, "No/Where").tolist() == [0, 0]
