"""Conditions on a column, as they are written on a command line, and which values meet them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

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
_ASKED = re.compile(r"(?P<operator>\s*(?:<=|>=|!=|=|<|>)|\s+in\s)\s*(?P<values>.*?)\s*", re.DOTALL)
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


def can_meet(conditions: Sequence[Condition], known: pa.Array | None = None) -> bool:
    """Return whether some value can meet all conditions on one column.

    Args:
        conditions: of one column.
        known: all values that it may have, (values,); None where a number or a time may be any.
    """
    listed = [one.values for one in conditions if one.operator in ("=", "in")]
    if listed or known is not None:
        values = listed[0] if listed else known
        return bool(np.all([one.holds(values) for one in conditions], axis=0).any())
    lower, upper = ([one for one in conditions if one.operator.startswith(sign)] for sign in "><")
    for low, high in itertools.product(lower, upper):
        touching = low.operator == ">=" and high.operator == "<="
        between = replace(high, operator="<=" if touching else "<")
        if not between.holds(low.values).any():
            return False
    return True


def parse_condition(text: str, columns: Mapping[str, Collection[str]] | None = None) -> Written:
    """Return what ``table.column=value`` says; also ``!= < <= > >=`` and ``table.column in a, b, c``.

    Args:
        text: as a user writes it.
        columns: table -> its columns, by which names with dots, signs and spaces in them are told.

    >>> parse_condition("users.age>=60")
    Written(table='users', column='age', operator='>=', values=('60',))
    >>> parse_condition("users.city in Ulm, 'Bonn, Bad Godesberg'").values
    ('Ulm', 'Bonn, Bad Godesberg')
    >>> parse_condition("dbo.users.p<0.05 = yes", {"dbo.users": ["p", "p<0.05"]})
    Written(table='dbo.users', column='p<0.05', operator='=', values=('yes',))

    Raises:
        ConfigError: another form.
    """
    columns = columns or {}
    start = text.lstrip()
    fits = [(table, one) for table, own in columns.items() for one in own if start.startswith(f"{table}.{one}")]
    fits = [each for each in fits if _ASKED.fullmatch(start, len(".".join(each)))]
    if fits:
        table, column = max(fits, key=lambda each: len(".".join(each)))
        found = _ASKED.fullmatch(start, len(f"{table}.{column}"))
    else:
        found = _IN.fullmatch(text) or _WRITTEN.fullmatch(text)
        table, column = split_name(found["name"], columns) if found else ("", "")
    if not found or not table or not column:
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


def split_name(text: str, tables: Collection[str]) -> tuple[str, str]:
    """Return table and column of ``table.column``; both may have dots in them, a known table is found.

    >>> split_name("dbo.users.age", ["dbo.users"]), split_name("user.home.city", ["users"]), split_name("age", [])
    (('dbo.users', 'age'), ('user', 'home.city'), ('', ''))
    """
    known = max((one for one in tables if text.startswith(f"{one}.")), key=len, default=None)
    table, dot, column = text.partition(".") if known is None else (known, ".", text[len(known) + 1 :])
    return (table, column) if dot else ("", "")


def _listed(text: str) -> list[str]:
    """Return the values of a list with commas; those in quotes may hold commas."""
    parts = re.findall(r"\s*('[^']*'|\"[^\"]*\"|[^,]*)\s*(?:,|$)", text.strip().removeprefix("(").removesuffix(")"))
    values: Sequence[str] = [_unquoted(part.strip()) for part in parts]
    return [one for one in values if one]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
