"""What the keys into lookup tables say of a row before it is generated.

Lookup tables (airlines, airports) keep their rows, so a row of another table that refers to them is known to be, say,
a flight from EWR to ORD with UA. That names it exactly, where a graph network's vector only describes it; and a column
that follows from such keys (a route has one distance) is known outright: it is looked up, and what is generated beside
it is generated for that value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data.codes import column_codes, tuple_codes, tuple_codes_of_both
from tabgraphsyn.data.counts import as_numpy
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.schema import Schema

LEVELS_MAX = 512
"""Rows of one lookup table that are told apart; the others, those with the fewest children, share a level."""


@dataclass(frozen=True)
class KnownColumn:
    """A column whose value follows from keys into lookup tables.

    Attributes:
        column: its name.
        relations: names of the relations that decide.
        keys: (entries, relations) int64, distinct tuples of lookup rows.
        values: (entries,) the value of each.
        mean, std: of the numbers among the training rows; 0 and 1 for what is no number.
    """

    column: str
    relations: tuple[str, ...]
    keys: np.ndarray = field(repr=False)
    values: pa.Array = field(repr=False)
    mean: float
    std: float

    def place(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the entry of each row, (rows,) int64, -1 where none is known."""
        return _entry(self.keys, [rows[name] for name in self.relations])

    def of(self, rows: Mapping[str, np.ndarray]) -> tuple[pa.Array, np.ndarray]:
        """Return the value of each row, (rows,), and where it is known, (rows,) bool."""
        entry = self.place(rows)
        return self.values.take(pa.array(entry, pa.int64(), mask=entry < 0)), entry >= 0

    @property
    def is_number(self) -> bool:
        """True where the value can be shown to a network as one number."""
        kind = self.values.type
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)

    def feature(self, place: np.ndarray) -> np.ndarray:
        """Return (rows, 2) float32: the standardised value (0 where unknown or missing) and whether there is one."""
        numbers = _numbers(self.values)
        usable = ~np.isnan(numbers)
        has = (place >= 0) & usable[place] if len(numbers) else np.zeros(len(place), dtype=bool)
        value = np.where(has, (np.nan_to_num(numbers)[place] - self.mean) / self.std, 0.0)
        return np.stack([value, has], axis=1).astype(np.float32)


@dataclass(frozen=True)
class KnownRows:
    """What is known of rows of one table.

    Shape:
        level: (rows, relations) int64: which lookup row of each relation (0 for none, one level for all rare ones).
        numbers: (rows, numbers) float32.

    Attributes:
        is_composed: True where numbers say what the rows' children refer to.
    """

    level: np.ndarray
    numbers: np.ndarray
    is_composed: bool = False

    @staticmethod
    def none(rows: int) -> KnownRows:
        """Return that nothing is known of rows."""
        return KnownRows(np.zeros((rows, 0), np.int64), np.zeros((rows, 0), np.float32))


