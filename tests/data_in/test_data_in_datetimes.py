"""Datetime formats against Python's own strptime."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.datetimes import CLOCKS, KNOWN_FORMATS, matches, parse

MOMENTS = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2068, 12, 31))


@settings(max_examples=300, deadline=None)
@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=5),
    format=st.sampled_from([*KNOWN_FORMATS, "%Y%m%d", "%Y%m%d%H%M%S"]),
)
def test_known_formats_read_as_python_reads_them(moments: list[datetime.datetime], format: str) -> None:
    if "%z" in format:
        moments = [moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=-330))) for moment in moments]
    texts = [moment.strftime(format) for moment in moments]
    expected = [datetime.datetime.strptime(text, format) for text in texts]
    if format in CLOCKS:  # a time of day is one of 1970-01-01 here, of 1900-01-01 in Python
        expected = [moment.replace(year=1970) for moment in expected]
    expected = [
        moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment for moment in expected
    ]
    assert parse(pa.array([*texts, None]), format).to_pylist() == [*expected, None]


@pytest.mark.parametrize(
    ("value", "format"),
    [
        ("2013-02-30", "%Y-%m-%d"), ("30/02/2013", "%d/%m/%Y"), ("2013-13-01", "%Y-%m-%d"), ("13:00 PM", "%I:%M %p"),
        ("2013-01-01 00:00:00", "%Y-%m-%d"), ("2013-01-01", "%Y-%m-%d %H:%M:%S"), ("01 Foo 2013", "%d %b %Y"),
        ("2013-01-01T10:00:00", "%Y-%m-%d %H:%M:%S"), ("1/1/2013 13:00 PM", "%m/%d/%Y %I:%M %p"), ("", "%Y"),
    ],
)  # fmt: skip
def test_what_is_no_date_does_not_match(value: str, format: str) -> None:
    assert not matches(pa.array(["2013-01-01", value]), format)
    assert not matches(pa.array([value]), format)


def test_directives_without_a_pattern_are_read_by_distinct_value() -> None:
    assert parse(pa.array(["2013 032", None, "2013 032"]), "%Y %j").to_pylist() == [
        datetime.datetime(2013, 2, 1), None, datetime.datetime(2013, 2, 1)
    ]  # fmt: skip
    assert not matches(pa.array(["2013 400"]), "%Y %j")


def test_literal_characters_of_a_format_are_literal() -> None:
    assert matches(pa.array(["[2013]*(01)"]), "[%Y]*(%m)")
    assert not matches(pa.array(["2013x01"]), "%Y.%m")
