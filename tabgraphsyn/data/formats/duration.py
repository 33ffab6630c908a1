"""Spans of time in a format: hours:minutes:seconds beyond a day, ISO 8601 periods, pandas' days, 7h 28m."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.base import Format, Short, Small, each, matched

_SECOND = 1_000_000
_ISO_US = {"W": 7 * 86_400 * _SECOND, "D": 86_400 * _SECOND, "H": 3_600 * _SECOND, "M": 60 * _SECOND, "S": _SECOND}
_ISO = (
    r"^(?P<sign>-?)P(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+(?:\.\d+)?)S)?)?$"
)
_LESS = {"W": r"\d+", "D": "[0-6]", "H": r"0?\d|1\d|2[0-3]", "M": r"[0-5]?\d", "S": r"[0-5]?\d(?:\.\d{1,6})?"}
"""Digits of a unit that stands after a larger one."""
_WORDS = {
    "W": {"w", "wk", "wks", "week", "weeks"},
    "D": {"d", "day", "days", "tag", "tage", "t"},
    "H": {"h", "hr", "hrs", "hour", "hours", "std", "std.", "stunde", "stunden"},
    "M": {"m", "min", "mins", "min.", "minute", "minutes", "minuten"},
    "S": {"s", "sec", "secs", "sec.", "sek", "sek.", "second", "seconds", "sekunden"},
}
_CLOCK = r"^(?P<sign>-?)(?:(?P<D>\d+) days?,? )?(?P<H>\d+):(?P<M>[0-5]\d)(?P<rest>:(?P<S>[0-5]\d)(?P<f>\.\d{1,9})?)?$"


@dataclass(frozen=True, kw_only=True)
class DurationFormat(Format):
    """A span of time, stored in microseconds as int64.

    Attributes:
        style: ``clock`` (29:59:59), ``days`` (1 days 05:59:59), ``iso`` (P1DT5H), ``words`` (7h 28m), or ``number`` (a
            typed duration).
        width: digits of the hours at least; ``words``: of every unit but the first.
        parts: ``iso``: the units that every value has, e.g. ``DH``; empty where those of zero are left out.
            ``clock``: ``HM`` or ``HMS``. ``words``: the units, largest first.
        decimals: digits of the seconds' fraction.
        words: ``words``: what stands after the number of each unit; ``(s)`` where only one has no s.
        gap: ``words``: what stands between two units.
        skips: ``words``: units of zero are left out.
    """

    kind = "duration"
    style: Short = "clock"
    width: Small = 1
    parts: Short = "HMS"
    decimals: Small = 0
    words: tuple[Short, ...] = ()
    gap: Short = ""
    skips: bool = False

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: known units, each with its word."""
        yield self.style != "words" or len(self.words) == len(self.parts), "a word for each unit"
        yield self.style not in ("words", "iso") or set(self.parts) <= set("WDHMS"), "units among W, D, H, M, S"

    @property
    def stored(self) -> pa.DataType:
        """Microseconds."""
        return pa.int64()

    def read(self, text: pa.Array) -> pa.Array:
        """Return the spans that texts spell, (rows,)."""
        parts = matched(text, self._pattern, self.style)
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
        return each(values, {"iso": self._iso, "words": self._worded}.get(self.style, self._clock))

    @property
    def _pattern(self) -> str:
        if self.style != "words":
            return _ISO if self.style == "iso" else _CLOCK
        units = []
        for place, (unit, word) in enumerate(zip(self.parts, self.words, strict=True)):
            digits = _LESS[unit] if place else r"\d+" + (r"(?:\.\d{1,6})?" if unit == "S" else "")
            label = re.escape(word.removesuffix("(s)")) + ("s?" if word.endswith("(s)") else "")
            gap = f"(?:{re.escape(self.gap)})" + ("?" if self.skips else "") if place else ""
            units.append(f"(?:{gap}(?P<{unit}>{digits}){label})" + ("?" if self.skips else ""))
        return "^(?P<sign>-?)" + "".join(units) + "$"

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

    def _worded(self, value: int) -> str:
        """Return one span in units with their words.

        >>> DurationFormat(style="words", parts="HM", words=("h", "m"), gap=" ")._worded(26_880_000_000)
        '7h 28m'
        """
        found: list[str] = []
        sign, value = ("-" if value < 0 else ""), abs(value)
        for place, (unit, word) in enumerate(zip(self.parts, self.words, strict=True)):
            amount, value = divmod(value, _ISO_US[unit])
            is_last = place + 1 == len(self.parts)
            if self.skips and not amount and not (is_last and (not found or (unit == "S" and value and self.decimals))):
                continue
            plural = "" if amount == 1 else "s"
            label = word.removesuffix("(s)") + plural if word.endswith("(s)") else word
            fraction = f".{value:06d}"[: self.decimals + 1] if unit == "S" and self.decimals else ""
            found.append(f"{amount:0{self.width if place else 1}d}{fraction}{label}")
        return sign + self.gap.join(found)

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
    if len(hours) < len(clocks):
        return _worded_format(plain)
    if len({bool(one[2]) for one in hours}) > 1:
        return None
    parts = "HMS" if hours[0][2] else "HM"
    return DurationFormat(width=min(len(one[1]) for one in hours), parts=parts, decimals=_decimals(plain))


def _worded_format(shapes: list[str]) -> DurationFormat | None:
    """Return the format of spans in units with words, None where they are none.

    >>> _worded_format(["9h 99m", "99h 9m", "99m"])
    DurationFormat(type='', style='words', width=1, parts='HM', decimals=0, words=('h', 'm'), gap=' ', skips=True)
    >>> _worded_format(["9 km", "99 m"]), _worded_format(["99 min"]), _worded_format(["9m 9h"])
    (None, None, None)
    """
    words: dict[str, set[str]] = {}
    digits: dict[str, set[int]] = {}
    gaps, decimals, held = set(), 0, set()
    for shape in shapes:
        found = re.findall(r"(9+)(\.9{1,6})?( ?[^\W\d_]+\.?)(,? ?)", shape.removeprefix("-"))
        if not found or "".join(map("".join, found)) != shape.removeprefix("-") or found[-1][3]:
            return None
        units = [next((unit for unit, own in _WORDS.items() if one[2].strip().lower() in own), "") for one in found]
        places = ["WDHMS".find(unit) for unit in units]
        if "" in units or places != sorted(set(places)) or any(one[1] for one in found[:-1]):
            return None
        gaps |= {one[3] for one in found[:-1]}
        decimals = max(decimals, len(found[-1][1]) - 1) if units[-1] == "S" else decimals
        held.add("".join(units))
        for unit, one in zip(units, found, strict=True):
            words.setdefault(unit, set()).add(one[2])
            digits.setdefault(unit, set()).add(len(one[0]))
    labels = [_label(words[unit]) for unit in "WDHMS" if unit in words]
    if len(words) < 2 or len(gaps) != 1 or None in labels:
        return None
    parts = "".join(unit for unit in "WDHMS" if unit in words)
    width = 2 if all(digits[unit] == {2} for unit in parts[1:]) else 1
    return DurationFormat(
        style="words", width=width, parts=parts, decimals=decimals, gap=gaps.pop(), skips=held != {parts},
        words=tuple(one for one in labels if one is not None),
    )  # fmt: skip


def _label(words: set[str]) -> str | None:
    """Return one word, or the two that differ by the s of many."""
    shorter, *longer = sorted(words, key=len)
    if not longer:
        return shorter
    return f"{shorter}(s)" if longer == [f"{shorter}s"] else None


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
