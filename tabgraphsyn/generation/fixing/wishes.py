"""All that a user fixes, typed and held against the bundle before anything is drawn."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.codec.identifier import IdentifierCodec, TextCodec
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.codec.prefixed import PrefixedCodec
from tabgraphsyn.data.formats.arrow_types import plain_array
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import ConfigError, DataError, listing, nearest, raise_collected
from tabgraphsyn.generation.fixing.condition import Condition, Written, can_meet, split_name
from tabgraphsyn.generation.fixing.typed import ReadTable, Types, typed, unknown_names
from tabgraphsyn.generation.keys import own_parts, root_columns

_COUNT = re.compile(r"count\((?P<children>.+)\)")
_MADE_ANEW = (IdentifierCodec, TextCodec, PersonalCodec, PrefixedCodec)

MOST_CHILDREN = 20_000_000
"""Rows that the numbers of children of one column may ask for: a column of other numbers is read as one by mistake."""


@dataclass(frozen=True)
class GivenRows:
    """Rows of one table that are to stand in the sample.

    Attributes:
        rows: some columns in their stored types, null where the sample decides.
        counts: relation -> (rows,) int64, number of children, -1 where the sample decides.
        likely: relation -> (rows,) int64, number of children that such rows have, -1 where nothing says; where the
            sample decides it is this, and as many as are given with the row at least.
    """

    rows: pa.Table = field(repr=False)
    counts: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    likely: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Wishes:
    """See the module.

    Attributes:
        given: table -> rows.
        conditions: table -> what values must be.
        balance: table -> column whose levels are to be as frequent, and its levels.
        notes: what the user should know of them.
    """

    given: Mapping[str, GivenRows] = field(default_factory=dict)
    conditions: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict)
    balance: Mapping[str, tuple[str, pa.Array]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True where nothing is asked."""
        return not self.given and not self.conditions and not self.balance


