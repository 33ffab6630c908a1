"""What a rule is: a statement about every row of a table, which can be checked, told in words and written as json.

A generator that keeps rules by construction needs to know what a rule reads (``operands``) and which columns follow
exactly from the others (``follows``); the statement itself holds no value of a single row.
"""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

import numpy as np

from tabgraphsyn.data.rules.operand import Operand, Term
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import THEN
from tabgraphsyn.errors import DataError, listing, nearest

SOURCES = ("found", "declared", "metadata")


@dataclass(frozen=True)
class Support:
    """What stands behind a rule.

    Attributes:
        rows: training rows that it says something about.
        broken: training rows that break it: 0 for a found rule, whatever is so for a declared one.
        by_chance: how many of the rows would break it if one of its columns were shuffled, the least over its columns.
        source: ``found`` in training rows, ``declared`` in the data set's yaml, or read from the ``metadata``.
    """

    rows: int = 0
    broken: int = 0
    by_chance: int = 0
    source: str = "found"


@dataclass(frozen=True)
class Checked:
    """A rule held against the rows of a table.

    Attributes:
        applies: (rows,) bool, rows that the rule says something about.
        broken: (rows,) bool, those of them that break it.
    """

    applies: np.ndarray
    broken: np.ndarray

    @property
    def counts(self) -> tuple[int, int]:
        """Rows that the rule applies to, and those that break it."""
        return int(self.applies.sum()), int(self.broken.sum())

    @staticmethod
    def of(applies: np.ndarray, kept: np.ndarray) -> Checked:
        """Return what follows from where a rule applies and where its statement is true; both are (rows,) bool."""
        return Checked(applies, applies & ~kept)


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """One rule about the rows of ``table``."""

    kind: ClassVar[str]
    table: str
    support: Support = field(default_factory=Support, compare=False)

    @property
    @abstractmethod
    def operands(self) -> tuple[Operand, ...]:
        """What the rule reads of a row, its own columns and those of its parents."""

    @property
    def follows(self) -> tuple[str, ...]:
        """Own columns, each of which follows exactly once all others are known; none by default."""
        return ()

    @property
    def relations(self) -> tuple[str, ...]:
        """Names of the relations that the rule reads."""
        through = [name for one in self.operands if one.through is not None for name in one.through.split(THEN)]
        relation = getattr(self, "relation", None)
        return tuple(dict.fromkeys([*through, *([relation] if relation else [])]))

    @abstractmethod
    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return which rows of ``tables`` break the rule.

        Args:
            tables: the rows to look at.
            reference: real rows; rules about which values go together hold the others against these.
        """

    @abstractmethod
    def statement(self) -> str:
        """Return the rule in plain words, without its table."""

    def describe(self) -> str:
        """Return the rule in plain words with its table and what stands behind it."""
        one = self.support
        behind = {"found": "found", "declared": "declared", "metadata": "from the metadata"}[one.source]
        rows = f"holds in all {one.rows:,} training rows that it is about"
        if one.broken:
            rows = f"{one.broken:,} of the {one.rows:,} training rows that it is about break it"
        chance = f"; shuffled, {one.by_chance:,} would not" if one.source == "found" else ""
        return f"{self.table}: {self.statement()} ({behind}; {rows}{chance})"

    def supported(self, support: Support) -> Self:
        """Return the same rule with another support."""
        return replace(self, support=support)

    def missing(self, tables: RuleTables) -> list[str]:
        """Return what the rule reads and ``tables`` lack, in words."""
        return tables.missing(self.table, self.operands)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form; what equals its default is left out."""
        raw: dict[str, Any] = {"kind": self.kind}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "support" and value != one.default:
                raw[one.name] = _to_json(value)
        return raw | {"support": {each.name: getattr(self.support, each.name) for each in fields(Support)}}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], where: str) -> Self:
        """Read the form that ``to_dict`` writes, strictly.

        Raises:
            DataError: unknown, missing or wrong keys, with their place.
        """
        hints, known = get_type_hints(cls), {one.name: one for one in fields(cls)}
        given = {key: value for key, value in raw.items() if key != "kind"}
        unknown = [key for key in given if key not in known]
        if unknown:
            raise DataError(
                f"{where}: a rule of kind {cls.kind!r} has {listing(sorted(set(known) - {'support'}))}; "
                f"found {unknown[0]!r}.{nearest(str(unknown[0]), known)}"
            )
        values: dict[str, Any] = {}
        for name, value in given.items():
            try:
                values[name] = _support(value) if name == "support" else _from_json(value, hints[name])
            except ValueError as error:
                raise DataError(f"{where}.{name}: {error}. Correct it.") from error
        try:
            return cls(**values)
        except TypeError:
            lacking = [name for name in _required(cls) if name not in values]
            raise DataError(f"{where}: a rule of kind {cls.kind!r} also needs {listing(lacking)}.") from None
        except ValueError as error:
            raise DataError(f"{where}: {error}. Correct it.") from error


def _required(kind: type[Rule]) -> list[str]:
    return [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]


def _to_json(value: Any) -> Any:
    if isinstance(value, Operand | Term):
        return value.to_json()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(value: Any, hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return (
            None if value is None else _from_json(value, next(one for one in get_args(hint) if one is not type(None)))
        )
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise ValueError(f"a list with something in it, found {value!r}")
        return tuple(_from_json(item, get_args(hint)[0]) for item in value)
    if hint in (Operand, Term):
        return hint.from_json(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if (hint is int and isinstance(value, bool)) or not isinstance(value, hint):
        words = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
        raise ValueError(f"{words.get(hint.__name__, hint.__name__)}, found {value!r}")
    return value


def _support(value: Any) -> Support:
    names = {one.name for one in fields(Support)}
    if not isinstance(value, Mapping) or set(value) != names or value["source"] not in SOURCES:
        raise ValueError(f"an object of {listing(sorted(names))}, found {value!r}")
    return Support(**value)
