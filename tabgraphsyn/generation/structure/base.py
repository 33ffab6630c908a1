"""The contract of a structure model: from the real keys' topology to new keys of any size.

Only integers pass here: row counts, row numbers, and in which period of a grid the rows of a published parent stand.
No other attribute and no key value is ever seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Count, Name, Share
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.series import Series


@dataclass(frozen=True)
class Link(Plain):
    """A foreign key without its values.

    Attributes:
        name: name of the relation.
        child: table that holds the key.
        parent: table that the key refers to.
        columns: columns of the child that form the key.
    """

    is_row = True
    name: Name
    child: Name
    parent: Name
    columns: tuple[Name, ...]


@dataclass(frozen=True)
class UniqueLinks(Plain):
    """Foreign keys of one table whose tuple of parents occurs at most once (rows with a null key are exempt)."""

    is_row = True
    table: Name
    links: tuple[Name, ...]


@dataclass(frozen=True)
class Equality(Plain):
    """Two ways from a table up to one ancestor that end in the same row, in every real row.

    A flight's origin is the origin of its weather record: ``left = ("flights.origin--airports",)`` and
    ``right = ("flights.weather--weather", "weather.origin--airports")``.

    Attributes:
        table: table where both ways start.
        left, right: names of the relations to follow, one or two.
        is_shared_column: True where both ways are written in one column, so that a row that breaks the equality
            would break a foreign key.
    """

    is_row = True
    table: Name
    left: tuple[Name, ...]
    right: tuple[Name, ...]
    is_shared_column: bool = False


@dataclass(frozen=True)
class Between(Plain):
    """A rule between the keys of a row that lead to one table, or between a row and what it refers to in its own.

    Attributes:
        rule: ``differ``: two keys never lead to one row (a team does not play itself); ``among``: the first key leads
            where one of the others does (the winner is one of the two); ``rising``: the first key leads to an earlier
            row than the second; ``back``: a self reference leads to an earlier row.
        table: table that holds the keys.
        links: names of the relations.
        shares: ``among``: how often each of the others is the one, the first where several are.
    """

    is_row = True
    rule: Literal["differ", "among", "rising", "back"]
    table: Name
    links: tuple[Name, ...]
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class Fixes(Plain):
    """Keys of a row that fix another of its keys: a plane flies for one airline.

    Attributes:
        table: table that holds the keys.
        by: what fixes: names of the relations to follow, one or two each.
        link: name of the relation that is fixed.
        with_null: having no key is fixed, too; otherwise rows without one are free.
    """

    is_row = True
    table: Name
    by: tuple[tuple[Name, ...], ...]
    link: Name
    with_null: bool = False


@dataclass(frozen=True)
class KeyPlan(Plain):
    """What holds for the keys of a database, whatever its size.

    Attributes:
        tables: all tables, drivers' parents first.
        links: all foreign keys.
        driver: name of the relation along which a table's rows are created, or None.
        reference: tables that keep their size.
        real_rows: rows of the real tables, training and holdout together.
        unique: tuples of foreign keys without repetition.
        equalities: ways that end in the same row.
        acyclic: self references without a cycle in the real data (hierarchies).
        never_null: foreign keys without a null in the real data.
        between: rules between keys of a row, in the order in which they are kept.
        fixes: keys that fix another key of their row.
        timed: keys to those who take part in events of a time, see ``data.known.timeline``.
    """

    tables: tuple[Name, ...]
    links: tuple[Link, ...]
    driver: Mapping[Name, Name | None]
    reference: frozenset[Name]
    real_rows: Mapping[Name, Count]
    unique: tuple[UniqueLinks, ...] = ()
    equalities: tuple[Equality, ...] = ()
    acyclic: frozenset[Name] = frozenset()
    never_null: frozenset[Name] = frozenset()
    between: tuple[Between, ...] = ()
    fixes: tuple[Fixes, ...] = ()
    timed: frozenset[Name] = frozenset()

    @cached_property
    def timed_tables(self) -> frozenset[str]:
        """Tables of which a row says who takes part in an event: all keys of a row go by its time."""
        return frozenset(self.link[name].child for name in self.timed)

    @cached_property
    def link(self) -> Mapping[str, Link]:
        """Links by name."""
        return {link.name: link for link in self.links}

    def links_of_child(self, table: str) -> tuple[Link, ...]:
        """Foreign keys that ``table`` holds, the driver first."""
        held = [link for link in self.links if link.child == table]
        return tuple(sorted(held, key=lambda link: link.name != self.driver[table]))

    def links_of_parent(self, table: str) -> tuple[Link, ...]:
        """Foreign keys that refer to ``table``."""
        return tuple(link for link in self.links if link.parent == table)

    def creating_link(self, table: str) -> Link | None:
        """Return the relation along which rows are created family by family, or None for entities.

        Children of a reference table are entities: their number grows with the scale although their parent's does not.
        """
        name = self.driver[table]
        if name is None or table in self.reference or self.link[name].parent in self.reference:
            return None
        return self.link[name]

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form that ``to_dict`` writes; for the errors see ``check_names``."""
        plan = super().from_dict(raw)
        plan.check_names()
        return plan

    def check_names(self) -> None:
        """Hold every name against the tables and links.

        Raises:
            DataError: a link of another table, or one that there is not.
        """
        tables, links = set(self.tables), self.link
        ways = [(one.table, one.left) for one in self.equalities] + [(one.table, one.right) for one in self.equalities]
        held = [(table, name) for table, name in self.driver.items() if name is not None]
        held += [(one.table, name) for one in self.unique for name in one.links]
        is_right = (
            all({link.child, link.parent} <= tables and link.columns for link in self.links)
            and all(name in links and links[name].child == table for table, name in held)
            and all(one.links for one in self.unique)
            and all(self._is_way(table, way) for table, way in ways)
            and all(name in links and links[name].child == links[name].parent for name in self.acyclic)
            and self.never_null <= set(links)
            and self.timed <= set(links)
            and self.reference <= tables
            and all(self._is_between(one) for one in self.between)
            and all(self._is_fixes(one) for one in self.fixes)
        )
        if not is_right:
            raise DataError("structure.json: plan: links and tables of its own lists expected, found others.")

    def _is_between(self, one: Between) -> bool:
        """Return whether a rule's keys are of its table and lead to one table, as many of them as it needs."""
        held = [self.link[name] for name in one.links if name in self.link]
        ends = {link.parent for link in held}
        wanted = {"differ": (2, 0), "rising": (2, 0), "back": (1, 0), "among": (len(held), len(held) - 1)}[one.rule]
        return (
            len(held) == len(set(one.links)) > 0
            and {link.child for link in held} == {one.table}
            and len(ends) == 1
            and (len(held), len(one.shares)) == wanted
            and (one.rule != "among" or len(held) > 1)
            and (one.rule != "back" or ends == {one.table})
        )

    def _is_fixes(self, one: Fixes) -> bool:
        """Return whether ways of a table fix a key of it that none of them begins with."""
        is_own = one.link in self.link and self.link[one.link].child == one.table
        return is_own and bool(one.by) and all(self._is_way(one.table, way) and way[0] != one.link for way in one.by)

    def _is_way(self, table: str, way: tuple[str, ...]) -> bool:
        """Return whether links lead up from a table one after another, one or two of them."""
        for name in way:
            if name not in self.link or self.link[name].child != table:
                return False
            table = self.link[name].parent
        return 1 <= len(way) <= 2


