"""What the search for keys knows of tables, what it found, and what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from tabgraphsyn.data.ingest.table_queries import ColumnValues
from tabgraphsyn.data.schema import Relation


@dataclass(frozen=True)
class OpenKey:
    """A column whose values all stand in a primary key, which chance could have done too.

    Attributes:
        chance: that it did.
        values: how many distinct ones there are.
        reason: matches and coverage in words.
    """

    relation: Relation
    chance: float
    values: int
    reason: str


@dataclass(frozen=True)
class TableFacts:
    """What key inference knows of one table.

    Attributes:
        types: arrow type by column, in file order.
        values: counts and bounds by column.
        spaced: share of values with a space, for text columns.
        declared: the primary key that the file declares.
    """

    name: str
    types: Mapping[str, pa.DataType]
    values: Mapping[str, ColumnValues]
    spaced: Mapping[str, float]
    declared: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return next(iter(self.values.values())).rows


CODE_DIGITS = 7
"""Digits of a number from which on rows that all have as many of them, each once, are codes and no amounts."""
SPARSE = 100
"""How many times as much room there is as there are codes, at least."""
_TIMES = ((10**9, 2 * 10**9), (10**12, 2 * 10**12), (10**15, 2 * 10**15), (19_000_101, 20_991_231),
          (19_000_101_000_000, 20_991_231_235_959))  # fmt: skip
"""Seconds, milliseconds and microseconds since 1970; days and moments written as digits."""


def are_long_codes(values: ColumnValues) -> bool:
    """Return whether whole numbers look like codes: many digits, in each as many, and no moments.

    Args:
        values: of a column of whole numbers.
    """
    low, high = values.minimum, values.maximum
    if values.nulls or not isinstance(low, int) or not isinstance(high, int) or low < 10 ** (CODE_DIGITS - 1):
        return False
    return len(str(low)) == len(str(high)) and not any(start <= low and high <= end for start, end in _TIMES)


def are_sparse_codes(values: ColumnValues) -> bool:
    """Return whether whole numbers look like codes: large ones, far fewer than there is room for, and no moments.

    Args:
        values: of a column of whole numbers.
    """
    low, high = values.minimum, values.maximum
    if values.nulls or not isinstance(low, int) or not isinstance(high, int) or low < 0:
        return False
    is_sparse = high >= 10 ** (CODE_DIGITS - 1) and values.distinct * SPARSE <= high - low + 1
    return is_sparse and not any(start <= low and high <= end for start, end in _TIMES)


@dataclass
class InferredKeys:
    """Guessed keys with their reasons, and what looked like a key but was not taken.

    ``open`` are columns whose values alone do not say whether they refer; ``unnamed`` the keys that were taken for
    their values, not for a name.
    """

    primary: dict[str, tuple[str, ...]] = field(default_factory=dict)
    primary_reasons: dict[str, str] = field(default_factory=dict)
    relations: dict[Relation, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: list[Relation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    no_keys: set[tuple[str, str]] = field(default_factory=set)
    open: list[OpenKey] = field(default_factory=list)
    unnamed: set[Relation] = field(default_factory=set)