class WishReader:
    """Types wishes and holds them against a bundle; all mistakes are raised at once.

    Args:
        prepared: of the bundle.
        holds_cells: whether the generator conditions on single values; otherwise values are found by rejection.
        protected: table -> columns that other settings decide.
    """

    def __init__(self, prepared: Prepared, *, holds_cells: bool, publishes: bool) -> None:
        self._prepared, self._holds_cells, self._publishes = prepared, holds_cells, publishes
        self._types = Types(prepared)
        self._notes: list[str] = []

    def read(self, given: Sequence[ReadTable], where: Sequence[Written], balance: Sequence[tuple[str, str]]) -> Wishes:
        """Return the wishes.

        Raises:
            DataError: rows that do not fit the bundle. ConfigError: conditions and columns that it cannot meet.
        """
        rows = self._given(given)
        conditions: dict[str, tuple[Condition, ...]] = {}
        problems = []
        for one in where:
            try:
                conditions[one.table] = (*conditions.get(one.table, ()), *self._condition(one))
            except (ConfigError, DataError) as error:
                problems.append(str(error))
        problems += [text for table, each in conditions.items() for text in self._contradictions(table, each)]
        levels: dict[str, tuple[str, pa.Array]] = {}
        for table, column in balance:
            try:
                if table in levels:
                    raise ConfigError(f"--balance: one column of a table expected, found several of {table!r}.")
                wanted = self._levels(table, column)
                for each in conditions.get(table, ()):
                    wanted = wanted.filter(pa.array(each.holds(wanted))) if each.column == column else wanted
                if not len(wanted):
                    raise ConfigError(f"--balance: {table}.{column}: no value that is listed meets --where. Drop one.")
                levels[table] = (column, wanted)
            except (ConfigError, DataError) as error:
                problems.append(str(error))
        raise_collected(ConfigError, problems)
        # Levels that are as frequent meet what is asked of their column.
        asked = {
            name: tuple(one for one in each if levels.get(name, ("",))[0] != one.column)
            for name, each in conditions.items()
        }
        return Wishes(rows, {name: each for name, each in asked.items() if each}, levels, tuple(self._notes))

    # Given rows.

    def _given(self, read: Sequence[ReadTable]) -> dict[str, GivenRows]:
        problems = unknown_names([one.name for one in read], self._prepared.schema.table_names, "--given", "table")
        raise_collected(DataError, problems)
        twice = {one.name for one in read if sum(other.name == one.name for other in read) > 1}
        problems += [f"--given: rows of {name!r} once expected, found them twice." for name in sorted(twice)]
        found = {}
        for one in read:
            try:
                found[one.name] = self._given_table(one)
            except DataError as error:
                problems += error.problems or [str(error)]
        raise_collected(DataError, problems)
        problems = [text for name, rows in found.items() for text in self._key_problems(name, rows, found)]
        raise_collected(DataError, problems)
        return {name: rows for name, rows in found.items() if rows.rows.num_rows}

    def _given_table(self, read: ReadTable) -> GivenRows:
        schema, where = self._prepared.schema, f"--given: {read.location}"
        own = [column.name for column in schema.table(read.name).columns]
        counted = {
            name: found for name in read.rows.column_names if name not in own and (found := _COUNT.fullmatch(name))
        }
        names = [name for name in read.rows.column_names if name not in counted]
        problems = unknown_names(names, own, where, f"column of {read.name!r}")
        problems += [text for name in names if name in own for text in self._column_problems(read, name, where)]
        raise_collected(DataError, problems)
        rows = self._types.table(read, names, where)
        counts = {}
        for name, found in counted.items():
            relation = self._children(read.name, found["children"], f"{where}.{name}")
            counts[relation.name] = _whole_numbers(read.rows.column(name).combine_chunks(), f"{where}.{name}")
        if (
            self._prepared.plan.reference_tables
            and read.name in self._prepared.plan.reference_tables
            and self._publishes
        ):
            raise DataError(f"{where}: {read.name!r} keeps the rows of its lookup table, none can be given.")
        problems = [text for name in names for text in self._value_problems(read.name, name, rows, where)]
        raise_collected(DataError, problems)
        if not rows.num_columns and counts:
            rows = pa.table({own[0]: pa.nulls(read.rows.num_rows, self._types.of(read.name)[own[0]])})
        return GivenRows(rows, counts)

    def _children(self, table: str, children: str, where: str) -> Relation:
        keys = self._prepared.schema.relations_of_parent(table)
        spelled = {one: [f"{one.child_table}.{column}" for column in one.child_columns] for one in keys}
        asked = [one for one in keys if children in (one.child_table, *spelled[one])]
        if len(asked) != 1:
            there = [f"count({spelled[one][0]})" for one in keys]
            raise DataError(
                f"{where}: one key that refers to {table!r} expected, found {len(asked)}: {listing(there)}."
            )
        return asked[0]

    def _column_problems(self, read: ReadTable, name: str, where: str) -> Iterable[str]:
        table = read.name
        if read.rows.column(name).null_count == read.rows.num_rows:
            return
        if name in own_parts(self._prepared.schema, table):
            yield f"{where}.{name}: this part of the key is made anew. Leave the column out."
        elif reason := self._decided(table, name):
            yield f"{where}.{name}: {reason}. Leave the column out."
        elif not self._holds_cells and name in self._prepared.codec(table).columns:
            codec = self._prepared.codec(table).columns[name]
            if not isinstance(codec, CategoricalCodec | ConstantCodec | DerivedCodec | IdentifierCodec | TextCodec):
                yield (
                    f"{where}.{name}: this bundle's generator finds rows by rejection, and no number is found so. "
                    "Leave the column out, or train with model=absorbing, which holds single values."
                )

    def _value_problems(self, table: str, name: str, rows: pa.Table, where: str) -> Iterable[str]:
        """Yield what of given values the model has no level for."""
        codec = self._prepared.codec(table).columns.get(name)
        values = pc.unique(rows.column(name).drop_null())
        if isinstance(codec, CategoricalCodec) and not (codec.merged_rows or codec.level_counts):
            known = pa.concat_arrays([codec.levels.array, codec.rare.array])
            new = values.filter(pc.invert(pc.is_in(values, value_set=known)))
            if len(new):
                yield (
                    f"{where}.{name}: values that the bundle knows expected "
                    f"({listing(known.drop_null().to_pylist(), 8)}), found "
                    f"{listing(new.to_pylist(), 3)}. Correct or empty them."
                )
        elif isinstance(codec, ConstantCodec):
            known = codec.value.array
            if len(values) and not (len(values) == 1 and values[0] == known[0]):
                yield f"{where}.{name}: {known[0].as_py()!r} expected, the only value of this column, found others."

    def _key_problems(self, table: str, given: GivenRows, all_given: Mapping[str, GivenRows]) -> Iterable[str]:
        schema, rows = self._prepared.schema, given.rows
        for name in root_columns(schema, table):
            values = rows.column(name).drop_null() if name in rows.column_names else pa.chunked_array([pa.nulls(0)])
            if len(pc.unique(values)) < len(values):
                yield f"--given: {table}.{name}: keys that differ expected, found some twice. Correct the rows."
        for relation in schema.relations_of_child(table):
            there = [name for name in relation.child_columns if name in rows.column_names]
            held = [name for name in there if rows.column(name).null_count < rows.num_rows]
            if not held:
                continue
            parent = all_given.get(relation.parent_table)
            columns = relation.parent_columns
            if (
                len(held) < len(relation.child_columns)
                or parent is None
                or not {*columns} <= {*parent.rows.column_names}
            ):
                yield (
                    f"--given: {table}.{'+'.join(relation.child_columns)}: keys are made anew, so rows of "
                    f"{relation.parent_table!r} with {listing(columns)} expected beside them, found none. Give them "
                    "too, or leave the key out."
                )
                continue
            lost = np.flatnonzero(matched(rows, relation.child_columns, parent.rows, columns) == -2)
            if len(lost):
                first = [rows.column(name)[int(lost[0])].as_py() for name in relation.child_columns]
                yield (
                    f"--given: {table}.{'+'.join(relation.child_columns)}: {len(lost)} of {rows.num_rows} keys are no "
                    f"row of the given {relation.parent_table!r} (first: {listing(first)}). Give those parents too."
                )

    # Conditions and balance.

    def _condition(self, written: Written) -> tuple[Condition, ...]:
        where = f"--where: {written.table}.{written.column}"
        codec = self._codec(written.table, written.column, where)
        column = self._prepared.schema.table(written.table).column(written.column)
        text = f"{written.table}.{written.column} {written.operator} {', '.join(written.values)}"
        values = typed(pa.array(written.values), column, self._types.of(written.table)[column.name], where)
        if written.operator not in ("=", "!=", "in") and pa.types.is_boolean(values.type):
            raise ConfigError(f"{where}: '=' expected for a column that is true or false, found {written.operator!r}.")
        found = Condition(column.name, written.operator, values, column.format, text)
        if isinstance(codec, DerivedCodec):
            return self._through(codec, found, where)
        known = self._known_values(codec)
        if known is not None and not found.holds(known).any():
            raise ConfigError(
                f"{where}: no value that the bundle knows meets {text!r}; there are "
                f"{listing(known.drop_null().to_pylist(), 8)}. Ask for one of them."
            )
        return () if isinstance(codec, ConstantCodec) else (found,)

    def _contradictions(self, table: str, conditions: Sequence[Condition]) -> Iterable[str]:
        """Yield columns of which no value can meet all that is asked."""
        codec = self._prepared.codec(table)
        for name in dict.fromkeys(one.column for one in conditions):
            asked = [one for one in conditions if one.column == name]
            if len(asked) > 1 and not can_meet(asked, self._known_values(codec.columns[name])):
                texts = listing(one.text for one in asked)
                yield f"--where: {table}.{name}: conditions that one value meets expected, found {texts}. Drop one."

    def _through(self, codec: DerivedCodec, found: Condition, where: str) -> tuple[Condition, ...]:
        """Return the condition on the column that this one follows from."""
        usable = codec.determinant.array.filter(pa.array(found.holds(codec.dependent.array))).drop_null()
        if not len(usable):
            there = listing(pc.unique(codec.dependent.array).drop_null().to_pylist(), 8)
            raise ConfigError(f"{where}: no value that the bundle knows meets {found.text!r}; there are {there}.")
        return (Condition(codec.given, "in", usable, None, found.text),)

    def _levels(self, table: str, column: str) -> pa.Array:
        where = f"--balance: {table}.{column}"
        codec = self._codec(table, column, where)
        if isinstance(codec, DerivedCodec):
            raise ConfigError(f"{where}: this column follows from {codec.given!r}. Balance that one.")
        if not isinstance(codec, CategoricalCodec):
            raise ConfigError(f"{where}: a column of categories expected, found {codec.kind}. Balance another column.")
        levels = codec.levels.array.drop_null()
        if codec.has_pool:
            self._notes.append(f"{where}: values of few entities are left out; {len(levels)} are as frequent.")
        return levels

    def _codec(self, table: str, column: str, where: str) -> ColumnCodec:
        schema = self._prepared.schema
        option = where.partition(":")[0]
        problems = unknown_names([table], schema.table_names, option, "table")
        raise_collected(ConfigError, problems)
        raise_collected(
            ConfigError, unknown_names([column], list(schema.table(table).by_name), option, f"column of {table!r}")
        )
        if column in self._types_of_keys(table):
            raise ConfigError(f"{where}: keys are made anew. Name a column that is no key, or give rows with --given.")
        if reason := self._decided(table, column) or self._moved(table, column):
            raise ConfigError(f"{where}: {reason}.")
        if self._publishes and table in self._prepared.plan.reference_tables:
            raise ConfigError(f"{where}: {table!r} keeps the rows of its lookup table. Name another table's column.")
        codec = self._prepared.codec(table).columns[column]
        if isinstance(codec, _MADE_ANEW):
            raise ConfigError(f"{where}: ids, names and texts are made anew. Name another column.")
        return codec

    def _types_of_keys(self, table: str) -> set[str]:
        return set(self._types.of(table)) - set(self._prepared.codec(table).columns)

    def _decided(self, table: str, column: str) -> str:
        """Return in words what decides a column, empty where the model does."""
        known = next((one for one in self._prepared.known(table).columns if one.column == column), None)
        if known is not None:
            return f"it follows from {listing(known.relations)}, keys into lookup tables"
        return ""

    def _moved(self, table: str, column: str) -> str:
        above = self._prepared.parents_columns(table).get(column)
        if above is not None:
            parent = self._prepared.schema.way(str(above.through))[-1].parent_table
            return f"it is its parent's {above.column!r}. Name {parent}.{above.column}"
        return ""

    @staticmethod
    def _known_values(codec: ColumnCodec) -> pa.Array | None:
        if isinstance(codec, ConstantCodec):
            return codec.value.array
        if isinstance(codec, CategoricalCodec):
            return pa.concat_arrays([codec.levels.array, codec.rare.array])
        return None