@dataclass(frozen=True)
class Topology:
    """The keys of the training rows as row numbers.

    Attributes:
        series: table -> when its rows stand, of those whose rows under a published parent stand in periods.
        moments: table with a timeline -> (training rows,) int64, the moment of each row.
        hidden: table of those who take part -> how many rows stand behind its training rows: they are held out, and
            nothing of them is known but which training rows refer to the same one.
        entities: table of those who take part -> (training rows,) int64, the entity of each.
        min_entities: so many entities stand behind whatever a model counts of moments.

    Shape:
        pointers[relation]: (training rows of the child, and the hidden ones,) integer, row of the parent among its
            training rows, -1 null, -2 censored.
    """

    plan: KeyPlan
    rows: Mapping[str, int]
    pointers: Mapping[str, np.ndarray] = field(repr=False)
    series: Mapping[str, Series] = field(default_factory=dict, repr=False)
    moments: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    hidden: Mapping[str, int] = field(default_factory=dict)
    entities: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    min_entities: int = 5


@dataclass(frozen=True)
class Skeleton:
    """Synthetic rows and keys before they have values.

    Attributes:
        rows: number of rows of each table.
        pointers: relation name -> (child rows,) int64, row of the parent, -1 null.
        dropped: rows left out because no unique key was found for them, per table.
        templates: reference table -> (rows,) int64, the training row that each row stands for. Empty where the model
            does not know.
        places: table -> (rows,) int64, the period that each row stands in, of tables with a series. Empty where the
            model does not know.
        moments: table with a timeline -> (rows,) int64, the moment of each row. Empty where the model does not know.
    """

    rows: Mapping[str, int]
    pointers: Mapping[str, np.ndarray] = field(repr=False)
    dropped: Mapping[str, int] = field(default_factory=dict)
    templates: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    places: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    moments: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)


class StructureModel(ABC):
    """Grows the keys of a new database.

    ``fit`` sees the training rows' keys once; ``grow`` needs nothing but what ``to_arrays`` gives.
    """

    @abstractmethod
    def fit(self, topology: Topology) -> None:
        """Learn from the training rows' keys."""

    @abstractmethod
    def grow(self, *, scale: float, rows: Mapping[str, int] | None, seed: int) -> Skeleton:
        """Return new keys.

        Args:
            scale: size relative to the real database, training and holdout together.
            rows: number of rows of some entity tables, in place of ``scale`` times their real rows.
            seed: the same seed gives the same keys.

        Raises:
            ConfigError: a scale that is not positive, or ``rows`` of a table whose rows follow from its parents.
        """

    @abstractmethod
    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what was learned, as arrays (for safetensors) and json; of any shape."""

    @abstractmethod
    def from_arrays(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Take over what ``to_arrays`` gave, of the same shape.

        Raises:
            DataError: arrays that do not fit the state; they may come from a stranger's bundle.
        """
