"""What rows have from their parents while a database is made: copied values, and conditions that go with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.known.inherited import InheritedColumn, ParentColumn
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.structure.base import Skeleton

Fixed = Mapping[str, tuple[np.ndarray, pa.Array]]
"""Column -> which rows have its value from a parent, (rows,) bool, and values of all rows, null for the others."""


@dataclass
class Parents:
    """Columns of tables made so far that later tables inherit.

    Attributes:
        prepared: codecs and which columns are inherited.
        skeleton: the keys.
        inherited: table -> its inherited columns.
        parent_of: relation name -> parent table.
        asked: columns of parents that rules of later tables read.
        below: table -> columns that totals of its parents are made of.
        values: table -> column -> values of all its rows, once the table is made.
    """

    prepared: Prepared
    skeleton: Skeleton
    inherited: Mapping[str, list[InheritedColumn]]
    parent_of: Mapping[str, str]
    asked: tuple[Operand, ...] = ()
    below: Mapping[str, set[str]] = field(default_factory=dict)
    values: dict[str, dict[str, pa.Array]] = field(default_factory=dict)

    @staticmethod
    def of(bundle: Bundle, skeleton: Skeleton, below: Mapping[str, set[str]] | None = None) -> Parents:
        """Return the state before the first table."""
        prepared = bundle.prepared
        parent_of = {relation.name: relation.parent_table for relation in prepared.schema.relations}
        inherited = {table: prepared.inherited(table) for table in bundle.tables}
        asked = tuple(one for table in bundle.tables for one in prepared.row_rules(table).through)
        return Parents(prepared, skeleton, inherited, parent_of, asked, below or {})

    def read(self, operand: Operand) -> pa.Array:
        """Return a column of the parents of a table's rows, null where there is none; (rows,)."""
        pointer = self.skeleton.pointers[str(operand.through)]
        values = self.values[self.parent_of[str(operand.through)]][operand.column]
        return values.take(pa.array(pointer, mask=pointer < 0))

    def column(self, inherited: InheritedColumn) -> tuple[ParentColumn, np.ndarray]:
        """Return an inherited column as the new parent table has it, and the parent of each row, -1 for none."""
        parent = self.parent_of[inherited.relation]
        codec = self.prepared.codec(parent).columns[inherited.parent_column]
        values = self.values[parent][inherited.parent_column]
        return ParentColumn.of(codec, values), self.skeleton.pointers[inherited.relation]

    def fixed(self, table: str) -> Fixed:
        """Return what a table's rows have from their parents."""
        found = {}
        for one in self.inherited[table]:
            pointer = self.skeleton.pointers[one.relation]
            values = self.values[self.parent_of[one.relation]][one.parent_column]
            found[one.column] = (pointer >= 0, values.take(pa.array(pointer, mask=pointer < 0)))
        return found

    def remembered(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield a table's batches and keep the columns that later tables inherit or ask for; one row each."""
        inheriting = [one for columns in self.inherited.values() for one in columns]
        wanted = {one.parent_column for one in inheriting if self.parent_of[one.relation] == table}
        wanted |= self.below.get(table, set())
        wanted |= {one.column for one in self.asked if one.through and self.parent_of[one.through] == table}
        parts = []
        for batch in batches:
            parts.append(batch.select(sorted(wanted)))
            yield batch
        whole = pa.concat_tables(parts)
        self.values[table] = {name: whole.column(name).combine_chunks() for name in whole.column_names}
