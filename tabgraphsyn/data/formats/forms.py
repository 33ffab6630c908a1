"""What a column's ``format`` may be in json: read off the formats themselves, so that a new field is no work here."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from tabgraphsyn.data.formats import (
    BooleanFormat,
    DatetimeFormat,
    DurationFormat,
    Format,
    NumberFormat,
    TypedFormat,
    WideFormat,
)
from tabgraphsyn.data.untrusted import Form

# Widths and decimals are small; text of a format stands in every value.
_LIMITS: dict[Any, Any] = {
    int: Annotated[int, Meta(ge=-2_000, le=2_000)],
    str: Annotated[str, Meta(max_length=300)],
    bool: bool,
}


def _form(format: type[Format]) -> Any:
    """Return the form of a format whose fields are whole numbers, texts and truths."""
    hints = get_type_hints(format)
    declared = [
        (one.name, _LIMITS[hints[one.name]])
        if one.default is MISSING
        else (one.name, _LIMITS[hints[one.name]], one.default)
        for one in fields(format)
    ]
    return msgspec.defstruct(
        f"{format.__name__}Form", declared, bases=(Form,), tag=format.kind, tag_field="kind", kw_only=True
    )


BooleanFormatForm: Any = _form(BooleanFormat)
DatetimeFormatForm: Any = _form(DatetimeFormat)
DurationFormatForm: Any = _form(DurationFormat)
NumberFormatForm: Any = _form(NumberFormat)
TypedFormatForm: Any = _form(TypedFormat)
WideFormatForm: Any = _form(WideFormat)
_Single: Any = NumberFormatForm | DatetimeFormatForm


class MixedFormatForm(Form, tag="mixed", tag_field="kind"):
    """``MixedFormat``."""

    forms: Annotated[list[_Single], Meta(min_length=1, max_length=100)]
    shapes: list[Annotated[str, Meta(max_length=2_000)]]

    def __post_init__(self) -> None:
        if len(self.forms) != len(self.shapes):
            raise ValueError("one shape for each form")


FormatForm: Any = (
    BooleanFormatForm
    | DatetimeFormatForm
    | DurationFormatForm
    | MixedFormatForm
    | NumberFormatForm
    | TypedFormatForm
    | WideFormatForm
)
