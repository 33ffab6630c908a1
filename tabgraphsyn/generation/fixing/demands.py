"""What the rows of one table must be: cells that stand, conditions that values meet, levels that are as frequent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.generation.fixing.condition import FILLED, Condition


@dataclass(frozen=True)
class Cells:
    """Values of a column that stand in some rows.

    Shape:
        has: (rows,) bool. values: (rows,), null where none stands.
    """

    has: np.ndarray = field(repr=False)
    values: pa.Array = field(repr=False)

    @staticmethod
    def everywhere(value: pa.Array, rows: int) -> Cells:
        """Return one value, (1,), in all rows."""
        return Cells(np.ones(rows, dtype=bool), value.take(pa.array(np.zeros(rows, dtype=np.int64))))

    def over(self, other: Cells | None) -> Cells:
        """Return these cells, and those of ``other`` where there are none here."""
        if other is None:
            return self
        return Cells(self.has | other.has, pc.if_else(pa.array(self.has), self.values, other.values))

    def put(self, values: pa.Array, rows: slice = slice(None)) -> pa.Array:
        """Return a column with the cells in their places, (rows,); ``values`` are those of ``rows``."""
        return pc.if_else(pa.array(self.has[rows]), self.values[rows].cast(values.type), values)


@dataclass(frozen=True)
class Demands:
    """See the module.

    Attributes:
        rows: number of the table's rows.
        cells: column -> what stands.
        conditions: what the values of columns must be, in every row in which no cell stands.
        balance: column whose levels are to be as frequent, or empty.
        levels: its levels.
    """

    rows: int
    cells: Mapping[str, Cells] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    balance: str = ""
    levels: pa.Array | None = None

    @property
    def is_empty(self) -> bool:
        """True where nothing is asked."""
        return not self.cells and not self.conditions and not self.balance

    def balanced(self, rng: np.random.Generator) -> Demands:
        """Return demands whose levels stand in rows at random, each as often as the others."""
        if not self.balance or self.levels is None:
            return self
        given = self.cells.get(self.balance)
        count = np.zeros(len(self.levels), dtype=np.int64)
        if given is not None:
            index = pc.index_in(given.values.filter(pa.array(given.has)), value_set=self.levels)
            count += np.bincount(pc.drop_null(index).to_numpy(), minlength=len(count))
        free = np.arange(self.rows) if given is None else np.flatnonzero(~given.has)
        chosen = np.zeros(self.rows, dtype=np.int64)
        chosen[rng.permutation(free)] = _fairly(count, len(free), rng)
        has = np.zeros(self.rows, dtype=bool)
        has[free] = True
        cells = Cells(has, self.levels.take(pa.array(chosen, mask=~has))).over(given)
        return replace(self, cells={**self.cells, self.balance: cells}, balance="", levels=None)

    def met(self, rows: pa.Table, first: int = 0) -> np.ndarray:
        """Return which rows meet all that is asked of single rows, (rows,) bool; they begin at ``first``."""
        here, found = slice(first, first + rows.num_rows), np.ones(rows.num_rows, dtype=bool)
        for name, cells in self.cells.items():
            own = whole(rows.column(name))
            same = pc.fill_null(pc.equal(own, cells.values[here].cast(own.type)), False)
            found &= ~cells.has[here] | same.to_numpy(zero_copy_only=False)
        for one in self.conditions:
            cell = self.cells.get(one.column)
            stands = cell.has[here] if cell is not None else np.zeros(rows.num_rows, dtype=bool)
            found &= stands | one.holds(whole(rows.column(one.column)))
        return found

    @property
    def patterns(self) -> np.ndarray:
        """For each row a number, (rows,) int64: rows of one number have cells in the same columns."""
        if not self.cells:
            return np.zeros(self.rows, dtype=np.int64)
        stacked = np.stack([one.has for one in self.cells.values()], axis=1)
        return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)


class Keeper(Protocol):
    """What keeps rules in batches and counts the rows in which it could not."""

    broken: int

    def kept(self, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield as many rows."""


def kept_by_pattern(
    rows: pa.Table, demands: Demands, keeper_of: Callable[[frozenset[str]], Keeper]
) -> tuple[Iterator[pa.Table], int]:
    """Return all rows of a table with rules kept around the cells of each, and in how many rows they were not.

    Args:
        rows: (rows,) in all.
        demands: whose cells stay.
        keeper_of: makes what keeps rules and leaves some columns as they are.
    """
    patterns, broken = demands.patterns, 0
    parts: list[pa.Table] = []
    places: list[np.ndarray] = []
    for pattern in np.unique(patterns):
        here = np.flatnonzero(patterns == pattern)
        keeper = keeper_of(frozenset(name for name, one in demands.cells.items() if one.has[here[0]]))
        parts += keeper.kept(iter([rows.take(pa.array(here))]))
        places.append(here)
        broken += keeper.broken
    if not parts:
        return iter([rows]), 0
    order = np.argsort(np.concatenate(places), kind="stable")
    return iter([pa.concat_tables(parts).take(pa.array(order))]), broken


def with_cells(rows: pa.Table, demands: Demands) -> pa.Table:
    """Return a whole table, (rows,), with the cells in their places."""
    for name, cells in demands.cells.items():
        if name in rows.column_names:
            place = rows.column_names.index(name)
            rows = rows.set_column(place, rows.field(place), cells.put(whole(rows.column(name))))
    return rows


def asked_columns(demands: Demands | None) -> set[str]:
    """Return columns that stay as they were made in every row."""
    if demands is None:
        return set()
    return {*(one.column for one in demands.conditions if one.operator != FILLED), demands.balance} - {""}


def whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column, (rows,), in one piece."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    found = values.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _fairly(count: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows,) levels so that with ``count`` each is as frequent as can be; which have one more is chance."""
    target = np.zeros(len(count), dtype=np.int64)
    total = int(count.sum()) + rows
    order = np.lexsort((rng.random(len(count)), -count))
    left = total
    for place, level in enumerate(order):
        target[level] = max(left // (len(count) - place), count[level])
        left -= int(target[level])
    return np.repeat(np.arange(len(count)), target - count)[:rows]
