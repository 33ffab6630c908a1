"""How columns are written: formats, decided over whole columns, that give every value back as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabgraphsyn.data.formats.base import Format
from tabgraphsyn.data.formats.duration import DurationFormat
from tabgraphsyn.data.formats.mixed import MixedFormat
from tabgraphsyn.data.formats.moment import DatetimeFormat
from tabgraphsyn.data.formats.number import NumberFormat
from tabgraphsyn.data.formats.plain import BooleanFormat, TypedFormat, WideFormat

FORMATS: dict[str, type[Format]] = {
    one.kind: one
    for one in (BooleanFormat, DatetimeFormat, DurationFormat, MixedFormat, NumberFormat, TypedFormat, WideFormat)
}

__all__ = ["FORMATS", "BooleanFormat", "DatetimeFormat", "DurationFormat", "Format", "MixedFormat", "NumberFormat",
           "TypedFormat", "WideFormat", "format_from_dict"]  # fmt: skip


def format_from_dict(raw: Mapping[str, Any]) -> Format:
    """Read what ``to_dict`` of a format wrote."""
    return FORMATS[raw["kind"]].from_dict(raw)
