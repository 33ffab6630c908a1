"""Spans of time in a format: hours:minutes:seconds beyond a day, ISO 8601 periods, pandas' days."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.base import Format, Short, Small, each, matched

_SECOND = 1_000_000
_ISO_US = {"W": 7 * 86_400 * _SECOND, "D": 86_400 * _SECOND, "H": 3_600 * _SECOND, "M": 60 * _SECOND, "S": _SECOND}
_ISO = (
    r"^(?P<sign>-?)P(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+(?:\.\d+)?)S)?)?$"
)
_CLOCK = r"^(?P<sign>-?)(?:(?P<D>\d+) days?,? )?(?P<H>\d+):(?P<M>[0-5]\d)(?P<rest>:(?P<S>[0-5]\d)(?P<f>\.\d{1,9})?)?$"


@dataclass(frozen=True, kw_only=True)
class DurationFormat(Format):
    """A span of time, stored in microseconds as int64.

    Attributes:
        style: ``clock`` (29:59:59), ``days`` (1 days 05:59:59), ``iso`` (P1DT5H), or ``number`` (a typed duration).
        width: digits of the hours at least.
        parts: ``iso``: the units that every value has, e.g. ``DH``; empty where those of zero are left out.
            ``clock``: ``HM`` or ``HMS``.
        decimals: digits of the seconds' fraction.
    """

    kind = "duration"
    style: Short = "clock"
    width: Small = 1
    parts: Short = "HMS"
    decimals: Small = 0

    @property
    def stored(self) -> pa.DataType:
        """Microseconds."""
        return pa.int64()

    def read(self, text: pa.Array) -> pa.Array:
        """Return the spans that texts spell, (rows,)."""
        parts = matched(text, _ISO if self.style == "iso" else _CLOCK, self.style)
        total: pa.Array | pa.Scalar = pa.scalar(0, pa.int64())
        for unit, micros in _ISO_US.items():
            if unit in parts:
                total = pc.add(total, _times(parts[unit], micros))
        if "f" in parts:
            digits = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.utf8_ltrim(parts["f"], "."), 6, "0"), 0, 6)
            total = pc.add(total, digits.cast(pa.int64()) if not _empty(parts["f"]) else _whole(digits))
        signed = pc.if_else(pc.equal(parts["sign"], "-"), pc.negate(total), total)
        return pc.if_else(pc.is_valid(text), signed, pa.scalar(None, pa.int64()))

    def write(self, values: pa.Array) -> pa.Array:
        """Return the text of spans, (rows,)."""
        return each(values, self._iso if self.style == "iso" else self._clock)

    def _clock(self, value: int) -> str:
        """Return one span as text.

        >>> DurationFormat(width=2)._clock(107_999_000_000)
        '29:59:59'
        >>> DurationFormat(style="days", width=2)._clock(90_000_000_000)
        '1 days 01:00:00'
        """
        sign, value = ("-" if value < 0 else ""), abs(value)
        days = ""
        if self.style == "days":
            days, value = f"{value // _ISO_US['D']} days ", value % _ISO_US["D"]
        hours, value = divmod(value, _ISO_US["H"])
        minutes, value = divmod(value, _ISO_US["M"])
        text = f"{sign}{days}{hours:0{self.width}d}:{minutes:02d}"
        if self.parts == "HM":
            return text
        seconds, micros = divmod(value, _SECOND)
        return f"{text}:{seconds:02d}" + (f".{micros:06d}"[: self.decimals + 1] if self.decimals else "")

    def _iso(self, value: int) -> str:
        """Return one span as an ISO 8601 period.

        >>> DurationFormat(style="iso", parts="")._iso(90_061_000_000), DurationFormat(style="iso", parts="DH")._iso(0)
        ('P1DT1H1M1S', 'P0DT0H')
        """
        sign, value, units = ("-" if value < 0 else ""), abs(value), self.parts or "DHMS"
        date, time = "", ""
        for unit in units:
            amount, value = divmod(value, _ISO_US[unit])
            if not amount and not self.parts and not (unit == "S" and value):
                continue
            text = f"{amount}{unit}"
            if unit == "S" and self.decimals:
                text = f"{amount}.{value:06d}"[: len(str(amount)) + 1 + self.decimals] + "S"
            date, time = (date + text, time) if unit in "WD" else (date, time + text)
        if not date and not time:
            time = "0S"
        return f"{sign}P{date}" + (f"T{time}" if time else "")

    def typed(self, values: pa.Array) -> pa.Array:
        """Return spans in the arrow type of parquet output, (rows,)."""
        if not pa.types.is_duration(self.arrow):
            return super().typed(values)
        return values.cast(pa.duration("us")).cast(self.arrow, safe=False)

    def stored_of(self, values: pa.Array) -> pa.Array:
        """Return spans of any duration type as stored, (rows,)."""
        if pa.types.is_duration(values.type):
            return values.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return super().stored_of(values)

    def in_words(self) -> str:
        """Return the format in words."""
        return f"spans of time, written like {self.write(pa.array([93_784_000_000]))[0].as_py()!r}"


def duration_format(shapes: list[str]) -> DurationFormat | None:
    """Return the format of spans whose shapes (digits as 9) are given, None where they are none.

    >>> duration_format(["99:99:99", "9:99:99"]).width, duration_format(["P9DT9H", "P9DT99H"]).parts
    (1, 'DH')
    """
    plain = [shape.replace("Z", "9") for shape in shapes]
    if all(re.fullmatch(r"-?P(?=.)(9+W)?(9+D)?(T(?=.)(9+H)?(9+M)?(9+(\.9+)?S)?)?", one) for one in plain):
        units = {"".join(re.findall("[WDHMS]", one.replace("P", ""))) for one in plain}
        decimals = {len(found[1]) if (found := re.search(r"\.(9+)S", one)) else 0 for one in plain}
        if any(len(set(one)) != len(one) for one in units):
            return None
        return DurationFormat(style="iso", parts=units.pop() if len(units) == 1 else "", decimals=max(decimals))
    if all(re.fullmatch(r"-?9+ days? 99:99:99(\.9{1,9})?", one) for one in plain):
        return DurationFormat(style="days", width=2, decimals=_decimals(plain))
    clocks = [re.fullmatch(r"-?(9+):99(:99(\.9{1,9})?)?", one) for one in plain]
    hours = [one for one in clocks if one is not None]
    if len(hours) < len(clocks) or len({bool(one[2]) for one in hours}) > 1:
        return None
    parts = "HMS" if hours[0][2] else "HM"
    return DurationFormat(width=min(len(one[1]) for one in hours), parts=parts, decimals=_decimals(plain))


def _decimals(shapes: list[str]) -> int:
    return max(min(len(one.partition(".")[2]), 6) for one in shapes)


def _times(part: pa.Array, micros: int) -> pa.Array:
    filled = pc.if_else(pc.equal(part, ""), "0", part)
    if pc.any(pc.match_substring(filled, ".")).as_py():
        return pc.round(pc.multiply(filled.cast(pa.float64()), float(micros))).cast(pa.int64())
    return pc.multiply(filled.cast(pa.int64()), micros)


def _empty(part: pa.Array) -> bool:
    return bool(pc.any(pc.equal(part, "")).as_py())


def _whole(digits: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64())
