"""Rows as rules read them: numbers, codes, what is filled, parents and families; all rows of a database or a part.

Each column is read when it is asked for and kept while a budget of memory lasts, so that a wide table of many rows is
never held whole.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import as_text, column_codes, hashed, tuple_codes
from tabgraphsyn.data.counts import plain_zero, training_batches
from tabgraphsyn.data.formats import MixedFormat
from tabgraphsyn.data.pointers import CENSORED
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.schema import Database, Relation, Schema, Table

CACHE_BYTES = 200_000_000
HASHED_BYTES = 9
"""Of a value: its hash, and whether it is there."""
PART_OF_BUDGET = 4
"""A part of the rows keeps so many times less in memory: it is there beside the whole."""

Made = TypeVar("Made", np.ndarray, pa.Array)


class RuleTables:
    """Rows of a database, or a part of each table, as rules read them.

    Args:
        database: all rows.
        pointers: relation name -> (rows of the whole child table,) row of the parent, negative for none.
        rows: table -> (rows,) bool mask of those that belong to this part; a table that is not named counts whole.
    """

    def __init__(
        self,
        database: Database,
        pointers: Mapping[str, np.ndarray],
        rows: Mapping[str, np.ndarray] | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.database, self._pointers, self._rows = database, pointers, dict(rows or {})
        self._cache, self._budget = OrderedDict[tuple, tuple[np.ndarray | pa.Array, int]](), cache_bytes
        self._lock = Lock()  # rules are checked on several threads
        self._order: dict[tuple[str, Operand], np.ndarray] = {}

    @property
    def schema(self) -> Schema:
        """The schema of the whole database."""
        return self.database.schema

    @cached_property
    def _relations(self) -> dict[str, Relation]:
        return {relation.name: relation for relation in self.schema.relations}

    def relation(self, name: str) -> Relation:
        """Return one relation by name."""
        return self._relations[name]

    def owner(self, table: str, operand: Operand) -> str:
        """Return the table that an operand of another's rules belongs to."""
        return table if operand.through is None else self.schema.way(operand.through)[-1].parent_table

    def num_rows(self, table: str) -> int:
        """Return how many rows of ``table`` are in this part."""
        mask = self._rows.get(table)
        return self.database[table].num_rows if mask is None else int(mask.sum())

    def mask(self, table: str) -> np.ndarray:
        """Return (rows of the whole table,) bool: which of them are in this part."""
        mask = self._rows.get(table)
        return np.ones(self.database[table].num_rows, dtype=bool) if mask is None else mask

    def part(self, rows: Mapping[str, np.ndarray]) -> RuleTables:
        """Return a smaller part: masks over whole tables, of which this part's rows are taken.

        Shape:
            masks are (rows,) bool.
        """
        smaller = {**self._rows, **{table: mask & self.mask(table) for table, mask in rows.items()}}
        return RuleTables(self.database, self._pointers, smaller, self._budget // PART_OF_BUDGET)

    def shuffled(self, table: str, operand: Operand, generator: np.random.Generator) -> RuleTables:
        """Return the same rows with one operand shuffled among them."""
        other = RuleTables(self.database, self._pointers, self._rows, self._budget)
        other._cache, other._lock = self._cache, self._lock
        other._order = {**self._order, (table, operand): generator.permutation(self.num_rows(table))}
        return other

    def missing(self, table: str, operands: Iterable[Operand]) -> list[str]:
        """Return the columns among ``operands`` that are not there, as ``table.column``."""
        found = []
        for operand in operands:
            owner = self.owner(table, operand)
            if operand.column not in self.database[owner].types:
                found.append(f"{owner}.{operand.column}")
        return found

    def type_of(self, table: str, operand: Operand) -> pa.DataType:
        """Return the arrow type of an operand."""
        owner = self.database[self.owner(table, operand)]
        return _read_as(owner, operand.column, owner.types[operand.column])

    def is_number(self, table: str, operand: Operand) -> bool:
        """Return whether an operand has a number or a truth value in each filled row."""
        kind = self.type_of(table, operand)
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or is_decimal(kind)

    def is_time(self, table: str, operand: Operand, *, as_text: bool = False) -> bool:
        """Return whether an operand is a point in time, with ``as_text`` also one of those that are written ones."""
        kind = self.type_of(table, operand)
        if as_text and self.is_written(table, operand):
            kind = self._format(table, operand).values_type  # type: ignore[union-attr]
        return pa.types.is_timestamp(kind) or pa.types.is_date(kind)

    def is_measured(self, table: str, operand: Operand) -> bool:
        """Return whether an operand is read as numbers: it holds some, or times, in whatever ways they are written."""
        return any(one(table, operand) for one in (self.is_number, self.is_time, self.is_written))

    def is_written(self, table: str, operand: Operand) -> bool:
        """Return whether an operand's numbers or times are written in several ways, and so stored as text."""
        return self._format(table, operand) is not None

    def _format(self, table: str, operand: Operand) -> MixedFormat | None:
        found = self.schema.table(self.owner(table, operand)).column(operand.column).format
        return found if isinstance(found, MixedFormat) else None

    def numbers(self, table: str, operand: Operand) -> np.ndarray:
        """Return (rows,) float64, NaN where there is none; times in seconds since 1970, truth values as 0 and 1.

        A column that holds neither numbers nor times, written in whatever ways, has none.
        """
        written = self._format(table, operand)

        def make(values: pa.Array) -> np.ndarray:
            return _numbers(values if written is None or values.type != written.stored else written.numbers(values))

        return self._along(table, operand, "numbers", make, np.nan)

    def filled(self, table: str, operand: Operand) -> np.ndarray:
        """Return (rows,) bool: where there is a value."""
        return self._along(table, operand, "filled", _filled, False)

    def codes(self, table: str, operand: Operand) -> np.ndarray:
        """Return (rows,) int64: equal where values are, -1 where there is none; not comparable between columns."""
        return self._along(table, operand, "codes", _codes, -1).astype(np.int64)

    def hashes(self, table: str, operand: Operand) -> np.ndarray:
        """Return (rows,) uint64: equal where values are, anything where there is none; no table of values is made."""
        return self._along(table, operand, "hashes", _hashes, 0)

    def pieces(self, table: str, columns: Sequence[str]) -> Iterator[list[pa.Array]]:
        """Yield batches of own columns side by side, (batch rows,) each."""
        for batch in training_batches(self.database[table], list(dict.fromkeys(columns)), self.mask(table)):
            yield [batch.column(name) for name in columns]

    def hashed_pieces(self, table: str, columns: Sequence[str]) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
        """Yield batches of own columns side by side: where there is a value, (batch rows,) bool, and ``hashes``.

        All rows at once, and read once however often they are asked for, where the budget has room for all columns.
        """
        if HASHED_BYTES * self.num_rows(table) * len(self.database[table].types) <= self._budget:
            yield [(self.filled(table, one), self.hashes(table, one)) for one in map(Operand, columns)]
            return
        for batch in self.pieces(table, columns):
            yield [(_filled(one), _hashes(one)) for one in batch]

    def joint(self, table: str, operands: Sequence[Operand]) -> list[np.ndarray]:
        """Return codes of several columns that are equal where values are, across these columns too."""
        arrays = [self._array(table, operand) for operand in operands]
        codes = _codes(pa.concat_arrays(_alike(arrays)))
        parts = np.split(codes.astype(np.int64), np.cumsum([len(each) for each in arrays])[:-1])
        return [self._permuted(table, operand, part) for operand, part in zip(operands, parts, strict=True)]

    def values(self, table: str, operand: Operand) -> pa.Array:
        """Return (rows,) the values of an operand as arrow holds them, null where there is none."""
        found = self._array(table, operand)
        order = self._order.get((table, operand))
        return found if order is None else found.take(pa.array(order))

    def texts(self, table: str, operand: Operand) -> pa.Array:
        """Return (rows,) the values as text, whole numbers without a point; null where there is none."""
        return as_text(self.values(table, operand))

    def pointer(self, through: str) -> np.ndarray:
        """Return (child rows,) int64: the place in this part of the row above, negative where there is none in it."""
        first, *rest = (one.name for one in self.schema.way(through))
        found = self._parent(first)
        for relation in rest:
            above = self._parent(relation)
            found = np.where(found >= 0, above[np.maximum(found, 0)], found) if len(above) else np.minimum(found, -1)
        return found

    def _parent(self, relation: str) -> np.ndarray:
        found = self._family(relation)
        kept = self._rows.get(self.relation(relation).parent_table)
        if kept is None:
            return found
        place = np.where(kept, np.cumsum(kept) - 1, CENSORED)
        return np.where(found >= 0, place[np.maximum(found, 0)], found) if len(place) else np.minimum(found, -1)

    def family(self, relation: str) -> np.ndarray:
        """Return (child rows,) int64: equal for rows of one parent, be it in this part or not; negative for none."""
        return self._family(relation)

    def is_whole(self, relation: str) -> np.ndarray:
        """Return (child rows,) bool: all rows of the row's parent are in this part."""
        family = self._family(relation)
        has = family >= 0
        return has & self._parents_whole(relation)[np.maximum(family, 0)] if has.any() else has

    def whole_groups(self, table: str, operands: Sequence[Operand]) -> np.ndarray:
        """Return (rows,) int64: equal for rows of equal own columns, -1 where one is missing or some are cut off."""
        mask = self._rows.get(table)
        if mask is None:
            return tuple_codes([self.codes(table, one) for one in operands])
        whole = RuleTables(self.database, self._pointers, {}, self._budget)
        every = tuple_codes([whole.codes(table, one) for one in operands])
        cut = np.zeros(int(every.max(initial=-1)) + 2, dtype=bool)
        cut[every[~mask]] = True
        if any((table, one) in self._order for one in operands):  # shuffled among the rows of this part
            return tuple_codes([self.codes(table, one) for one in operands])
        return np.where(cut[every[mask]], -1, every[mask])

    def whole_parents(self, relation: str) -> np.ndarray:
        """Return (parent rows,) bool: all children of the parent are in this part."""
        return self._parents_whole(relation)[self.mask(self.relation(relation).parent_table)]

    def _parents_whole(self, relation: str) -> np.ndarray:
        one = self.relation(relation)
        parents = self.database[one.parent_table].num_rows
        everyone, child_mask = self._pointers[relation], self._rows.get(one.child_table)
        if child_mask is None:
            return np.ones(parents, dtype=bool)
        outside = everyone[(everyone >= 0) & ~child_mask]
        whole = np.ones(parents, dtype=bool)
        whole[outside] = False
        return whole

    def _family(self, relation: str) -> np.ndarray:
        mask = self._rows.get(self.relation(relation).child_table)
        return self._pointers[relation] if mask is None else self._pointers[relation][mask]

    def _along(
        self, table: str, operand: Operand, name: str, make: Callable[[pa.Array], np.ndarray], nothing: float
    ) -> np.ndarray:
        """Return what ``make`` makes of a column, for the rows of ``table``, followed through a key where it is one."""
        if operand.through is None:
            found = self._cached((table, operand.column, name), lambda: self._made(table, operand.column, make))
        else:
            parent = self.owner(table, operand)
            theirs = self._cached((parent, operand.column, name), lambda: self._made(parent, operand.column, make))
            pointer = self.pointer(operand.through)
            if len(theirs):
                found = np.where(pointer >= 0, theirs[np.maximum(pointer, 0)], theirs.dtype.type(nothing))
            else:
                found = np.full(len(pointer), nothing, dtype=theirs.dtype)
        return self._permuted(table, operand, found)

    def _permuted(self, table: str, operand: Operand, values: np.ndarray) -> np.ndarray:
        order = self._order.get((table, operand))
        return values if order is None else values[order]

    def _array(self, table: str, operand: Operand) -> pa.Array:
        if operand.through is None:
            return self._cached((table, operand.column, "array"), lambda: self._read(table, operand.column))
        parent = self.owner(table, operand)
        pointer = self.pointer(operand.through)
        values = self._cached((parent, operand.column, "array"), lambda: self._read(parent, operand.column))
        return values.take(pa.array(pointer, mask=pointer < 0))

    def repeats(self, table: str, column: str) -> bool:
        """Return whether a value of a table's own column stands in two rows, by hashes of 64 bits, batch by batch."""
        parts = [hashed(one.drop_null()) for (one,) in self.pieces(table, [column])]
        hashes = np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.uint64)
        return bool((hashes[1:] == hashes[:-1]).any())

    def _read(self, table: str, column: str) -> pa.Array:
        whole = self._chunks(table, column).combine_chunks()
        return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole

    def _made(self, table: str, column: str, make: Callable[[pa.Array], np.ndarray]) -> np.ndarray:
        """Return what ``make`` makes of a column: codes of all of it, else piece by piece."""
        if make is _codes:
            return make(self._chunks(table, column))
        found = [make(one) for (one,) in self.pieces(table, [column])]
        return np.concatenate(found) if found else make(pa.array([], self.type_of(table, Operand(column))))

    def _chunks(self, table: str, column: str) -> pa.ChunkedArray:
        """Return a column's rows of this part; a table on disk is never in memory twice."""
        source = self.database[table]
        mask = self._rows.get(table)
        if mask is None:
            return source.column(column)
        if isinstance(source.source, pa.Table):
            return source.column(column).filter(pa.array(mask))
        chunks = [batch.column(0) for batch in training_batches(source, [column], mask)]
        return pa.chunked_array(chunks) if chunks else source.column(column)

    def _cached(self, key: tuple, make: Callable[[], Made]) -> Made:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key][0]  # type: ignore[return-value]
        made = make()
        with self._lock:
            self._cache[key] = (made, made.nbytes)
            held = sum(size for _, size in self._cache.values())
            while held > self._budget and len(self._cache) > 1:
                held -= self._cache.popitem(last=False)[1][1]
        return made


