"""Key values from pointers: exact referential integrity by construction, checked at the end.

Every key column has a *root*: the column that makes its values. A primary key that is no foreign key is its own root; a
foreign key has the root of the column it refers to. Until the last moment a key is the number of its value in its
root, so equality of keys is equality of integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import tuple_codes
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.plain import read
from tabgraphsyn.data.pointers import rank_within, through
from tabgraphsyn.data.schema import Database, Relation, Schema
from tabgraphsyn.errors import DataError, StageError, listing, raise_collected
from tabgraphsyn.generation.key_values import AnyMaker, KeyMaker, largest_number, part_maker, row_number_maker
from tabgraphsyn.generation.structure.base import Skeleton

ColumnName = tuple[str, str]


class KeySpec:
    """What is known of the key columns: their types, and how the values of roots are made.

    Attributes:
        types: table -> key column -> arrow type, as in the ingested table.
        makers: (table, column) -> maker, for every root.
    """

    def __init__(self, types: Mapping[str, Mapping[str, str]], makers: Mapping[ColumnName, KeyMaker]) -> None:
        self.types = types
        self.makers = makers

    @staticmethod
    def learn(
        database: Database,
        is_training: Mapping[str, np.ndarray],
        pointers: Mapping[str, np.ndarray],
        entities: Mapping[str, np.ndarray] | None = None,
        min_entities: int = 1,
    ) -> KeySpec:
        """Return the spec of a database; shapes of ids are learned from training rows.

        Args:
            database: all real rows.
            is_training: table -> (rows,) bool.
            pointers: relation name -> (training rows,) int64, row of the parent.
            entities: table -> (training rows,) the entity of each; None where every row is one.
            min_entities: so many entities must hold what a spec names of parts of keys.

        Raises:
            DataError: a column that is part of two keys to unrelated columns, or keys that form a ring.
        """
        schema = database.schema
        check_roots(schema)
        types: dict[str, dict[str, str]] = {}
        makers: dict[ColumnName, KeyMaker] = {}
        for table in schema.table_names:
            rows = database[table].read(list(generated_columns(schema, table)))
            types[table] = {field.name: str(field.type) for field in rows.schema}
            rows = rows.filter(pa.array(is_training[table]))
            own = own_parts(schema, table)
            for column in root_columns(schema, table):
                described = schema.table(table).column(column)
                if column not in own:
                    values, largest = rows.column(column), largest_number(described.format)
                    person = personal_kind(table, column, values, described.pii)
                    makers[table, column] = row_number_maker(values, described.regex_format, largest, person)
                    continue
                rank = _rank_in_family(schema, table, rows, column, pointers) if len(own) == 1 else None
                makers[table, column] = part_maker(
                    rows.column(column),
                    rank,
                    is_categorical=described.sdtype in ("categorical", "boolean"),
                    regex_format=described.regex_format,
                    entities=None if entities is None else entities[table],
                    min_entities=min_entities,
                )
        return KeySpec(types, makers)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        makers = [[table, column, maker.to_dict()] for (table, column), maker in self.makers.items()]
        return {"types": {table: dict(types) for table, types in self.types.items()}, "makers": makers}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> KeySpec:
        """Read the form that ``to_dict`` writes."""
        return KeySpec(raw["types"], {(table, column): read(one, AnyMaker) for table, column, one in raw["makers"]})


def generated_columns(schema: Schema, table: str) -> tuple[str, ...]:
    """Return the columns whose values come from keys: key columns, and columns that other tables refer to."""
    keys = {*schema.key_columns(table), *_referenced(schema, table)}
    return tuple(column.name for column in schema.table(table).columns if column.name in keys)


def root_columns(schema: Schema, table: str) -> tuple[str, ...]:
    """Return the generated columns of a table that are no foreign keys."""
    held = {column for item in schema.relations_of_child(table) for column in item.child_columns}
    return tuple(column for column in generated_columns(schema, table) if column not in held)


def own_parts(schema: Schema, table: str) -> tuple[str, ...]:
    """Return the root columns that are only a part of the primary key: they tell the rows of a family apart."""
    primary = schema.table(table).primary_key
    if len(primary) < 2:
        return ()
    return tuple(column for column in root_columns(schema, table) if column in primary)


def _referenced(schema: Schema, table: str) -> set[str]:
    return {column for item in schema.relations_of_parent(table) for column in item.parent_columns}


def check_roots(schema: Schema) -> None:
    """Refuse keys whose values no assignment can make.

    Raises:
        DataError: see ``KeySpec.learn``.
    """
    problems = []
    for table in schema.table_names:
        held = dict.fromkeys(column for item in schema.relations_of_child(table) for column in item.child_columns)
        for column in held:
            roots = _roots(schema, (table, column), ())
            if not roots:
                problems.append(f"{table}.{column}: this key refers to itself in a ring. Remove one of the relations.")
            elif len(roots) > 1:
                named = listing(f"{owner}.{name}" for owner, name in sorted(roots))
                problems.append(
                    f"{table}.{column}: part of several foreign keys, which must lead to one column, found {named}. "
                    "Declare the relation between those, or remove one of the foreign keys."
                )
    raise_collected(DataError, problems)


def _roots(schema: Schema, column: ColumnName, seen: tuple[ColumnName, ...]) -> set[ColumnName]:
    referring = [item for item in schema.relations_of_child(column[0]) if column[1] in item.child_columns]
    if not referring:
        return {column}
    above = {_above(item, column[1]) for item in referring} - {*seen, column}
    return {root for one in above for root in _roots(schema, one, (*seen, column))}


def _above(relation: Relation, column: str) -> ColumnName:
    return relation.parent_table, relation.parent_columns[relation.child_columns.index(column)]


def _rank_in_family(
    schema: Schema, table: str, rows: pa.Table, column: str, pointers: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return each row's place by ``column`` among the rows that share the rest of the primary key."""
    primary = set(schema.table(table).primary_key)
    held = [pointers[item.name] for item in schema.relations_of_child(table) if set(item.child_columns) & primary]
    family = tuple_codes(held, is_missing=False, rows=rows.num_rows)
    values = rows.column(column).combine_chunks().dictionary_encode()
    levels = values.dictionary.cast(pa.string()) if pa.types.is_boolean(values.type.value_type) else values.dictionary
    place = np.argsort(np.argsort(levels.to_numpy(zero_copy_only=False), kind="stable"), kind="stable")
    order = np.lexsort((place[values.indices.to_numpy(zero_copy_only=False)], family))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = rank_within(family[order])
    return rank


