"""Conditions on a column, as they are written on a command line, and which values meet them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats import Format
from tabgraphsyn.errors import ConfigError

FILLED = "filled"
_COMPARED = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_WRITTEN = re.compile(r"\s*(?P<name>[^=<>!]+?)\s*(?P<operator><=|>=|!=|=|<|>|\s+in\s+)\s*(?P<values>.*?)\s*", re.DOTALL)
_IN = re.compile(r"\s*(?P<name>[^=<>!]+?)\s+(?P<operator>in)\s+(?P<values>.*?)\s*", re.DOTALL)
MOST_LISTED = 10_000
"""Values of one ``in``."""


@dataclass(frozen=True)
class Written:
    """A condition as a user wrote it, its values still text."""

    table: str
    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """What a column's values must be.

    Attributes:
        column: its name.
        operator: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, or ``filled``.
        values: what is compared with, in the column's stored type: one value, several for ``in``, none for ``filled``.
        format: how the column is written; numbers that are stored as text are compared as numbers.
        text: as the user wrote it.
    """

    column: str
    operator: str
    values: pa.Array
    format: Format | None = None
    text: str = ""

    def holds(self, values: pa.Array) -> np.ndarray:
        """Return which values meet it, (rows,) bool; a null meets none."""
        if self.operator == FILLED:
            found = pc.is_valid(values)
        elif self.operator == "in":
            found = pc.and_(pc.is_valid(values), pc.is_in(values, value_set=self.values.cast(values.type)))
        else:
            left, right = self._plain(values), self._plain(self.values.cast(values.type))
            found = pc.fill_null(_COMPARED[self.operator](left, right[0]), False)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)

    @property
    def single(self) -> pa.Array | None:
        """The one value that meets it, None where several may."""
        return self.values if self.operator in ("=", "in") and len(self.values) == 1 else None

    def _plain(self, values: pa.Array) -> pa.Array:
        is_text = self.format is not None and self.format.holds_numbers_as_text
        return self.format.numbers(values) if is_text and self.format is not None else values


def parse_condition(text: str) -> Written:
    """Return what ``table.column=value`` says; also ``!= < <= > >=`` and ``table.column in a, b, c``.

    >>> parse_condition("users.age>=60")
    Written(table='users', column='age', operator='>=', values=('60',))
    >>> parse_condition("users.city in Ulm, 'Bonn, Bad Godesberg'").values
    ('Ulm', 'Bonn, Bad Godesberg')

    Raises:
        ConfigError: another form.
    """
    found = _IN.fullmatch(text) or _WRITTEN.fullmatch(text)
    table, dot, column = found["name"].partition(".") if found else ("", "", "")
    if not found or not dot or not table or not column:
        raise ConfigError(
            f"--where: TABLE.COLUMN=VALUE expected (also != < <= > >=, or 'TABLE.COLUMN in A, B'), found {text!r}."
        )
    operator = found["operator"].strip()
    values = _listed(found["values"]) if operator == "in" else [_unquoted(found["values"])]
    if not values or not all(values):
        raise ConfigError(f"--where: a value expected after {operator!r}, found none in {text!r}.")
    if len(values) > MOST_LISTED:
        raise ConfigError(f"--where: at most {MOST_LISTED:,} values expected, found {len(values):,}.")
    return Written(table, column, operator, tuple(values))


def _listed(text: str) -> list[str]:
    """Return the values of a list with commas; those in quotes may hold commas."""
    parts = re.findall(r"\s*('[^']*'|\"[^\"]*\"|[^,]*)\s*(?:,|$)", text.strip().removeprefix("(").removesuffix(")"))
    values: Sequence[str] = [_unquoted(part.strip()) for part in parts]
    return [one for one in values if one]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
