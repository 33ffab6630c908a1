"""Tables whose nulls are filled: their keys and values stand, and what is missing is drawn for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.codec.identifier import IdentifierCodec, TextCodec
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.codec.prefixed import PrefixedCodec
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.errors import DataError, listing, raise_collected
from tabgraphsyn.generation.fixing.condition import FILLED, Condition
from tabgraphsyn.generation.fixing.demands import Cells, Demands, whole, with_cells
from tabgraphsyn.generation.fixing.frame import Fixing, KeyValues
from tabgraphsyn.generation.fixing.typed import ReadTable, Types, unknown_names
from tabgraphsyn.generation.fixing.wishes import matched
from tabgraphsyn.generation.keys import KeySpec, generated_columns
from tabgraphsyn.generation.structure.base import Skeleton, StructureModel

_NOT_FILLED = (IdentifierCodec, TextCodec, PersonalCodec, PrefixedCodec, ConstantCodec)


def tables_to_fill(prepared: Prepared, read: Sequence[ReadTable], say: Callable[[str], None]) -> dict[str, pa.Table]:
    """Return foreign tables in their stored types, (rows,) each.

    Raises:
        DataError: tables, columns and values that the bundle does not know, and keys that identify no row.
    """
    schema, types, problems = prepared.schema, Types(prepared), []
    raise_collected(DataError, unknown_names([one.name for one in read], schema.table_names, "--impute", "table"))
    found: dict[str, pa.Table] = {}
    for one in read:
        own, where = list(schema.table(one.name).by_name), f"--impute: {one.location}"
        unknown = unknown_names(one.rows.column_names, own, where, f"column of {one.name!r}")
        keys = [name for name in schema.table(one.name).primary_key if name not in one.rows.column_names]
        unknown += [f"{where}: the key {name!r} of {one.name!r} expected, found no such column." for name in keys]
        if unknown:
            problems += unknown
            continue
        try:
            found[one.name] = types.table(one, one.rows.column_names, where)
        except DataError as error:
            problems += error.problems or [str(error)]
            continue
        problems += _key_problems(schema, one.name, found[one.name], where)
    raise_collected(DataError, problems)
    missing = [name for name in schema.table_names if name not in found]
    if missing:
        say(f"--impute: without {listing(missing)}: rows are filled as if nothing belonged to them.")
    return found


def _key_problems(schema: Schema, table: str, rows: pa.Table, where: str) -> Iterator[str]:
    primary = list(schema.table(table).primary_key)
    if primary:
        keys = rows.select(primary)
        empty = sum(keys.column(name).null_count for name in primary)
        if empty:
            yield f"{where}: a key in every row expected, found {empty} empty ones. Keys are not filled: add them."
        elif keys.group_by(primary).aggregate([]).num_rows < keys.num_rows:
            yield f"{where}: {listing(primary)} that differ expected, found some twice. Correct the rows."


@dataclass
class TablesFilled(Fixing):
    """See the module.

    Attributes:
        tables: table -> its columns in their stored types.
    """

    tables: Mapping[str, pa.Table] = field(default_factory=dict)

    def grown(self, structure: StructureModel) -> Skeleton:
        """See ``Fixing``: the keys are those of the tables."""
        del structure
        prepared = self.bundle.prepared
        schema = prepared.schema
        rows = {name: self.tables[name].num_rows if name in self.tables else 0 for name in schema.table_names}
        pointers = {one.name: self._pointer(one, rows[one.child_table]) for one in schema.relations}
        templates = {name: self._templates(name) for name in prepared.plan.reference_tables}
        skeleton = Skeleton(rows, pointers, {}, templates)
        self.demands = {name: one for name in self.tables if not (one := self._demands(name)).is_empty}
        return skeleton

    def _pointer(self, relation: Relation, rows: int) -> np.ndarray:
        child, parent = self.tables.get(relation.child_table), self.tables.get(relation.parent_table)
        if child is None or parent is None or not {*relation.child_columns} <= {*child.column_names}:
            return np.full(rows, -1, dtype=np.int64)
        if not {*relation.parent_columns} <= {*parent.column_names}:
            return np.full(rows, -1, dtype=np.int64)
        found = matched(child, relation.child_columns, parent, relation.parent_columns)
        lost = int((found == -2).sum())
        if lost:
            self.say(
                f"--impute: {relation.child_table}: {lost} of {rows} keys are no row of {relation.parent_table!r}: "
                "these rows are filled as if they had no parent."
            )
        return np.maximum(found, -1)

    def _templates(self, table: str) -> np.ndarray:
        """Return which published row of a lookup table each row is, (rows,) int64; the first where it is none."""
        reference, own = self.bundle.prepared.reference(table), self.tables.get(table)
        if reference is None or own is None:
            return np.zeros(0 if own is None else own.num_rows, dtype=np.int64)
        shared = [name for name in reference.column_names if name in own.column_names]
        return np.maximum(matched(own, shared, reference, shared), 0)

    def _demands(self, table: str) -> Demands:
        codec, rows = self.bundle.prepared.codec(table), self.tables[table]
        cells, conditions, unknown = {}, [], 0
        left = [name for name in rows.column_names if name not in codec.columns and rows.column(name).null_count]
        for name, own in codec.columns.items():
            if name not in rows.column_names:
                continue
            values = whole(rows.column(name))
            has = known_values(own, values)
            unknown += int((~has).sum()) - values.null_count
            if has.any():
                cells[name] = Cells(has, pc.if_else(pa.array(has), values, pa.scalar(None, values.type)))
            if not values.null_count:
                continue
            if isinstance(own, _NOT_FILLED):
                left.append(name)
            elif not isinstance(own, DerivedCodec):
                text = f"{table}.{name} is filled"
                conditions.append(Condition(name, FILLED, pa.nulls(0, values.type), None, text))
        if unknown:
            self.say(
                f"--impute: {table}: {unknown} values are none that the bundle knows; they stand, and tell nothing."
            )
        if left:
            self.say(
                f"--impute: {table}: empty cells of {listing(left)} stay: keys, ids, names, texts and constants are "
                "not filled."
            )
        return Demands(rows.num_rows, cells, tuple(conditions))

    def keys(self, schema: Schema, spec: KeySpec, skeleton: Skeleton) -> KeyValues:
        """See ``Fixing``: the keys of the tables."""
        return _OwnKeys(schema, spec, skeleton, self.tables)

    def imposed(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """See ``Fixing``: (rows,) with all values that stood, known to the model or not."""
        demands = self.demands.get(table)
        if table not in self.tables:
            yield from batches
            return
        rows, codec = pa.concat_tables(batches), self.bundle.prepared.codec(table)
        own = self.tables[table]
        cells = {}
        for name in own.column_names:
            if name in codec.columns:
                values = whole(own.column(name))
                stands = values.is_valid().to_numpy(zero_copy_only=False)
                if isinstance(codec.columns[name], _NOT_FILLED):
                    stands = np.ones(len(values), dtype=bool)
                cells[name] = Cells(stands, values)
        rows = with_cells(rows, Demands(rows.num_rows, cells))
        asked = demands.conditions if demands is not None else ()
        empty = {one.column: rows.column(one.column).null_count for one in asked}
        if any(empty.values()):
            shown = listing([f"{name} in {count} rows" for name, count in empty.items() if count])
            self.say(f"--impute: {table}: still missing, because a rule of the data set or their row says so: {shown}.")
        yield rows


def known_values(codec: ColumnCodec, values: pa.Array) -> np.ndarray:
    """Return which values are filled and can be encoded, (rows,) bool."""
    has = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    return has & codec.knows(values) if codec.given is None else has


class _OwnKeys:
    """The values that key columns have."""

    def __init__(self, schema: Schema, spec: KeySpec, skeleton: Skeleton, tables: Mapping[str, pa.Table]) -> None:
        self._schema, self._spec, self._skeleton, self._tables = schema, spec, skeleton, tables

    def table(self, table: str) -> Mapping[str, pa.Array]:
        """Return column -> (rows,)."""
        rows, own, found = self._skeleton.rows[table], self._tables.get(table), {}
        for name in generated_columns(self._schema, table):
            kind = pa.type_for_alias(self._spec.types[table][name])
            is_there = own is not None and name in own.column_names
            found[name] = whole(own.column(name)) if own is not None and is_there else pa.nulls(rows, kind)
        return found