class Keys:
    """The key values of one synthetic database, made table by table on request.

    Args:
        schema: tables and relations.
        spec: types and makers.
        skeleton: row counts and pointers.
        rng: decides which values of its range a family leaves out.
        given: values that rows of a root column have: their numbers, (n,) int64, and the values, (n,).
    """

    def __init__(
        self,
        schema: Schema,
        spec: KeySpec,
        skeleton: Skeleton,
        rng: np.random.Generator,
        given: Mapping[ColumnName, tuple[np.ndarray, pa.Array]] | None = None,
    ) -> None:
        self._schema = schema
        self._spec = spec
        self._skeleton = skeleton
        self._rng = rng
        self._given = given or {}
        self._numbers: dict[ColumnName, np.ndarray] = {}
        self._values: dict[ColumnName, pa.Array] = {}
        self._root: dict[ColumnName, ColumnName] = {}

    def table(self, table: str) -> dict[str, pa.Array]:
        """Return the values of all generated columns of a table, (rows,) each.

        Raises:
            StageError: a foreign key that its parent does not hold.
        """
        self._check(table)
        return {column: self._column(table, column) for column in generated_columns(self._schema, table)}

    def renumbered(self, table: str, place: np.ndarray) -> dict[str, pa.Array]:
        """Return the keys that number a table's rows, numbered by where the rows stand; tables made later follow.

        Of tables that refer to it, only such as are made later may be asked for afterwards, and none before.

        Shape:
            place: (rows,) int64, each number once. Returned: (rows,) each.
        """
        own = [one for one in root_columns(self._schema, table) if one not in own_parts(self._schema, table)]
        self._numbers |= {(table, column): place for column in own}
        return {column: self._column(table, column) for column in own}

    def _column(self, table: str, column: str) -> pa.Array:
        numbers = self._number(table, column, ())
        root = self._root[table, column]
        if root not in self._values:
            made = self._number(*root, ())
            self._values[root] = self._made(root, int(made.max(initial=-1)) + 1)
        indices = pa.array(np.maximum(numbers, 0), pa.int64(), mask=numbers < 0)
        values = self._values[root].take(indices)
        wanted = pa.type_for_alias(self._spec.types[table][column])
        return values if values.type == wanted else values.cast(wanted)

    def _made(self, root: ColumnName, count: int) -> pa.Array:
        """Return the values of a root by number, (count,): the given ones in their places, and none of them twice."""
        maker = self._spec.makers[root]
        if root not in self._given:
            return maker.make(np.arange(count))
        numbers, given = self._given[root]
        values = maker.make(np.arange(count + len(given)))
        given = given.cast(values.type)
        is_taken = pc.is_in(values, value_set=given).to_numpy(zero_copy_only=False)
        place = np.arange(count)
        place[is_taken[:count]] = np.flatnonzero(~is_taken[count:])[: int(is_taken[:count].sum())] + count
        place[numbers] = len(values) + np.arange(len(given))
        return pa.concat_arrays([values, given]).take(pa.array(place))

    def _number(self, table: str, column: str, within: tuple[ColumnName, ...]) -> np.ndarray:
        """Return the number of each row's value in its root, (rows,) int64, -1 null."""
        here = (table, column)
        if here in self._numbers:
            return self._numbers[here]
        referring = [item for item in self._schema.relations_of_child(table) if column in item.child_columns]
        # The simplest key first; a key to the table itself would ask for the column that is being made.
        referring.sort(key=lambda item: (item.is_self_reference, len(item.child_columns)))
        numbers: np.ndarray | None = None
        for item in referring:
            above = _above(item, column)
            if above in (*within, here):
                continue
            found = through(self._skeleton.pointers[item.name], self._number(*above, (*within, here)))
            self._root.setdefault(here, self._root[above])
            numbers = found if numbers is None else np.where(numbers < 0, found, numbers)
        if numbers is None:
            self._root[here] = here
            numbers = self._own_numbers(table, column)
        self._numbers[here] = numbers
        return numbers

    def _own_numbers(self, table: str, column: str) -> np.ndarray:
        parts = own_parts(self._schema, table)
        rows = self._skeleton.rows[table]
        if column not in parts:
            return np.arange(rows)
        primary = self._schema.table(table).primary_key
        others = [self._number(table, name, ((table, column),)) for name in primary if name not in parts]
        family = tuple_codes(others, is_missing=False, rows=rows)
        digits = family_digits(family, [self._spec.makers[table, name] for name in parts], self._rng)
        for name, values in zip(parts, digits, strict=True):
            self._numbers[table, name] = values
            self._root[table, name] = (table, name)
        return self._numbers[table, column]

    def _check(self, table: str) -> None:
        for item in self._schema.relations_of_child(table):
            pointer = self._skeleton.pointers[item.name]
            for column, above in zip(item.child_columns, item.parent_columns, strict=True):
                there = through(pointer, self._number(item.parent_table, above, ()))
                wrong = (pointer >= 0) & (self._number(table, column, ()) != there)
                if wrong.any():
                    raise StageError(
                        f"{item.name}: {int(wrong.sum())} of {len(pointer)} synthetic rows hold in {column!r} another "
                        f"value than the row of {item.parent_table!r} they belong to: another foreign key over the "
                        "same column leads elsewhere. Declare the relation between the tables that both keys lead to."
                    )


