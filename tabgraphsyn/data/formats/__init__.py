"""How columns are written: formats, decided over whole columns, that give every value back as it was read."""

from __future__ import annotations

from typing import get_args

from tabgraphsyn.data.formats.base import Format
from tabgraphsyn.data.formats.duration import DurationFormat
from tabgraphsyn.data.formats.mixed import MixedFormat
from tabgraphsyn.data.formats.moment import DatetimeFormat
from tabgraphsyn.data.formats.number import NumberFormat
from tabgraphsyn.data.formats.plain import BooleanFormat, TypedFormat, WideFormat

AnyFormat = BooleanFormat | DatetimeFormat | DurationFormat | MixedFormat | NumberFormat | TypedFormat | WideFormat
"""All kinds of formats, a closed list."""
FORMATS: dict[str, type[Format]] = {one.kind: one for one in get_args(AnyFormat)}

__all__ = ["FORMATS", "AnyFormat", "BooleanFormat", "DatetimeFormat", "DurationFormat", "Format", "MixedFormat",
           "NumberFormat", "TypedFormat", "WideFormat"]  # fmt: skip
