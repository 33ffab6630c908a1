"""Dates, times and times of day in a format: strftime directives, digits of a second, a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.formats.arrow_types import DAY_US, TIMESTAMP
from tabgraphsyn.data.formats.base import Format, Short, Small
from tabgraphsyn.data.formats.places import minutes_ahead

_NANOS_MIX = 40_503  # spreads the digits below a microsecond, which no model learns


@dataclass(frozen=True, kw_only=True)
class DatetimeFormat(Format):
    """A moment, stored in UTC; a time of day is stored on 1970-01-01.

    Attributes:
        pattern: strftime directives; ``%-d`` and the like write no leading zero, ``%f`` is the fraction of a second
            and ``%z`` the zone.
        least: digits of the fraction that are always written.
        most: digits of the fraction that are written at most; the mark before them goes with the last of them.
        zone: how the zone is written.
        offset_min: minutes that the zone is ahead of UTC.
        place: whose clock changes twice a year, instead of ``offset_min``; ``zone`` then says how zones are written.
        nanos: the file has digits below a microsecond; they are drawn when written.
        case: ``upper`` or ``lower`` where names of months and AM, PM are written so; empty for Jan and PM.
    """

    kind = "datetime"
    pattern: Short
    least: Small = 6
    most: Small = 6
    zone: Short = ""
    offset_min: Small = 0
    place: Short = ""
    nanos: bool = False
    case: Short = ""

    @property
    def stored(self) -> pa.DataType:
        """Microseconds in UTC."""
        return TIMESTAMP

    @property
    def parsed(self) -> str:
        """The pattern as Python and SDV read it back: they know no ``%-d``."""
        return self.pattern.replace("%-", "%")

    def read(self, text: pa.Array) -> pa.Array:
        """Return the moments that texts spell, (rows,)."""
        return datetimes.parse(text, self.parsed)

    def write(self, values: pa.Array) -> pa.Array:
        """Return the text of moments, (rows,)."""
        if pa.types.is_timestamp(values.type) and values.type != TIMESTAMP:
            values = values.cast(TIMESTAMP, safe=False)
        ahead = self._ahead(values)
        values = pc.add(values, pc.multiply(ahead, 60_000_000).cast(pa.duration("us")))
        seconds = pc.floor_temporal(values, unit="second").cast(pa.timestamp("s"))
        zone = self._zones(ahead) if self.place else pa.scalar(self.zone or "+0000")
        pieces = [zone if piece == "%z" else self._written(piece, values, seconds) for piece in _pieces(self.pattern)]
        return pieces[0] if len(pieces) == 1 else pc.binary_join_element_wise(*pieces, "")

    def _ahead(self, values: pa.Array) -> pa.Array | pa.Scalar:
        """Return the minutes that the clock of each moment is ahead of UTC."""
        if not self.place:
            return pa.scalar(self.offset_min, pa.int64())
        moments = pc.fill_null(values.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return pa.array(minutes_ahead(moments, self.place), pa.int64())

    def _zones(self, ahead: pa.Array) -> pa.Array:
        """Return how the zones of some minutes are written, (rows,)."""
        mark = ":" if ":" in self.zone else ""
        found = pc.dictionary_encode(ahead)
        names = [f"{'-' if one < 0 else '+'}{abs(one) // 60:02d}{mark}{abs(one) % 60:02d}"
                 for one in found.dictionary.to_pylist()]  # fmt: skip
        return pa.array(names, pa.string()).take(found.indices)

    def _cased(self, text: pa.Array) -> pa.Array:
        return {"upper": pc.utf8_upper, "lower": pc.utf8_lower}[self.case](text) if self.case else text

    def _written(self, piece: str, values: pa.Array, seconds: pa.Array) -> pa.Array | pa.Scalar:
        if piece in ("%f", ".%f", ",%f"):
            return self._fraction(values, piece[:-2])
        if piece.startswith("%-"):
            return pc.replace_substring_regex(pc.strftime(seconds, "%" + piece[2]), "^0", "")
        return self._cased(pc.strftime(seconds, piece)) if "%" in piece else pa.scalar(piece)

    def _fraction(self, values: pa.Array, mark: str) -> pa.Array:
        micros = pc.add(pc.multiply(pc.millisecond(values), 1000), pc.microsecond(values))
        digits = pc.utf8_lpad(micros.cast(pa.string()), 6, "0")
        if self.most > 6:
            below = pc.utf8_lpad(_below_a_microsecond(values).cast(pa.string()), 3, "0")
            digits = pc.binary_join_element_wise(digits, below, "")
        always = pc.utf8_slice_codeunits(digits, 0, self.least)
        sometimes = pc.utf8_rtrim(pc.utf8_slice_codeunits(digits, self.least, self.most), "0")
        digits = pc.binary_join_element_wise(always, sometimes, "")
        return pc.if_else(pc.equal(digits, ""), "", pc.binary_join_element_wise(pa.scalar(mark), digits, ""))

    def typed(self, values: pa.Array) -> pa.Array:
        """Return moments in the arrow type of parquet output, (rows,)."""
        arrow, types = self.arrow, pa.types
        if types.is_time(arrow):
            micros = values.cast(pa.int64())
            within = pc.subtract(micros, pc.multiply(pc.divide(micros, DAY_US), DAY_US))
            return within.cast(pa.time64("us")).cast(arrow, safe=False)
        if types.is_timestamp(arrow):
            moved = values.cast(pa.timestamp(arrow.unit), safe=False)
            if self.nanos:
                moved = pc.add(moved.cast(pa.int64()), _below_a_microsecond(values)).cast(pa.timestamp("ns"))
            return pc.assume_timezone(moved, "UTC").cast(arrow) if arrow.tz else moved
        return super().typed(values)

    def stored_of(self, values: pa.Array) -> pa.Array:
        """Return moments of any temporal type as stored, (rows,)."""
        if pa.types.is_time(values.type):
            return values.cast(pa.time64("us"), safe=False).cast(pa.int64()).cast(TIMESTAMP)
        if pa.types.is_timestamp(values.type):
            return values.cast(pa.timestamp("us", tz=values.type.tz), safe=False).cast(TIMESTAMP)
        return super().stored_of(values)

    def in_words(self) -> str:
        """Return the format in words."""
        zone = f"the time of {self.place}" if self.place else self.zone.strip()
        return f"written as {self.pattern}" + (f" in {zone}" if zone else "")


def _below_a_microsecond(values: pa.Array) -> pa.Array:
    """Return 0 to 999 for each moment, the same for the same moment."""
    mixed = pc.shift_right(pc.multiply(pc.bit_wise_and(values.cast(pa.int64()), 0xFFFFFFFF), _NANOS_MIX), 7)
    return pc.subtract(mixed, pc.multiply(pc.divide(mixed, 1000), 1000))


def _pieces(pattern: str) -> list[str]:
    """Split a pattern into what is written each by its own means.

    >>> _pieces("%Y-%-m-%d %H:%M:%S.%f%z")
    ['%Y-', '%-m', '-%d %H:%M:%S', '.%f', '%z']
    """
    parts = re.split(r"([.,]?%f|%z|%-[a-zA-Z])", pattern)
    return [part for part in parts if part]