def family_digits(family: np.ndarray, makers: list[KeyMaker], rng: np.random.Generator) -> list[np.ndarray]:
    """Return the numbers of each part so that the rows of one family differ, (rows,) each.

    The rows of a family count in the mixed radix of the parts' sizes, the last part fastest: from 0 where the real
    rows do (line 1, 2, 3), else spread evenly over the range. One part takes what goes beyond it.
    """
    order = np.argsort(family, kind="stable")
    rank = np.empty(len(family), dtype=np.int64)
    rank[order] = rank_within(family[order])
    size = np.bincount(family)[family] if len(family) else np.empty(0, dtype=np.int64)
    room = 1
    for maker in makers:
        room = min(room * maker.size, 2**40)
    number = rank
    if not (len(makers) == 1 and makers[0].is_ranked):
        offset = rng.random(int(family.max(initial=-1)) + 1)[family]
        spread = np.minimum(((rank + offset) * (room / np.maximum(size, 1))).astype(np.int64), room - 1)
        number = np.where(size <= room, spread, rank)
    open_part = next((place for place, maker in enumerate(makers) if maker.may_exceed), None)
    digits: list[np.ndarray] = [number] * len(makers)
    beyond, inside = number // room, number % room
    for place in range(len(makers) - 1, -1, -1):
        digits[place] = inside % makers[place].size
        inside = inside // makers[place].size
        if place == open_part:
            digits[place] = digits[place] + beyond * makers[place].size
    if open_part is None and beyond.any():
        raise StageError(
            f"primary key: {int(size.max())} rows share the rest of their key, and its other parts have room for "
            f"{room}. Sample fewer rows."
        )
    return digits
