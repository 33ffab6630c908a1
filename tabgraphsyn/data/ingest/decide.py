"""What every column of a database becomes: a plain type and a format, by what all of its values say together.

A column is asked in turn whether all of its texts are numbers, dates, spans of time in one format; then whether most
are in a few formats, with words among them. Where a column leaves it open (01/02/2024) the other columns decide.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa

from tabgraphsyn.data.formats import BooleanFormat, DatetimeFormat, NumberFormat
from tabgraphsyn.data.formats.arrow_types import TIMESTAMP
from tabgraphsyn.data.ingest.column_scan import FALSE_WORDS, TRUE_WORDS
from tabgraphsyn.data.ingest.column_view import ColumnView, Decision, Habits, as_text
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.date_formats import dates_of_digits, dates_of_text, mixed_dates, wanted_date
from tabgraphsyn.data.ingest.number_formats import are_codes, duration_of, mixed_numbers, numbers_of
from tabgraphsyn.data.ingest.typed_formats import typed_target
from tabgraphsyn.data.schema import Column
from tabgraphsyn.errors import listing

AS_TEXT = "text"


def decide(view: ColumnView, habits: Habits) -> Decision:
    """Return what a column becomes by its declared meaning, or by its values alone where nothing is declared."""
    if view.scan.kind == "empty":
        return Decision(Target(_declared_type(view.declared) if view.declared else pa.string()))
    if view.wanted is not None:
        return _wanted(view, view.wanted)
    if view.declared is None:
        return natural(view, habits)
    meaning = view.declared.sdtype
    if meaning == "numerical":
        return _numerical(view, habits)
    if meaning == "boolean":
        return _boolean(view)
    if meaning == "datetime":
        return _datetime(view, habits)
    if meaning == "categorical" and view.scan.kind in ("integer", "float", "boolean"):
        return natural(view, habits, may_be_date=False)
    if meaning == "categorical" and view.scan.kind == "text":
        found = natural(view, habits, may_be_date=False)  # 19 %: a category that arithmetic reads
        if isinstance(found.target.format, NumberFormat):
            return found
    if meaning == "id" and view.scan.kind == "integer" and not view.scan.has_plus:
        return Decision(typed_target(view.scan) or Target(pa.int64()))
    typed = typed_target(view.scan)
    is_wide = typed is not None and typed.type == pa.string()
    return Decision(typed if typed is not None and is_wide else as_text(view.scan))


def natural(view: ColumnView, habits: Habits, *, may_be_date: bool = True) -> Decision:
    """Return what the values themselves ask for."""
    scan = view.scan
    typed = typed_target(scan)
    if typed is not None:
        return Decision(typed)
    if scan.kind == "boolean":
        return _spelled_boolean(view)
    if scan.kind == "integer" and not scan.has_plus:
        dates = dates_of_digits(view, habits) if may_be_date else None
        return dates or Decision(Target(pa.int64()))
    readers = [numbers_of, duration_of, mixed_numbers]
    if may_be_date:
        readers = [dates_of_text, numbers_of, dates_of_digits, duration_of, mixed_dates, mixed_numbers]
    for reader in readers:
        found = reader(view, habits)
        if found is not None:
            return found
    if scan.kind in ("integer", "float") and not are_codes(view):
        return Decision(_loose_number(view))
    return Decision(as_text(scan))


def _loose_number(view: ColumnView) -> Target:
    """Return the target of numbers that no one format writes: some with exponents, some without."""
    if view.scan.has_decimal_comma:
        return Target.of(NumberFormat(whole=view.scan.is_whole, most=15, mark=","))
    return Target(pa.int64() if view.scan.is_whole and not view.scan.infinite else pa.float64())


def _declared_type(column: Column) -> pa.DataType:
    if column.sdtype == "numerical":
        return pa.int64() if column.computer_representation == "Int64" else pa.float64()
    return {"boolean": pa.bool_(), "datetime": TIMESTAMP}.get(column.sdtype, pa.string())


def _numerical(view: ColumnView, habits: Habits) -> Decision:
    scan, column = view.scan, view.declared
    assert column is not None
    found = natural(view, habits, may_be_date=False)
    target, format = found.target, found.target.format
    if scan.is_number and not _is_number(target):
        target = _loose_number(view)  # the metadata says that leading zeros, or a plus, mean nothing
    elif not _is_number(target):
        examples = f" (first: {listing(scan.non_numbers)})" if scan.non_numbers else ""
        return Decision(
            target,
            f"{view.where}: numerical in the metadata, but some values are no numbers{examples}. Set sdtype to "
            f"'categorical', mend the values, or add what stands for a missing value to dataset.null_values.",
        )
    if column.computer_representation == "Float" and target.type == pa.int64():
        if format is None:
            return replace(found, target=Target(pa.float64()))
        if isinstance(format, NumberFormat):
            return replace(found, target=Target.of(replace(format, whole=False)))
    if column.computer_representation == "Int64" and target.type == pa.float64():
        return Decision(
            target,
            f"{view.where}: computer_representation 'Int64' means whole numbers, found "
            f"{listing(scan.fractional_examples) or 'infinity'}. Set it to 'Float'.",
        )
    return replace(found, target=target)


def _is_number(target: Target) -> bool:
    if target.format is not None and target.format.holds_numbers_as_text:
        return True
    return target.type in (pa.int64(), pa.float64())


def _boolean(view: ColumnView) -> Decision:
    scan = view.scan
    if scan.typed == "boolean":
        return Decision(Target(pa.bool_()))
    if scan.kind != "boolean" and "words" not in scan.alive:
        return Decision(Target(pa.bool_()), f"{view.where}: boolean in the metadata, but its values are {scan.kind}.")
    words = [word for word, _ in view.evidence.values.most_common()]
    true = next((word for word in words if word.lower() in TRUE_WORDS), None)
    false = next((word for word in words if word.lower() in FALSE_WORDS), None)
    if len({word.lower() for word in words}) > 2:  # yes beside true: one spelling is as good as another
        return Decision(Target(pa.bool_()))
    opposite = dict(zip((*TRUE_WORDS, *FALSE_WORDS), (*FALSE_WORDS, *TRUE_WORDS), strict=True))
    true = true or _cased(opposite[str(false).lower()], str(false))
    return Decision(Target.of(BooleanFormat(true=true, false=false or _cased(opposite[true.lower()], true))))


def _cased(word: str, model: str) -> str:
    return word.upper() if model.isupper() else word if model.islower() else word.title()


def _spelled_boolean(view: ColumnView) -> Decision:
    """Return the target of true and false, in the spelling that most of them have."""
    words = [word for word, _ in view.evidence.values.most_common()]
    true, false = (next((w for w in words if w.lower() == x), _cased(x, words[0])) for x in ("true", "false"))
    return Decision(Target.of(BooleanFormat(true=true, false=false)))


def _datetime(view: ColumnView, habits: Habits) -> Decision:
    column = view.declared
    assert column is not None
    typed = typed_target(view.scan)
    if view.scan.typed == "datetime":
        return Decision(typed or Target.of(DatetimeFormat(pattern=view.scan.datetime_format or "%Y-%m-%d")))
    formats = view.scan.live_formats or []
    if column.datetime_format is not None and column.datetime_format in formats:
        return wanted_date(view, column.datetime_format)
    readers = (dates_of_text, dates_of_digits, mixed_dates)
    found = next((one for reader in readers if (one := reader(view, habits)) is not None), None)
    if found is not None and (column.datetime_format is None or found.target.type == pa.string()):
        return found
    if column.datetime_format is None:
        return Decision(
            Target(TIMESTAMP),
            f"{view.where}: datetime in the metadata, but its values are no dates in a known format. Set "
            f"datetime_format, or sdtype to 'categorical'.",
        )
    hint = f" They look like {formats[0]!r}." if formats else ""
    return Decision(
        Target(TIMESTAMP),
        f"{view.where}: datetime_format {column.datetime_format!r} does not fit all values.{hint} Correct it.",
    )


def _wanted(view: ColumnView, wanted: str) -> Decision:
    """Return what ``dataset.formats`` asks for: ``text``, a datetime pattern, or a number as an example."""
    if wanted == AS_TEXT:
        return Decision(as_text(view.scan))
    if "%" in wanted.rstrip("%"):
        found = wanted_date(view, wanted)
        if view.reads(found.target.format):  # type: ignore[arg-type]
            return found
        return Decision(found.target, f"dataset.formats.{view.where}: {wanted!r} does not fit all values. Correct it.")
    comma = _has_decimal_comma(wanted)
    told = Habits()
    told.comma[comma] += 1
    decision = numbers_of(view, told) or mixed_numbers(view, told)
    if decision is not None:
        return replace(decision, note="")
    return Decision(
        as_text(view.scan),
        f"dataset.formats.{view.where}: the values are no numbers like {wanted!r}. A format is 'text', a pattern such "
        f"as '%d/%m/%Y', or a number such as '1.234,56'.",
    )


def _has_decimal_comma(example: str) -> bool:
    """Return whether a number given as an example has a comma before its decimals.

    >>> [_has_decimal_comma(text) for text in ("1.234,5", "1,234.5", "1.234", "1,234", "1234.567")]
    [True, False, True, False, False]
    """
    marks = [character for character in example if character in ",."]
    before, after = re.fullmatch(r"\D*(\d*)[.,]?(\d*).*", example).groups()  # type: ignore[union-attr]
    if len(marks) == 1 and len(before) <= 3 and len(after) == 3:
        return marks == ["."]  # the mark stands before thousands
    return bool(marks) and marks[-1] == ","
