"""What surrounds the rows of a table in an absorbing model, by one path for training rows and for new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.pointers import follow
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.sibling_order import order_column
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings, Way
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages.around_times import series, standing_in_time

MOST_WAYS = 12
TOLD_SHARE = 0.5
FEW_CHILDREN = (1, 2, 3)
"""Numbers of children from which on a network is told that there are as many."""


def ways_up(prepared: Prepared, table: str) -> list[tuple[str, ...]]:
    """Return the relations to follow to each parent and grandparent of a table that is generated before it.

    Tables of which each column is drawn by itself are left out: nothing in them says anything.
    """
    before = prepared.plan.order[: prepared.plan.order.index(table)]
    told = [one for one in before if one not in prepared.plan.coarse and not prepared.wide_layout(one).is_empty]
    found: list[tuple[str, ...]] = []
    for relation in prepared.schema.relations_of_child(table):
        if relation.parent_table in before:
            if relation.parent_table in told:
                found.append((relation.name,))
            found += [
                (relation.name, above.name)
                for above in prepared.schema.relations_of_child(relation.parent_table)
                if above.parent_table in told and above.parent_table != relation.parent_table
            ]
    return sorted(found, key=len)[:MOST_WAYS]


def ancestor(prepared: Prepared, way: tuple[str, ...]) -> str:
    """Return the table at the end of a way up."""
    return prepared.schema.relation(way[-1]).parent_table


@dataclass(frozen=True)
class Database:
    """Keys and encoded rows of one database: of the training rows, or a new one in the making.

    Attributes:
        pointer: relation -> (child rows,) int64, the row of the parent, negative for none.
        encoded: table -> its rows; asked for tables before the one that is surrounded.
        times: table with a timeline -> (rows,) int64, microseconds: when its rows stand by their keys.
    """

    pointer: Callable[[str], np.ndarray]
    encoded: Callable[[str], EncodedTensors]
    times: Callable[[str], np.ndarray]


def surroundings(
    prepared: Prepared, table: str, rows: int, condition: RowConditions, database: Database
) -> Surroundings:
    """Return what surrounds the rows of a table.

    Args:
        prepared: schema and plan.
        table: the table.
        rows: number of its rows.
        condition: the graph network's vectors, and what keys into lookup tables say.
        database: where keys and ancestors are.
    """
    counts = [
        each
        for one in prepared.schema.relations_of_parent(table)
        for each in _as_told(database.pointer(one.name), rows)
    ]
    ways = []
    for way in ways_up(prepared, table):
        pointer = follow(way, {name: database.pointer(name) for name in way})
        ways.append(Way(database.encoded(ancestor(prepared, way)), torch.from_numpy(pointer)))
    stacked = np.stack(counts, axis=1) if counts else np.zeros((rows, 0))
    told = np.concatenate([stacked, standing_in_time(prepared, table, rows, database.pointer, database.times)], axis=1)
    return Surroundings(condition, torch.from_numpy(told.astype(np.float32)), ways)


def _as_told(pointer: np.ndarray, rows: int) -> list[np.ndarray]:
    """Return what a network is told of the number of children, (rows,) each: how many, and if any, a second, a third.

    A cancelled order has no payment, one that came back has two: on the scale of large families they are one number.
    """
    count = np.bincount(pointer[pointer >= 0], minlength=rows)
    return [np.log1p(count) / 3, *((count >= least).astype(np.float64) for least in FEW_CHILDREN)]


def driver_pointer(prepared: Prepared, table: str, pointer: Callable[[str], np.ndarray]) -> np.ndarray | None:
    """Return the parent of each row along the key that makes rows siblings, None where none does.

    Rows under a reference table are no family (thousands of rows, whose number is the table's) unless a series.
    """
    driver = prepared.plan.driver[table]
    if driver is None:
        return None
    is_published = prepared.schema.relation(driver).parent_table in prepared.plan.reference_tables
    if is_published and series(prepared, table) is None:
        return None
    return pointer(driver)


def told_along_others(prepared: Prepared, table: str) -> set[str]:
    """Return the columns that parents along other keys than the families' tell by more than half.

    They put no siblings in order: films' ratings by date would be their ratings by user, whose dates are their own.
    """
    found = set()
    for relation in prepared.schema.relations_of_child(table):
        traits = prepared.traits(relation.parent_table) if relation.name != prepared.plan.driver[table] else []
        for one in traits:
            if one.relation == relation.name:
                told = zip(one.numbers, one.shares, strict=True)
                found |= {field.partition(":")[0] for field, share in told if share > TOLD_SHARE}
    return found


def sibling_order(codec: TableCodec, encoded: EncodedTable, parent_row: np.ndarray, times: list[str]) -> np.ndarray:
    """Return row numbers in the natural order of siblings, (rows,) int64; see ``data.sibling_order``.

    Args:
        codec: of the table.
        encoded: its training rows.
        parent_row: (rows,) int64.
        times: names of the columns of times.
    """
    keys = {column: _key(codec, encoded, column) for column in codec.columns}
    column = order_column(keys, parent_row, times)
    key = None if column is None else keys[column]
    return np.arange(len(parent_row)) if key is None else np.argsort(key, kind="stable")


def _key(codec: TableCodec, encoded: EncodedTable, column: str) -> np.ndarray | None:
    """Return (rows,) numbers in the order of a column's values, NaN for a missing or rare one; None: without order."""
    own = codec.columns[column]
    numbers, categories = codec.places[column]
    if isinstance(own, CategoricalCodec):
        level = np.asarray(encoded.categorical[:, categories.start])
        rank = np.append(_ranks(own.levels.array.to_numpy(zero_copy_only=False)), np.nan)
        return rank[np.minimum(level, len(rank) - 1)]
    if isinstance(own, NumericalCodec):
        key = np.asarray(encoded.numerical[:, numbers.start], dtype=np.float64).mean(axis=1)
        gate = codec.layout.numerical[numbers.start].gate
        return key if gate is None else np.where(np.asarray(encoded.categorical[:, gate]) == 0, key, np.nan)
    return _time(codec, encoded, column) if isinstance(own, DatetimeCodec) else None


def _ranks(levels: np.ndarray) -> np.ndarray:
    """Return each level's place among the sorted ones, (levels,) float64: as numbers where all are, NaN for none."""
    missing = np.array([level is None or level != level for level in levels], dtype=bool)
    rank = np.full(len(levels), np.nan)
    known = levels[~missing]
    try:
        known = known.astype(np.float64)
    except (TypeError, ValueError):
        known = known.astype(str)
    rank[~missing] = known.argsort(kind="stable").argsort()
    return rank


def _time(codec: TableCodec, encoded: EncodedTable, column: str) -> np.ndarray | None:
    """Return (rows,) numbers in the order of a column's times; None where some are missing or not in order."""
    own = codec.columns[column]
    numbers, categories = codec.places[column]
    if not isinstance(own, DatetimeCodec) or own.given is not None or not own.day.numerical_fields:
        return None
    gate = own.day.categorical_fields
    if gate and np.asarray(encoded.categorical[:, categories.start]).any():
        return None
    day = np.asarray(encoded.numerical[:, numbers.start], dtype=np.float64).mean(axis=1)
    if not own.time.numerical_fields:
        return day
    time = np.asarray(encoded.numerical[:, numbers.start + 1], dtype=np.float64).mean(axis=1)
    order = np.lexsort((time, day))
    is_later = (np.diff(day[order], prepend=np.nan) != 0) | (np.diff(time[order], prepend=np.nan) != 0)
    key = np.empty(len(order))
    key[order] = is_later.cumsum()
    return key


def layouts_up(prepared: Prepared, table: str) -> Iterator[str]:
    """Yield the tables at the ends of a table's ways up, in their order."""
    for way in ways_up(prepared, table):
        yield ancestor(prepared, way)
