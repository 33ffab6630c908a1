"""Columns that rows repeat from a parent: a flight has the hour of its weather, an item the currency of its order.

Generated on its own, such a column contradicts the parent in most rows, because a graph network's vector only describes
the parent. The parent's value is copied instead, and the row is generated under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import ColumnCodec, EncodedColumn
from tabgraphsyn.data.codec.table import TableCodec
from tabgraphsyn.data.counts import training_values
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.schema import Database, Relation
from tabgraphsyn.data.untrusted import Name
from tabgraphsyn.errors import DataError

ROWS_MIN = 50
"""Rows with a parent that must agree, all of them, before a column counts as inherited."""
LEVELS_MAX = 512
"""Categories of a column that a row is told; a column with more is not inherited."""
PROBE_ROWS = 1000
KINDS = ("categorical", "digits", "numerical", "datetime")
"""Codecs of columns that may be copied: never ids or text, whose values are made anew."""


@dataclass(frozen=True)
class InheritedColumn(Plain):
    """A column whose value is that of the row's parent.

    Attributes:
        column: its name.
        relation: name of the relation to the parent.
        parent_column: the column of the parent table.
    """

    column: Name
    relation: Name
    parent_column: Name


@dataclass(frozen=True)
class ParentColumn:
    """An inherited column as the parent table has it.

    Attributes:
        codec: the parent's.
        encoded: fields of all parent rows.
        is_usable: (parent rows,) bool, whether a row's value has fields at all.
    """

    codec: ColumnCodec
    encoded: EncodedColumn
    is_usable: np.ndarray

    @staticmethod
    def of(codec: ColumnCodec, values: pa.Array) -> ParentColumn:
        """Encode generated values; those that the codec does not know (copied from elsewhere) are not usable.

        Shape:
            values are (parent rows,).
        """
        try:
            return ParentColumn(codec, codec.encode(values), np.ones(len(values), dtype=bool))
        except DataError:
            distinct = pc.unique(values)
            known = distinct.filter(pa.array([_is_known(codec, distinct.slice(i, 1)) for i in range(len(distinct))]))
        is_usable = pc.is_in(values, value_set=known).to_numpy(zero_copy_only=False)
        if not len(known):
            return ParentColumn(codec, _blank(codec, len(values)), is_usable)
        held = pc.if_else(pa.array(is_usable), values, known[0])
        return ParentColumn(codec, codec.encode(held), is_usable)

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each category as a condition, level 0 (no parent) among them."""
        return tuple(field.levels + 1 for field in self.codec.categorical_fields)

    def conditions(self, pointer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what rows are told: levels (rows, categories) int64 and numbers (rows, n) float32.

        Args:
            pointer: (rows,) row of the parent table, -1 for none.
        """
        if not len(self.is_usable):
            pointer, has = np.full(len(pointer), -1), np.zeros(len(pointer), dtype=bool)
            blank = _blank(self.codec, len(pointer))
            level, number = blank.categorical, blank.numerical
        else:
            at = np.maximum(pointer, 0)
            has = (pointer >= 0) & self.is_usable[at]
            level, number = self.encoded.categorical[at], self.encoded.numerical[at]
        levels = np.where(has[:, None], level.astype(np.int64) + 1, 0)
        if not number.shape[1]:
            return levels, np.zeros((len(pointer), 0), np.float32)
        middle = np.where(has[:, None], number.mean(axis=2), 0.0)
        return levels, np.concatenate([middle, has[:, None]], axis=1).astype(np.float32)


def find_inherited(
    database: Database,
    table: str,
    is_training: Mapping[str, np.ndarray],
    parents: Iterable[Relation],
    pointers: Callable[[str], np.ndarray],
    codecs: Mapping[str, TableCodec],
) -> list[InheritedColumn]:
    """Return the columns of a table that always are their parent's among training rows.

    Args:
        database: all real rows.
        table: the child table.
        is_training: table -> (rows,) bool.
        parents: relations to tables that are generated before and are no lookup tables.
        pointers: relation name -> training row of the parent, (training rows,), -1 for none.
        codecs: table -> its codec.
    """
    own = _candidates(codecs[table], is_determinant_allowed=False)
    found: list[InheritedColumn] = []
    for relation in parents:
        pointer = pointers(relation.name)
        rows = np.flatnonzero(pointer >= 0)
        if len(rows) < ROWS_MIN:
            continue
        parent = relation.parent_table
        probed = {name: _read(database, table, name, is_training, rows[:PROBE_ROWS]) for name in own}
        for parent_column in _candidates(codecs[parent], is_determinant_allowed=True):
            theirs = _read(database, parent, parent_column, is_training, None)
            for name in [name for name in own if name not in {one.column for one in found}]:
                if not _are_same(probed[name], theirs, pointer[rows[:PROBE_ROWS]]):
                    continue
                if _are_same(_read(database, table, name, is_training, rows), theirs, pointer[rows]):
                    found.append(InheritedColumn(name, relation.name, parent_column))
                    break
    return found


def _candidates(codec: TableCodec, *, is_determinant_allowed: bool) -> list[str]:
    """Return columns that are modelled on their own, with few enough categories to tell them one by one."""
    determinants = set(codec.derived.values())
    return [
        name
        for name, one in codec.columns.items()
        if one.kind in KINDS
        and one.given is None
        and sum(field.levels for field in one.categorical_fields) <= LEVELS_MAX
        and (is_determinant_allowed or name not in determinants)
    ]


def _read(
    database: Database, table: str, column: str, is_training: Mapping[str, np.ndarray], rows: np.ndarray | None
) -> pa.Array:
    values = training_values(database[table], column, is_training[table]).combine_chunks()
    return values if rows is None else values.take(pa.array(rows))


def _are_same(ours: pa.Array, theirs: pa.Array, pointer: np.ndarray) -> bool:
    """Return whether every value is the parent's, and not just one value for all."""
    if ours.type != theirs.type:
        return False
    wanted = theirs.take(pa.array(pointer))
    same = pc.or_(pc.fill_null(pc.equal(ours, wanted), False), pc.and_(pc.is_null(ours), pc.is_null(wanted)))
    return bool(pc.all(same).as_py()) and len(pc.unique(ours)) > 1


def _is_known(codec: ColumnCodec, value: pa.Array) -> bool:
    try:
        codec.encode(value)
    except DataError:
        return False
    return True


def _blank(codec: ColumnCodec, rows: int) -> EncodedColumn:
    numbers, categories = len(codec.numerical_fields), len(codec.categorical_fields)
    return EncodedColumn(np.zeros((rows, numbers, 2), np.float32), np.zeros((rows, categories), np.int32))
