"""Arrow types of files: their names, and the plain types that models see of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

TIMESTAMP = pa.timestamp("us")
DAY_US = 86_400_000_000
_UNIT_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
_DECIMALS = {"32": pa.decimal32, "64": pa.decimal64, "128": pa.decimal128, "256": pa.decimal256}

ArrowType = Annotated[
    str,
    Meta(
        pattern=r"^(null|bool|u?int(8|16|32|64)|halffloat|float|double|(large_)?string|date32\[day\]|date64\[ms\]"
        r"|timestamp\[(s|ms|us|ns)\]|time32\[(s|ms)\]|time64\[(us|ns)\]|duration\[(s|ms|us|ns)\])$"
    ),
]
"""Types of columns, as arrow writes them, in files of which a stranger may be the author."""


@lru_cache(maxsize=256)
def type_of(text: str) -> pa.DataType:
    """Return the arrow type that ``str(type)`` spells.

    >>> type_of("decimal128(18, 4)"), type_of("timestamp[ns, tz=Europe/Berlin]")
    (Decimal128Type(decimal128(18, 4)), TimestampType(timestamp[ns, tz=Europe/Berlin]))
    >>> type_of("dictionary<values=string, indices=int8, ordered=0>").index_type
    DataType(int8)
    """
    if text == str(pa.uuid()):
        return pa.uuid()
    if found := _DECIMAL.fullmatch(text):
        return _DECIMALS[found[1]](int(found[2]), int(found[3]))
    if found := _ZONED.fullmatch(text):
        return pa.timestamp(found[1], tz=found[2])
    if found := _DICTIONARY.fullmatch(text):
        return pa.dictionary(type_of(found[2]), type_of(found[1]), found[3] == "1")
    return pa.type_for_alias(text)


def is_known(type_: pa.DataType) -> bool:
    """Return whether a type comes back from its name."""
    try:
        return bool(type_of(str(type_)) == type_)
    except (ValueError, KeyError):
        return False


def plain_array(array: pa.Array) -> pa.Array:
    """Return ``array`` as string, int64, float64, bool or timestamp[us] in UTC; NaN becomes null.

    Decimals and numbers beyond int64 stay what they are: what becomes of them depends on the whole column. A time of
    day is a time on 1970-01-01, a duration its microseconds.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError: a type without a meaning here.
    """
    type_, types = array.type, pa.types
    if types.is_dictionary(type_):
        return plain_array(array.dictionary_decode())
    if isinstance(type_, pa.UuidType):
        texts = (None if value is None else str(value) for value in array.to_pylist())
        return pa.array(texts, pa.string())
    if isinstance(type_, pa.BaseExtensionType):
        return plain_array(array.storage)
    if types.is_string(type_) or types.is_boolean(type_) or types.is_decimal(type_):
        return array
    if types.is_uint64(type_):
        return array
    if types.is_integer(type_):
        return array.cast(pa.int64())
    if types.is_floating(type_):
        numbers = array.cast(pa.float64())
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    if types.is_timestamp(type_):
        return array.cast(pa.timestamp("us", tz=type_.tz), safe=False).cast(TIMESTAMP)
    if types.is_date(type_):
        return array.cast(TIMESTAMP)
    if types.is_time(type_) or types.is_duration(type_):
        return _microseconds(array).cast(TIMESTAMP if types.is_time(type_) else pa.int64())
    if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
        raise pa.ArrowInvalid("no meaning")
    if types.is_nested(type_):
        raise pa.ArrowInvalid("no meaning")
    return array.cast(pa.string())


def _microseconds(array: pa.Array) -> pa.Array:
    """Return times of day or durations in microseconds, (rows,) int64."""
    unit = array.type.unit
    whole = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(array.type) else array.cast(pa.int64())
    return pc.divide(whole, 1_000) if unit == "ns" else pc.multiply(whole, _UNIT_US[unit])
