"""Dates and times written in any strftime format, to timestamps, without a loop over rows."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("us")

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y",
         "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y", "%Y.%m.%d", "%d.%m.%y", "%d-%b-%y",
         "%d. %m. %Y")  # fmt: skip
_TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", "T%H:%M:%S.%f", " %H:%M:%S,%f",
          " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p")  # fmt: skip
_ZONED_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y")
_ZONES = (" %H:%M:%S%z", "T%H:%M:%S%z", "T%H:%M:%S.%f%z", " %H:%M:%S.%f%z", " %H:%M:%S %z", " %H:%M%z", "T%H:%M%z")
_WEEKDAYS = ("%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y", "%a %d %b %Y",
             "%A, %B %d, %Y", "%A, %d %B %Y", "%a, %d.%m.%Y", "%a %Y-%m-%d")  # fmt: skip
CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p")
MONTHS = ("%Y-%m", "%m/%Y")
DIGITS = {6: ("%y%m%d", "%d%m%y", "%m%d%y", "%Y%m"), 8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
          12: ("%Y%m%d%H%M",), 14: ("%Y%m%d%H%M%S",)}  # fmt: skip
"""Dates written as digits alone, by their number."""

# In order of preference: where both %d/%m and %m/%d fit every value, the day comes first.
KNOWN_FORMATS: tuple[str, ...] = (
    *(day + time for time, day in product(_TIMES, _DAYS)),
    *(day + zone for zone, day in product(_ZONES, _ZONED_DAYS)),
    *_WEEKDAYS,
    *CLOCKS,
    *MONTHS,
)

_GROUPS = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})", "I": r"(?P<I>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})", "b": r"(?P<b>[A-Za-z]{3})", "B": r"(?P<B>[A-Za-z]{3,9})", "p": r"(?P<p>[AaPp][Mm])",
    "a": r"(?P<a>[A-Za-z]{3})", "A": r"(?P<A>[A-Za-z]{6,9})",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}  # fmt: skip
_SHORTHANDS = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%D": "%m/%d/%y", "%R": "%H:%M"}
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_ISO_WIDTH = {"%Y-%m-%d": 10, "%Y-%m-%d %H:%M:%S": 19, "%Y-%m-%dT%H:%M:%S": 19}
_ISO_SEPARATOR = {"%Y-%m-%d %H:%M:%S": " ", "%Y-%m-%dT%H:%M:%S": "T"}


def parse(values: pa.Array, format: str) -> pa.Array:
    """Return the timestamps that ``values`` spell in ``format``; times with an offset become UTC.

    Args:
        values: (rows,) string, nulls stay null.
        format: strftime directives.

    Raises:
        pyarrow.ArrowInvalid: a value does not match, or names a day that is not in the calendar.
    """
    if format in _ISO_WIDTH and _is_plain_iso(values, format):
        return values.cast(TIMESTAMP)
    pattern = _pattern(format)
    if pattern is None:
        return _parse_distinct(values, format)
    parts = pc.extract_regex(values, pattern)
    if parts.null_count > values.null_count:
        raise pa.ArrowInvalid(f"values do not match {format!r}")
    return _assemble({field.name: pc.struct_field(parts, [field.name]) for field in parts.type})


def matches(values: pa.Array, format: str) -> bool:
    """Return whether every value is a date in ``format``."""
    try:
        parse(values, format)
    except (pa.ArrowInvalid, ValueError, OverflowError):
        return False
    return True


def _is_plain_iso(values: pa.Array, format: str) -> bool:
    # arrow's own cast is ten times faster than a pattern, but takes several shapes: hold it to one.
    widths = pc.min_max(pc.binary_length(values)).as_py()
    if widths["min"] is None:
        return True
    if widths != {"min": _ISO_WIDTH[format], "max": _ISO_WIDTH[format]}:
        return False
    separator = _ISO_SEPARATOR.get(format)
    if separator is None:
        return True
    return bool(pc.all(pc.equal(pc.utf8_slice_codeunits(values, 10, 11), separator)).as_py())


@lru_cache(maxsize=512)
def _pattern(format: str) -> str | None:
    """Return a pattern with a named group for each directive, or None where a directive has none."""
    for shorthand, spelled in _SHORTHANDS.items():
        format = format.replace(shorthand, spelled)
    pieces = re.findall(r"%.|[^%]+|%$", format, flags=re.DOTALL)
    directives = [piece[1:] for piece in pieces if piece.startswith("%") and piece != "%%"]
    if len(set(directives)) != len(directives) or not set(directives) <= set(_GROUPS):
        return None
    is_clock = bool({"H", "I"} & set(directives)) and not {"m", "d", "b", "B"} & set(directives)
    if not {"Y", "y"} & set(directives) and not is_clock:
        return None
    text = ""
    for position, piece in enumerate(pieces):
        if not piece.startswith("%") or piece == "%%":
            text += re.escape("%" if piece == "%%" else piece)
            continue
        group = _GROUPS[piece[1:]]
        neighbours = pieces[max(position - 1, 0) : position] + pieces[position + 1 : position + 2]
        if any(other.startswith("%") and other[1:] not in ("%", "z", "p") for other in neighbours):
            group = group.replace("{1,2}", "{2}")  # %Y%m%d: nothing else says where the month ends
        text += group
    # A fraction of zero is often left out: 12:00:00 among 12:00:00.5.
    return "^" + re.sub(r"(\\\.|,)(\(\?P<f>[^)]*\))", r"(?:\1\2)?", text) + "$"


def _assemble(parts: dict[str, pa.Array]) -> pa.Array:
    date = _date(parts)
    time = pc.binary_join_element_wise(_hour(parts), _two(parts.get("M"), "00"), _two(parts.get("S"), "00"), ":")
    text = pc.binary_join_element_wise(date, time, " ")
    if "f" in parts:
        micros = pc.utf8_slice_codeunits(pc.utf8_rpad(parts["f"], 6, "0"), 0, 6)
        text = pc.binary_join_element_wise(text, micros, ".")
    stamps = text.cast(TIMESTAMP)
    for name in {"a", "A"} & parts.keys():
        same = pc.equal(pc.utf8_lower(pc.strftime(stamps, f"%{name}")), pc.utf8_lower(parts[name]))
        if pc.all(same).as_py() is False:
            raise pa.ArrowInvalid("not the weekday of the date")
    return pc.subtract(stamps, _offset(parts["z"])) if "z" in parts else stamps


def _date(parts: dict[str, pa.Array]) -> pa.Array | pa.Scalar:
    if "Y" in parts:
        year = parts["Y"]
    elif "y" in parts:  # POSIX: 69-99 are 1969-1999, 00-68 are 2000-2068
        old = pc.greater_equal(parts["y"].cast(pa.int64()), 69)
        year = pc.binary_join_element_wise(pc.if_else(old, "19", "20"), parts["y"], "")
    else:  # a time of day
        return pa.scalar("1970-01-01")
    return pc.binary_join_element_wise(year, _month(parts), _two(parts.get("d"), "01"), "-")


def _two(part: pa.Array | None, default: str) -> pa.Array | pa.Scalar:
    return pa.scalar(default) if part is None else pc.utf8_lpad(part, 2, "0")


def _month(parts: dict[str, pa.Array]) -> pa.Array | pa.Scalar:
    name = parts.get("b", parts.get("B"))
    if name is None:
        return _two(parts.get("m"), "01")
    known = pa.array([month[:3] if "b" in parts else month for month in _MONTHS])
    number = pc.index_in(pc.utf8_lower(name), value_set=known)
    if number.null_count > name.null_count:
        raise pa.ArrowInvalid("not the name of a month")
    return pc.utf8_lpad(pc.add(number, 1).cast(pa.string()), 2, "0")


def _hour(parts: dict[str, pa.Array]) -> pa.Array | pa.Scalar:
    if "I" not in parts:
        return _two(parts.get("H"), "00")
    hour = parts["I"].cast(pa.int64())
    bounds = pc.min_max(hour).as_py()
    if bounds["min"] is not None and (bounds["min"] < 1 or bounds["max"] > 12):
        raise pa.ArrowInvalid("hours of a 12-hour clock are 1 to 12")
    hour = pc.if_else(pc.equal(hour, 12), 0, hour)
    if "p" in parts:
        hour = pc.if_else(pc.equal(pc.utf8_lower(parts["p"]), "pm"), pc.add(hour, 12), hour)
    return pc.utf8_lpad(hour.cast(pa.string()), 2, "0")


def _offset(zone: pa.Array) -> pa.Array:
    text = pc.replace_substring(pc.if_else(pc.equal(zone, "Z"), "+0000", zone), ":", "")
    hours = pc.utf8_slice_codeunits(text, 1, 3).cast(pa.int64())
    minutes = pc.utf8_slice_codeunits(text, 3, 5).cast(pa.int64())
    total = pc.add(pc.multiply(hours, 60), minutes)
    signed = pc.if_else(pc.equal(pc.utf8_slice_codeunits(text, 0, 1), "-"), pc.negate(total), total)
    return pc.multiply(signed, 60_000_000).cast(pa.duration("us"))


def _parse_distinct(values: pa.Array, format: str) -> pa.Array:
    """Parse with Python's strptime, once for each distinct value: for directives that have no pattern here."""
    encoded = values.dictionary_encode()
    stamps = []
    for value in encoded.dictionary.to_pylist():
        try:
            stamp = datetime.datetime.strptime(value, format)
        except ValueError as error:
            raise pa.ArrowInvalid(str(error)) from error
        stamps.append(stamp.astimezone(datetime.UTC).replace(tzinfo=None) if stamp.tzinfo else stamp)
    return pa.array(stamps, type=TIMESTAMP).take(encoded.indices)
