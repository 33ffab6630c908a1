"""What the values of a column mean, from their type, number and look, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from tabgraphsyn.data.formats import DatetimeFormat, DurationFormat, Format, MixedFormat, WideFormat
from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.table_queries import ColumnValues, TextShape
from tabgraphsyn.data.schema import Column

_MAX_CODE_LEVELS = 15
_CODE_RANGE = (-20, 30)
_SURELY_CATEGORICAL = 50
_ID_ENDINGS = ("_id", "_key", "_code", "_uuid", "_guid", "id_", "zip_code", "zipcode", "postcode")


def infer_column(
    name: str,
    target: Target,
    scan: ColumnScan,
    values: ColumnValues,
    shape: TextShape | None,
    key_role: str | None,
    is_checked: bool = False,
) -> tuple[Column, str]:
    """Return a column's meaning, with its format, and the reason for the guess.

    Args:
        key_role: e.g. ``primary key``, for columns that belong to a key.
        is_checked: the last digit of its whole numbers checks the others.
    """
    if is_checked and key_role is None and target.type == pa.int64():
        column, reason = _checked_number(name, values)
    else:
        column, reason = _meaning(name, target, scan, values, shape, key_role)
    told = "" if target.format is None or key_role else target.format.in_words()
    if told and column.sdtype in ("numerical", "categorical"):
        reason = f"{reason}; {told}"
    return replace(column, format=target.format), reason


def _meaning(
    name: str, target: Target, scan: ColumnScan, values: ColumnValues, shape: TextShape | None, key_role: str | None
) -> tuple[Column, str]:
    type_, format = target.type, target.format
    if key_role is not None:
        return Column(name, "id"), key_role
    if isinstance(format, WideFormat) and _are_few(values):
        return Column(name, "categorical"), f"{values.distinct} distinct numbers of many digits"
    if isinstance(format, MixedFormat | WideFormat):
        return _of_several_forms(name, format)
    if isinstance(format, DurationFormat):
        return Column(name, "numerical", computer_representation="Int64"), "spans of time in microseconds"
    if pa.types.is_boolean(type_):
        return Column(name, "boolean"), "all values are true or false"
    if pa.types.is_timestamp(type_):
        return _datetime(name, scan, format)
    if pa.types.is_floating(type_):
        return Column(name, "numerical", computer_representation="Float"), "numbers, some of them not whole"
    if pa.types.is_integer(type_):
        return _integer(name, scan, values)
    assert shape is not None, name
    return _text(name, scan, values, shape)


def _of_several_forms(name: str, format: MixedFormat | WideFormat) -> tuple[Column, str]:
    if isinstance(format, MixedFormat) and pa.types.is_timestamp(format.values_type):
        return Column(name, "datetime"), "dates"
    return Column(name, "numerical", computer_representation="Float" if isinstance(format, MixedFormat) else None), (
        "numbers"
    )


def _datetime(name: str, scan: ColumnScan, format: Format | None) -> tuple[Column, str]:
    pattern = format.parsed if isinstance(format, DatetimeFormat) else scan.datetime_format
    return Column(name, "datetime", datetime_format=pattern), f"every value is a date in {pattern}"


def _integer(name: str, scan: ColumnScan, values: ColumnValues) -> tuple[Column, str]:
    filled = values.rows - values.nulls
    written = "" if scan.typed == "integer" or "integer" in scan.alive else " (written with decimals that are all zero)"
    if name.lower().endswith(_ID_ENDINGS):
        return Column(name, "categorical"), "whole numbers under the name of a code"
    if values.distinct <= 2:
        return Column(name, "categorical"), f"{values.distinct} distinct whole numbers{written}"
    small = values.minimum >= _CODE_RANGE[0] and values.maximum <= _CODE_RANGE[1]
    if values.distinct <= _MAX_CODE_LEVELS and values.distinct <= 0.05 * filled and small:
        return Column(name, "categorical"), f"{values.distinct} distinct small whole numbers in {filled} rows{written}"
    column = Column(name, "numerical", computer_representation="Int64")
    return column, f"whole numbers, {values.distinct} distinct{written}"


def _are_few(values: ColumnValues) -> bool:
    """Return whether so few different values, repeated, can only be a category."""
    return values.distinct <= _SURELY_CATEGORICAL and values.distinct < 0.9 * max(values.rows - values.nulls, 1)


def _checked_number(name: str, values: ColumnValues) -> tuple[Column, str]:
    is_repeated = values.distinct <= 0.5 * (values.rows - values.nulls)
    words = f"numbers whose last digit checks the others, {values.distinct} distinct"
    return Column(name, "categorical" if is_repeated else "id"), words


def _text(name: str, scan: ColumnScan, values: ColumnValues, shape: TextShape) -> tuple[Column, str]:
    filled = max(values.rows - values.nulls, 1)
    share = values.distinct / filled
    if shape.email > 0.9:
        return Column(name, "text", pii=True), "e-mail addresses: personal, never reproduced"
    if shape.phone > 0.9 and "phone" in name.lower():
        return Column(name, "text", pii=True), "phone numbers: personal, never reproduced"
    if shape.uuid > 0.9:
        return Column(name, "id"), "UUIDs"
    aside = f"; numbers but for {', '.join(map(repr, scan.non_numbers))}" if scan.non_numbers else ""
    if _are_few(values):
        return Column(name, "categorical"), f"{values.distinct} distinct texts{aside}"
    if name.lower().endswith(_ID_ENDINGS) and share < 0.95:
        return Column(name, "categorical"), f"{values.distinct} distinct texts under the name of a code{aside}"
    if shape.url > 0.9 or (shape.mean_length > 40 and share > 0.2):
        return Column(name, "text"), f"long texts ({shape.mean_length:.0f} characters on average), {share:.0%} distinct"
    if share <= 0.5:
        return Column(name, "categorical"), f"{values.distinct} distinct texts in {filled} rows{aside}"
    if shape.spaced < 0.1 and share > 0.95:
        return Column(name, "id"), f"codes without spaces, {share:.0%} distinct"
    if filled <= 200 and share < 1.0:
        return Column(name, "categorical"), f"{values.distinct} distinct texts in a small table{aside}"
    if shape.coded > 0.95:
        return Column(name, "id"), f"codes, {share:.0%} distinct"
    return Column(name, "text"), f"texts, {share:.0%} distinct"
