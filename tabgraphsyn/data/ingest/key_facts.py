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
