"""Dates and times among the texts of a column: all in one format, digits alone, or a few formats side by side."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.formats import DatetimeFormat, MixedFormat
from tabgraphsyn.data.formats.places import place_of
from tabgraphsyn.data.ingest.column_view import ColumnView, Decision, Habits, as_text
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.evidence import ZONE, families_of, trimmed
from tabgraphsyn.data.ingest.number_formats import FEW_VALUES, LEAST_SHARE, MOST_WORDS, splits

MOST_ZONES = 40
MOST_CLOCKS = 3
"""Zones of one place: in winter, in summer, and where its clock was set anew."""
LEAST_DISTINCT = 20
_DATE_WORDS = {"date", "day", "dob", "birth", "birthday", "born", "datum", "dt", "tag", "fecha", "data", "jour", "ymd",
               "yyyymmdd", "ddmmyyyy", "mmddyyyy", "month", "monat", "period", "seen", "since", "until", "yymmdd",
               "ddmmyy", "mmddyy"}  # fmt: skip
_CODE_ENDINGS = ("id", "key", "no", "nr", "code", "number", "zip", "plz", "sku", "uuid", "isbn", "ean")
_YEARS = (1900, 2100)


def dates_of_text(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the format in which every text is a date, None where there is none."""
    formats = [one for one in view.scan.live_formats or [] if _is_plausible(view, one)]
    return _chosen(view, formats, habits) if formats else None