@dataclass(frozen=True)
class Known:
    """What the keys of one table into lookup tables say.

    Attributes:
        table: the table that holds the keys.
        relations: names of its relations to lookup tables.
        level_of: for each of them (lookup rows,) int64: the level of a lookup row, from 1.
        columns: columns that follow from these keys.
    """

    table: str
    relations: tuple[str, ...]
    level_of: tuple[np.ndarray, ...] = field(repr=False)
    columns: tuple[KnownColumn, ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each relation, level 0 among them."""
        return tuple(int(level.max(initial=0)) + 1 for level in self.level_of)

    @property
    def numbers(self) -> int:
        """Width of ``KnownRows.numbers``."""
        return 2 * sum(column.is_number for column in self.columns)

    @staticmethod
    def fit(
        table: str,
        schema: Schema,
        lookups: Iterable[str],
        pointers: Mapping[str, np.ndarray],
        lookup_rows: Mapping[str, int],
        dependencies: Iterable[Dependency],
        values: Mapping[str, pa.Array | pa.ChunkedArray],
        entities: np.ndarray | None = None,
        min_entities: int = 1,
    ) -> Known:
        """Return what training rows show.

        Args:
            table: the table that holds the keys.
            schema: tables and relations.
            lookups: names of the lookup tables.
            pointers: relation name -> row of the parent table, of the training rows.
            lookup_rows: number of rows of every lookup table.
            dependencies: as found in the training rows.
            values: the columns that ``known_candidates`` names, of the training rows.
            entities: (training rows,) int64, the entity of each; None: every row is one.
            min_entities: a value is looked up only where that many entities share the keys.
        """
        relations = [r for r in schema.relations_of_child(table) if r.parent_table in set(lookups)]
        level_of = tuple(_levels(pointers[r.name], lookup_rows[r.parent_table]) for r in relations)
        columns = []
        for column, names in known_candidates(table, schema, lookups, dependencies).items():
            found = _known_column(column, names, pointers, values[column], entities, min_entities)
            if found is not None:
                columns.append(found)
        return Known(table, tuple(r.name for r in relations), level_of, tuple(columns))

    def rows(self, lookup: Mapping[str, np.ndarray]) -> KnownRows:
        """Return what is known of rows.

        Args:
            lookup: relation name -> (rows,) int64, row of the lookup table as in training; negative for none.
        """
        level = [
            np.where(lookup[name] < 0, 0, of[lookup[name]]) if len(of) else np.zeros(len(lookup[name]), np.int64)
            for name, of in zip(self.relations, self.level_of, strict=True)
        ]
        numbers = [one.feature(one.place(lookup)) for one in self.columns if one.is_number]
        rows = len(next(iter(lookup.values()))) if lookup else 0
        return KnownRows(
            level=np.stack(level, axis=1) if level else np.zeros((rows, 0), np.int64),
            numbers=np.concatenate(numbers, axis=1) if numbers else np.zeros((rows, 0), np.float32),
        )

    def filled(self, generated: pa.Table, lookup: Mapping[str, np.ndarray]) -> pa.Table:
        """Return generated rows with every known column looked up where its value is known."""
        for one in self.columns:
            looked_up, is_known = one.of(lookup)
            number = generated.column_names.index(one.column)
            own = generated.column(number)
            chosen = pc.if_else(pa.array(is_known), looked_up.cast(own.type), own)
            generated = generated.set_column(number, generated.schema.field(number), chosen)
        return generated

    def save(self, folder: Path) -> None:
        """Write ``<table>.json`` and a parquet file per known column."""
        raw = {
            "table": self.table,
            "relations": list(self.relations),
            "level_of": [level.tolist() for level in self.level_of],
            "columns": [
                {"column": one.column, "relations": list(one.relations), "mean": one.mean, "std": one.std}
                for one in self.columns
            ],
        }
        for number, one in enumerate(self.columns):
            parts = {f"row{i}": pa.array(one.keys[:, i]) for i in range(one.keys.shape[1])}
            with written_aside(folder / f"{self.table}.{number}.parquet") as aside:
                pq.write_table(pa.table({**parts, "value": one.values}), aside)
        write_json(folder / f"{self.table}.json", raw)

    @staticmethod
    def load(folder: Path, table: str) -> Known:
        """Read what ``save`` wrote; nothing is known where it wrote nothing."""
        if not (folder / f"{table}.json").exists():
            return Known(table, (), (), ())
        raw: dict[str, Any] = read_json(folder / f"{table}.json")
        columns = []
        for number, one in enumerate(raw["columns"]):
            entries = pq.read_table(folder / f"{table}.{number}.parquet")
            keys = np.stack([as_numpy(entries.column(f"row{i}")) for i in range(len(one["relations"]))], axis=1)
            values = entries.column("value").combine_chunks()
            columns.append(KnownColumn(one["column"], tuple(one["relations"]), keys, values, one["mean"], one["std"]))
        level_of = tuple(np.asarray(level, dtype=np.int64) for level in raw["level_of"])
        relations = tuple(raw["relations"])
        return Known(raw["table"], relations, level_of, tuple(columns))


def known_candidates(
    table: str, schema: Schema, lookups: Iterable[str], dependencies: Iterable[Dependency]
) -> dict[str, tuple[str, ...]]:
    """Return attribute columns that may follow from keys into lookup tables: column -> names of the relations."""
    shared = set(lookups)
    relations = [r for r in schema.relations_of_child(table) if r.parent_table in shared]
    attributes = {
        name
        for name in schema.attribute_columns(table)
        if (column := schema.table(table).column(name)).sdtype not in ("id", "text") and not column.pii
    }
    found: dict[str, tuple[str, ...]] = {}
    for one in sorted(dependencies, key=lambda one: len(one.determinant)):
        if one.table != table or one.strength < 1 or one.dependent not in attributes or one.dependent in found:
            continue
        chosen = _relations_of(one.determinant, {r.name: r.child_columns for r in relations})
        if chosen:
            found[one.dependent] = chosen
    return found


def _relations_of(columns: Sequence[str], held: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return relations whose columns are exactly these, none of them needlessly; empty where there are none."""
    chosen = [name for name, own in held.items() if set(own) <= set(columns)]
    covered = {column for name in chosen for column in held[name]}
    return tuple(chosen) if covered == set(columns) else ()


def _levels(pointer: np.ndarray, rows: int) -> np.ndarray:
    children = np.bincount(pointer[pointer >= 0], minlength=rows)
    if rows < LEVELS_MAX:
        return np.arange(1, rows + 1)
    order = np.argsort(-children, kind="stable")
    level = np.full(rows, LEVELS_MAX)
    level[order[: LEVELS_MAX - 1]] = np.arange(1, LEVELS_MAX)
    return level


def _entry(keys: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the place of each row's tuple in ``keys``, (rows,) int64, -1 where it is none of them."""
    known, asked = tuple_codes_of_both(list(keys.T), rows)
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)]
    return np.where((asked >= 0) & (known[place] == asked), place, -1)