def matched(child: pa.Table, columns: Sequence[str], parent: pa.Table, keys: Sequence[str]) -> np.ndarray:
    """Return the row of ``parent`` whose keys a row of ``child`` holds, (rows,) int64; -1 for a null, -2 for none.

    >>> matched(pa.table({"p": [7, None, 3]}), ["p"], pa.table({"id": [3, 7]}), ["id"]).tolist()
    [1, -1, 0]
    >>> matched(pa.table({"p": [5]}), ["p"], pa.table({"id": [3, 7]}), ["id"]).tolist()
    [-2]
    """
    place: dict[tuple[object, ...], int] = {}
    for number, key in enumerate(zip(*(parent.column(name).to_pylist() for name in keys), strict=True)):
        place.setdefault(key, number)
    asked = zip(
        *(
            child.column(name).cast(parent.column(key).type).to_pylist()
            for name, key in zip(columns, keys, strict=True)
        ),
        strict=True,
    )
    found = [-1 if any(one is None for one in each) else place.get(each, -2) for each in asked]
    return np.array(found, dtype=np.int64)


def _whole_numbers(values: pa.Array, where: str) -> np.ndarray:
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    try:
        plain = plain_array(values)
        numbers = pc.fill_null(plain.cast(pa.float64()).cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
        is_wrong = bool((numbers[pc.is_valid(values).to_numpy(zero_copy_only=False)] < 0).any())
    except (pa.ArrowException, ValueError):
        is_wrong, numbers = True, np.zeros(0, dtype=np.int64)
    if is_wrong:
        raise DataError(f"{where}: numbers of children, 0 or more, expected, found others. Correct or empty them.")
    total = int(numbers[numbers > 0].astype(object).sum())
    if total > MOST_CHILDREN:
        raise DataError(f"{where}: at most {MOST_CHILDREN:,} children together expected, found {total:,}. Give fewer.")
    return np.asarray(numbers, dtype=np.int64)


def parse_balance(text: str, tables: Collection[str] = ()) -> tuple[str, str]:
    """Return table and column of ``table.column``; of ``tables`` one is found that has dots in its name.

    >>> parse_balance("users.country")
    ('users', 'country')

    Raises:
        ConfigError: another form.
    """
    table, column = split_name(text, tables)
    if not table or not column:
        raise ConfigError(f"--balance: TABLE.COLUMN expected, found {text!r}.{nearest(text, [])}")
    return table, column