def dates_of_digits(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the format of dates that are written as digits alone, None where the digits are something else."""
    scan = view.scan
    if scan.widths is None or scan.widths[0] != scan.widths[1] or scan.widths[0] not in datetimes.DIGITS:
        return None
    words = [word for word in re.split(r"[\W_]+", re.sub("([a-z])([A-Z])", r"\1 \2", view.name).lower()) if word]
    if not words or words[-1] in _CODE_ENDINGS or set(view.evidence.families) != {"9"}:
        return None
    named = bool(set(words) & _DATE_WORDS) or "date" in view.name.lower() or "datum" in view.name.lower()
    width = scan.widths[0]
    if not named and (width == 6 or len(view.evidence.values) < LEAST_DISTINCT):
        return None
    formats = [one for one in datetimes.DIGITS[width] if view.reads(DatetimeFormat(pattern=one))]
    formats = [one for one in formats if _is_plausible(view, one)]
    return _chosen(view, formats, habits) if formats else None


def _is_plausible(view: ColumnView, pattern: str) -> bool:
    """Return False for months and digits of years that no table holds: they are codes."""
    is_marked = bool(set("-/. :T,") & set(pattern)) and pattern not in datetimes.MONTHS
    if is_marked or "%Y" not in pattern:
        return True
    for batch in view.raw.batches([view.name]):
        years = pc.year(datetimes.parse(trimmed(batch.column(0)), pattern))
        ends = pc.min_max(years).as_py()
        if ends["min"] is not None and not _YEARS[0] <= ends["min"] <= ends["max"] <= _YEARS[1]:
            return False
    return True


def swapped(pattern: str) -> str:
    """Return the pattern with day and month changed about.

    >>> swapped("%d/%m/%Y %H:%M")
    '%m/%d/%Y %H:%M'
    """
    return pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _chosen(view: ColumnView, formats: list[str], habits: Habits) -> Decision | None:
    """Return the first format; where day and month could change places, what other columns or the user say."""
    first = formats[0]
    other = swapped(first)
    if other == first or other not in formats:
        found = Habits()
        if re.match("%[dm][/-]%[dm]", first) or re.match("%[dm]%[dm]", first):
            found.day_first[first.startswith("%d")] += 1
        return replace(wanted_date(view, first), habits=found)
    if first.startswith("%d.") or first.startswith("%m."):
        return wanted_date(view, first if first.startswith("%d") else other)  # nobody writes 12.31.2024
    day_first = habits.is_day_first
    if day_first is None and not _all_alike(view, first, other):
        return _asked(view, first, other)
    return wanted_date(view, first if first.startswith("%d") == (day_first is not False) else other)


def _all_alike(view: ColumnView, first: str, other: str) -> bool:
    """Return whether day and month are the same in every value."""
    texts = [trimmed(batch.column(0)) for batch in view.raw.batches([view.name])]
    return all(datetimes.parse(text, first).equals(datetimes.parse(text, other)) for text in texts)


def _asked(view: ColumnView, first: str, other: str) -> Decision:
    setting = f"dataset.formats={{{view.where}: '{first}'}} or '{other}'"
    if len(view.evidence.values) <= FEW_VALUES:
        note = f"dates whose day and month cannot be told apart, kept as text; {setting} says which comes first"
        return Decision(as_text(view.scan), note=note, is_open=True)
    problem = (
        f"{view.where}: day and month cannot be told apart: every value is a date in {first!r} and in {other!r}. Say "
        f"which it is: {setting}."
    )
    return Decision(as_text(view.scan), problem, is_open=True)


def wanted_date(view: ColumnView, pattern: str) -> Decision:
    """Return the format of dates in a known pattern, refined by how the values spell it.

    Several zones in one column are the clock of a place that changes twice a year, or make several formats of it.
    """
    if view.scan.is_padded and pattern == view.scan.datetime_format:
        return Decision(Target.of(_typed_clock(DatetimeFormat(pattern=pattern), view)))
    zones = view.evidence.zones
    format = refined(pattern, list(view.evidence.shapes))
    if "%z" not in pattern:
        return Decision(Target.of(_typed_clock(format, view)))
    if len(zones) == 1:
        return Decision(Target.of(_in_zone(format, next(iter(zones)), view)))
    if not 1 < len(zones) <= MOST_ZONES:
        return Decision(Target.of(replace(format, zone="+00:00", type=_text_type(view))))
    forms = tuple(_in_zone(format, zone, view) for zone, _ in zones.most_common())
    place = _place(view, forms) if len(zones) <= MOST_CLOCKS else ""
    if place:
        return Decision(Target.of(replace(forms[0], offset_min=0, place=place)))
    return Decision(Target.of(MixedFormat(forms=forms, shapes=tuple(f"{re.escape(one.zone)}$" for one in forms))))


def _place(view: ColumnView, forms: tuple[DatetimeFormat, ...]) -> str:
    """Return the place whose clock a column shows, empty where there is none; zones are written in one way."""
    ahead = {one.zone: one.offset_min for one in forms}
    if "Z" in ahead or len({":" in zone for zone in ahead}) > 1:
        return ""
    moments, minutes = [], []
    for batch in view.raw.batches([view.name]):
        text = trimmed(batch.column(0)).drop_null()
        moments.append(forms[0].read(text).cast(pa.int64()).to_numpy())
        zones = pc.struct_field(pc.extract_regex(text, ZONE), ["zone"])
        minutes.append(np.array([ahead[one] for one in zones.to_pylist()], dtype=np.int64))
    return place_of(np.concatenate(moments), np.concatenate(minutes)) if moments else ""


def _in_zone(format: DatetimeFormat, zone: str, view: ColumnView) -> DatetimeFormat:
    digits = zone.replace(":", "")
    minutes = 0 if zone == "Z" else int(digits[1:3]) * 60 + int(digits[3:5])
    return replace(format, zone=zone, offset_min=-minutes if zone.startswith("-") else minutes, type=_text_type(view))


def _typed_clock(format: DatetimeFormat, view: ColumnView) -> DatetimeFormat:
    """Give a time of day the type of one, so that parquet output does not name a day."""
    if _text_type(view):
        return replace(format, type=_text_type(view))
    is_clock = not re.search("%-?[YymdbBjF]", format.pattern)
    return replace(format, type="time64[us]") if is_clock else format


def _text_type(view: ColumnView) -> str:
    return "" if view.scan.arrow is None or view.scan.typed is not None else str(view.scan.arrow)


_WIDTHS = {"d": "[9Z]{1,2}", "m": "[9Z]{1,2}", "H": "[9Z]{1,2}", "I": "[9Z]{1,2}", "M": "[9Z]{1,2}",
           "S": "[9Z]{1,2}", "Y": "[9Z]{4}", "y": "[9Z]{2}", "b": r"[^\W\d_]{3}", "B": r"[^\W\d_]+", "p": "[AaPp][Mm]",
           "f": "[9Z]+", "a": r"[^\W\d_]{3}", "A": r"[^\W\d_]+", "z": r"(?:Z|[+-][9Z]{2}:?[9Z]{2})"}  # fmt: skip


def refined(pattern: str, shapes: list[str]) -> DatetimeFormat:
    """Return the format of a pattern: which directives have no leading zero, digits of the fraction, case of names.

    >>> refined("%m/%d/%y", ["9/9/99", "99/9/99"]).pattern
    '%-m/%-d/%y'
    >>> refined("%H:%M:%S.%f", ["99:99:99.999", "99:99:99"])
    DatetimeFormat(type='', pattern='%H:%M:%S.%f', least=0, most=3, zone='', offset_min=0, nanos=False, case='')
    """
    found = [parts for shape in shapes if (parts := re.fullmatch(_shape_pattern(pattern), shape))]
    widths = {name: {len(parts[name] or "") for parts in found} for name in (found[0].re.groupindex if found else ())}
    spelled = pattern
    for name in "dmHIMS":
        if 1 in widths.get(name, ()):
            spelled = spelled.replace(f"%{name}", f"%-{name}")
    names = {parts[name] for parts in found for name in ("a", "A", "b", "B", "p") if name in widths and parts[name]}
    case = "upper" if names and all(one.isupper() for one in names) else ""
    case = "lower" if names and all(one.islower() for one in names) else case
    if set("aAbB") & set(widths) == set() and case == "upper":
        case = ""  # AM and PM are upper case anyway
    if "f" not in widths:
        return DatetimeFormat(pattern=spelled, case=case)
    least, most = min(widths["f"]), min(max(widths["f"]), 9)
    return DatetimeFormat(pattern=spelled, least=least, most=most, nanos=most > 6, case=case)


def _shape_pattern(pattern: str) -> str:
    text = ""
    for piece in re.findall(r"[.,]?%f|%.|[^%.,]+|.", pattern):
        if piece.endswith("%f"):
            text += f"(?:{re.escape(piece[:-2])}(?P<f>[9Z]+))?"
        elif piece.startswith("%") and piece[1:] in _WIDTHS:
            text += f"(?P<{piece[1:]}>{_WIDTHS[piece[1:]]})"
        else:
            text += re.escape(re.sub("[0-9]", "9", piece))
    return text


def mixed_dates(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the formats of a column in which most texts are dates, in a few formats, and the others are few words."""
    families = view.evidence.families
    if view.evidence.is_open or len(view.evidence.values) <= FEW_VALUES or len(families) > MOST_WORDS:
        return None
    patterns = {family: _family_pattern(family) for family in families if "9" in family}
    found = {family: formats for family in patterns if (formats := _formats_of(view, family, patterns[family]))}
    for family in patterns.keys() - found.keys():  # 0000-00-00 among dates is a word for none
        patterns[family] = _family_pattern(family, is_zero=False)
        formats = [one for one in _formats_of(view, family, patterns[family]) if one[:2] in ("%Y", "%d", "%m")]
        found |= {family: formats} if formats else {}
    rows = sum(families[family] for family in found)
    is_one = len(found) == 1 and len(families) == 1 and patterns[next(iter(found))] == _family_pattern(*found)
    if not found or rows < LEAST_SHARE * view.evidence.rows or is_one:
        return None
    forms, shapes = [], []
    for family, formats in sorted(found.items(), key=lambda item: -families[item[0]]):
        chosen = _by_habit(formats, habits)
        if chosen is None:
            return None
        own = [shape for shape in view.evidence.shapes if _family_of(shape) == family]
        forms.append(replace(refined(chosen, own), type=""))
        shapes.append(patterns[family])
    format = MixedFormat(forms=tuple(forms), shapes=tuple(shapes))
    if any("%z" in one.pattern for one in forms) or not splits(view, format):
        return None
    return Decision(Target.of(format))


def _by_habit(formats: list[str], habits: Habits) -> str | None:
    other = swapped(formats[0])
    if other == formats[0] or other not in formats or formats[0].startswith("%d."):
        return formats[0]
    if habits.is_day_first is None:
        return None
    return next(one for one in (formats[0], other) if one.startswith("%d") == habits.is_day_first)


def _formats_of(view: ColumnView, family: str, pattern: str) -> list[str]:
    """Return the datetime formats that all texts of one family, and of a pattern, are written in."""
    formats: list[str] | None = None
    for batch in view.raw.batches([view.name]):
        text = trimmed(batch.column(0)).drop_null()
        own = text.filter(pc.and_(pc.equal(families_of(text), family), pc.match_substring_regex(text, pattern)))
        if not len(own):
            continue
        tried = datetimes.KNOWN_FORMATS if formats is None else formats
        head = own.slice(0, 64)
        formats = [one for one in tried if datetimes.matches(head, one) and datetimes.matches(own, one)]
        if not formats:
            return []
    return [one for one in formats or [] if one not in datetimes.MONTHS]


def _family_of(text: str) -> str:
    return re.sub("[0-9]+", "9", re.sub(r"[^\W\d_]+", "a", re.sub("Z(?=[9:./-]|$)", "9", text)))


def _family_pattern(family: str, *, is_zero: bool = True) -> str:
    escaped = re.escape(family).replace("9", "[0-9]+")
    if not is_zero:  # the first number of a date is never 0
        escaped = escaped.replace("[0-9]+", "[0-9]*[1-9][0-9]*", 1)
    return "^" + re.sub("a", r"\\pL+", escaped) + "$"
