"""The format of a column whose type the file itself gives: parquet, DuckDB."""

from __future__ import annotations

import pyarrow as pa

from tabgraphsyn.data.formats import DatetimeFormat, DurationFormat, NumberFormat, TypedFormat, WideFormat
from tabgraphsyn.data.formats.arrow_types import TIMESTAMP
from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.ingest.convert import Target

_INT64 = 2**63 - 1
_EXACT = 2**53
_PLAIN = (pa.string(), pa.bool_(), pa.int64(), pa.float64())


def typed_target(scan: ColumnScan) -> Target | None:
    """Return the target of a typed column, None where its texts are still to be looked at."""
    type_ = scan.arrow
    value = type_.value_type if type_ is not None and pa.types.is_dictionary(type_) else type_
    if scan.typed is None or scan.kind == "empty":
        return Target.of(TypedFormat(type=str(type_))) if isinstance(type_, pa.UuidType) else None
    if value is None or type_ in _PLAIN:
        return _plain(scan)
    types = pa.types
    if types.is_decimal(value) or types.is_uint64(value):
        return _digits(scan, value)
    if types.is_timestamp(value) or types.is_date(value):
        return _moment(scan, value)
    if types.is_time(value):
        pattern = "%H:%M:%S" if scan.whole_seconds else "%H:%M:%S.%f"
        return Target.of(DatetimeFormat(pattern=pattern, type=str(value)))
    if types.is_duration(value):
        return Target.of(DurationFormat(type=str(value), decimals=0 if value.unit == "s" else 6))
    plain = "int64" if types.is_integer(value) else "double" if types.is_floating(value) else "string"
    plain = "bool" if types.is_boolean(value) else plain
    if plain == "double" and scan.is_whole and not scan.infinite:
        plain = "int64"
    return Target.of(TypedFormat(type=str(type_), plain=plain))


def _plain(scan: ColumnScan) -> Target:
    if scan.typed == "datetime":
        return Target.of(DatetimeFormat(pattern=scan.datetime_format or "%Y-%m-%d"))
    if scan.typed == "float":
        if scan.is_whole and not scan.infinite:
            return (
                Target.of(TypedFormat(type="double", plain="int64")) if scan.arrow is not None else Target(pa.int64())
            )
        return Target(pa.float64())
    return Target(pa.bool_() if scan.typed == "boolean" else pa.int64())


def _digits(scan: ColumnScan, value: pa.DataType) -> Target:
    scale = max(value.scale, 0) if pa.types.is_decimal(value) else 0
    if scan.largest > (_EXACT if scale else _INT64):
        return Target.of(WideFormat(scale=scale, type=str(value)))
    if pa.types.is_uint64(value):
        return Target.of(TypedFormat(type=str(value), plain="int64"))
    return Target.of(NumberFormat(whole=scale == 0, least=scale, most=scale, type=str(value)))


def _moment(scan: ColumnScan, value: pa.DataType) -> Target:
    pattern = scan.datetime_format or "%Y-%m-%d"
    if pa.types.is_date(value):
        return Target.of(DatetimeFormat(pattern="%Y-%m-%d", type=str(value)))
    if value.tz is not None:
        pattern = f"{pattern} %H:%M:%S" if pattern == "%Y-%m-%d" else pattern
        return Target.of(DatetimeFormat(pattern=f"{pattern}%z", zone="+00:00", type=str(value), nanos=scan.nanos))
    return Target.of(DatetimeFormat(pattern=pattern, type="" if value == TIMESTAMP else str(value), nanos=scan.nanos))
