"""Numbers and spans of time among the texts of a column: all of them in one format, or most in a few."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats import MixedFormat, NumberFormat
from tabgraphsyn.data.formats.duration import duration_format
from tabgraphsyn.data.formats.shapes import Marks, NumberShape, is_code, marks_of, number_format, number_shape
from tabgraphsyn.data.ingest.column_view import ColumnView, Decision, Habits
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.evidence import trimmed

MOST_FORMS = 6
MOST_WORDS = 30
LEAST_SHARE = 0.3
FEW_VALUES = 50
"""A column of at most so many values is a category, whatever they look like."""


def numbers_of(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the format in which every text is a number, None where there is none."""
    shapes = _all_numbers(view)
    if not shapes or len({(one.prefix, one.suffix) for one in shapes}) > 1:
        return None
    marks = _marks(shapes, view, habits)
    format = None if marks is None else number_format(shapes, marks)
    if (
        format is None
        or marks is None
        or not _suits_source(view, format)
        or not view.reads(_whole_or_not(format, view))
    ):
        return None
    format = _whole_or_not(format, view)
    note = ""
    if not marks.is_told:
        meant = "thousands" if marks.thousands else "decimals"
        note = (
            f"the mark stands before three digits every time and was taken as one of {meant}; "
            f"dataset.formats={{{view.where}: '1.234,5'}} or '1,234.5' says which it is"
        )
    if _is_plain(format):
        format = _typed_as_file(format, view)
        is_int = format.whole and not format.least and not format.type
        return Decision(Target(pa.int64()) if is_int else Target.of(format), note=note, is_open=not marks.is_told)
    return Decision(Target.of(_typed_as_file(format, view)), None, note, _habits(shapes, marks), not marks.is_told)


def are_codes(view: ColumnView) -> bool:
    """Return whether every text could be read as a number but stands for something: +49..., the well 9E6, 007."""
    shapes = _all_numbers(view)
    if not shapes:
        return False
    return is_code(shapes, Marks(".", ""))


def _all_numbers(view: ColumnView) -> list[NumberShape]:
    evidence = view.evidence
    if evidence.is_open or not evidence.shapes:
        return []
    shapes = [number_shape(shape, rows) for shape, rows in evidence.shapes.items()]
    return [] if None in shapes else shapes  # type: ignore[return-value]


def _marks(shapes: list[NumberShape], view: ColumnView, habits: Habits) -> Marks | None:
    cores: Counter[str] = Counter()
    for shape in shapes:
        cores[shape.core] += shape.rows
    hint = habits.is_comma
    if hint is None and view.scan.decimal_comma and any("," in core for core in cores):
        hint = True  # fields are not separated by commas: the file is no English one
    return marks_of(cores, hint)


def _habits(shapes: list[NumberShape], marks: Marks) -> Habits:
    found = Habits()
    if marks.is_told and any("," in one.core or "." in one.core for one in shapes):
        found.comma[marks.mark == ","] += 1
    return found


def _is_plain(format: NumberFormat) -> bool:
    is_bare = not (format.prefix or format.suffix or format.thousands or format.plus or format.exponent)
    return is_bare and format.mark == "." and format.negative == "-"


def _suits_source(view: ColumnView, format: NumberFormat) -> bool:
    """Return False for digits that a typed file holds as text: whoever wrote it meant a code."""
    return view.scan.as_written or not (_is_plain(format) and format.most == 0)


def _whole_or_not(format: NumberFormat, view: ColumnView) -> NumberFormat:
    """Store 3.0 as 3 where every number is whole."""
    is_whole = (
        not format.exponent
        and format.most > 0
        and all(
            re.fullmatch(r"[^.,]*", value) or re.search(rf"{re.escape(format.mark)}0+\D*$", value)
            for value in view.evidence.values
        )
    )
    if not is_whole or view.evidence.has_many_values:
        is_whole = view.scan.as_written and "float" in view.scan.alive and view.scan.whole and not view.scan.infinite
    return replace(format, whole=True) if is_whole and not format.exponent else format


def _typed_as_file(format: NumberFormat, view: ColumnView) -> NumberFormat:
    return replace(format, type=str(view.scan.arrow)) if view.scan.arrow is not None else format


def duration_of(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the format in which every text is a span of time, None where there is none."""
    evidence = view.evidence
    if evidence.is_open or not evidence.shapes:
        return None
    format = duration_format(list(evidence.shapes))
    return Decision(Target.of(format)) if format is not None and view.reads(format) else None


def mixed_numbers(view: ColumnView, habits: Habits) -> Decision | None:
    """Return the formats of a column in which most texts are numbers and the others are few words."""
    evidence = view.evidence
    if evidence.is_open or len(evidence.values) <= FEW_VALUES:
        return None
    groups: dict[tuple[str, str], list[NumberShape]] = {}
    words = 0
    for shape, rows in evidence.shapes.items():
        parsed = number_shape(shape, rows)
        if parsed is None:
            words += 1
        else:
            groups.setdefault((parsed.prefix, parsed.suffix), []).append(parsed)
    rows = sum(shape.rows for group in groups.values() for shape in group)
    if not groups or len(groups) > MOST_FORMS or words > MOST_WORDS or rows < LEAST_SHARE * evidence.rows:
        return None
    marks = _marks([shape for group in groups.values() for shape in group], view, habits)
    if marks is None:
        return None
    formats = [number_format(group, marks) for group in groups.values()]
    if None in formats or (len(formats) == 1 and not words):
        return None
    whole = all(one.whole for one in formats if one is not None)
    forms = tuple(_form(one, whole) for one in formats if one is not None)
    if not view.scan.as_written and all(_is_plain(one) and not one.most for one in forms):
        return None
    format = MixedFormat(forms=forms, shapes=tuple(one.pattern for one in forms))
    if not splits(view, format):
        return None
    return Decision(Target.of(format), habits=_habits([one for group in groups.values() for one in group], marks))


def _form(format: NumberFormat, whole: bool) -> NumberFormat:
    return replace(format, whole=whole)


def splits(view: ColumnView, format: MixedFormat) -> bool:
    """Return whether the format reads the column, leaving few words."""
    words: set[str] = set()
    try:
        for batch in view.raw.batches([view.name]):
            text = trimmed(batch.column(0))
            values, _ = format.split(text)
            left = pc.unique(text.filter(pc.and_(pc.is_null(values), pc.is_valid(text))))
            words |= set(left.to_pylist())
            if len(words) > MOST_WORDS:
                return False
    except (pa.ArrowInvalid, ValueError, OverflowError):
        return False
    return True