def _known_column(
    column: str,
    relations: tuple[str, ...],
    pointers: Mapping[str, np.ndarray],
    values: pa.Array | pa.ChunkedArray,
    entities: np.ndarray | None,
    min_entities: int,
) -> KnownColumn | None:
    """Return the column's lookup, or None where it does not follow exactly in all training rows."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    keys = np.stack([pointers[name] for name in relations], axis=1)
    complete = np.flatnonzero((keys >= 0).all(axis=1))
    if not len(complete):
        return None  # also keeps ``KnownColumn`` from ever being empty
    keys, whole = keys[complete], whole.take(pa.array(complete))
    joint = tuple_codes(list(keys.T))
    _, first, entry = np.unique(joint, return_index=True, return_inverse=True)
    code = column_codes(whole)
    if (code != code[first][entry]).any():
        return None
    own = np.arange(len(entry)) if entities is None else np.unique(entities[complete], return_inverse=True)[1]
    pairs = np.unique(entry.astype(np.int64) * (int(own.max(initial=0)) + 1) + own)
    is_shared = np.bincount(pairs // (int(own.max(initial=0)) + 1), minlength=len(first)) >= min_entities
    if not is_shared.any():
        return None
    numbers = _numbers(whole.filter(pa.array(is_shared[entry])))
    first = first[is_shared]
    numbers = numbers[~np.isnan(numbers)]
    spread = float(numbers.std()) if len(numbers) else 0.0
    mean = float(numbers.mean()) if len(numbers) else 0.0
    return KnownColumn(column, relations, keys[first], whole.take(pa.array(first)), mean, spread if spread > 0 else 1.0)


def _numbers(values: pa.Array) -> np.ndarray:
    kind = values.type
    if pa.types.is_temporal(kind):
        values = values.cast(pa.timestamp("us")).cast(pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.full(len(values), np.nan)
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