def is_decimal(kind: pa.DataType) -> bool:
    """Return whether an arrow type is a decimal number."""
    return bool(pa.types.is_decimal(kind))


def _alike(arrays: Sequence[pa.Array]) -> list[pa.Array]:
    """Return arrays of one type whose equality means that the values are the same."""
    kinds = {each.type for each in arrays}
    if len(kinds) == 1:
        return list(arrays)
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    # Unchecked: a whole number beyond 2^53 is compared with a fraction as the nearest double, the best there is.
    return [each.cast(pa.float64(), safe=False) for each in arrays] if numeric else [as_text(each) for each in arrays]


def _numbers(values: pa.Array) -> np.ndarray:
    kind = values.type
    if pa.types.is_date(kind):
        values = values.cast(pa.timestamp("us"))
        kind = values.type
    if pa.types.is_timestamp(kind):
        ticks = values.cast(pa.int64())
        per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return ticks.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / per_second
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or is_decimal(kind)):
        return np.full(len(values), np.nan)
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _filled(values: pa.Array) -> np.ndarray:
    return pc.is_valid(values).to_numpy(zero_copy_only=False).astype(bool)


def _hashes(values: pa.Array) -> np.ndarray:
    found = np.zeros(len(values), dtype=np.uint64)
    found[_filled(values)] = hashed(values.drop_null())
    return found


def _codes(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return column_codes(plain_zero(values), null_code=False).astype(np.int32)


def _read_as(table: Table, name: str, kind: pa.DataType) -> pa.DataType:
    """Return the type that a column has once it is read: a time of day in a file is a time, a decimal a number."""
    column = table.schema.by_name.get(name)
    if column is None or column.format is None or column.format.holds_numbers_as_text:
        return kind
    return column.format.stored if kind == column.format.arrow else kind
