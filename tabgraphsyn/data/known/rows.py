"""All that the keys of a database say of a table's rows, in training and in sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tabgraphsyn.data.known.children import Composition
from tabgraphsyn.data.known.columns import Known, KnownRows


class Learnt(Protocol):
    """What prepare found out of the training rows."""

    def known(self, table: str) -> Known:
        """Return what keys into lookup tables say of a table's rows."""

    def compositions(self, table: str) -> list[Composition]:
        """Return which lookup rows the children of a table's rows refer to."""


class Keys(Protocol):
    """The keys of one database: of the training rows, or of new ones."""

    def pointer(self, relation: str) -> np.ndarray:
        """Return the row of the parent for each row of the child, (child rows,) int64, negative for none."""

    def lookup(self, known: Known) -> Mapping[str, np.ndarray]:
        """Return the lookup row, as in training, of each row of a table, by relation to a lookup table."""


def known_rows(learnt: Learnt, keys: Keys, table: str, rows: int) -> tuple[KnownRows, tuple[int, ...]]:
    """Return what the keys of a database say of a table's rows, and the number of levels of each place."""
    known = learnt.known(table)
    own = known.rows(keys.lookup(known)) if known.relations else KnownRows.none(rows)
    composed = [_of_children(learnt, keys, one, rows) for one in learnt.compositions(table)]
    places: list[np.ndarray] = [own.level]
    numbers: list[np.ndarray] = [own.numbers, *composed]
    levels: Sequence[int] = known.levels
    facts = KnownRows(np.concatenate(places, axis=1), np.concatenate(numbers, axis=1), bool(composed))
    return facts, tuple(levels)


def _of_children(learnt: Learnt, keys: Keys, one: Composition, rows: int) -> np.ndarray:
    child = learnt.known(one.child)
    level = child.rows(keys.lookup(child)).level
    siblings = keys.pointer(one.family) if one.family else None
    return one.features(keys.pointer(one.relation), rows, level, child.levels, siblings)
