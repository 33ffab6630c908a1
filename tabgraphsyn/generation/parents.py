"""What rows have from their parents while a database is made: copied values, and conditions that go with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.pointers import NULL, through
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.keeping.family_ends import ends, read_through
from tabgraphsyn.generation.structure.base import Skeleton

Fixed = Mapping[str, tuple[np.ndarray, pa.Array]]
"""Column -> which rows have its value from a parent, (rows,) bool, and values of all rows, null for the others."""


@dataclass
class Parents:
    """Columns of tables made so far that rules of later tables read.

    Attributes:
        prepared: what prepare found out.
        skeleton: the keys.
        copied: table -> columns that a rule says are a parent's -> that column.
        asked: columns of parents that rules of later tables read.
        below: table -> columns that totals of its parents are made of.
        values: table -> column -> values of all its rows, once the table is made.
    """

    prepared: Prepared
    skeleton: Skeleton
    copied: Mapping[str, Mapping[str, Operand]]
    asked: tuple[Operand, ...] = ()
    below: Mapping[str, set[str]] = field(default_factory=dict)
    values: dict[str, dict[str, pa.Array]] = field(default_factory=dict)

    @staticmethod
    def of(bundle: Bundle, skeleton: Skeleton, below: Mapping[str, set[str]] | None = None) -> Parents:
        """Return the state before the first table; ``below`` is None where no rule is kept."""
        prepared = bundle.prepared
        copied = {table: {} if below is None else prepared.parents_columns(table) for table in bundle.tables}
        asked = tuple(one for table in bundle.tables for one in prepared.row_rules(table).through)
        asked += tuple(read_through(one) for table in bundle.tables for one in ends(prepared, table))
        return Parents(prepared, skeleton, copied, asked, below or {})

    def read(self, operand: Operand) -> pa.Array:
        """Return a column of the parents of a table's rows, null where there is none; (rows,)."""
        pointer, holder = self.pointer(operand), self.holder(operand)
        return self.values[holder][operand.column].take(pa.array(pointer, mask=pointer < 0))

    def pointer(self, operand: Operand) -> np.ndarray:
        """Return the row that the keys of an operand lead to, (rows,) int64, negative for none."""
        first, *rest = (self.skeleton.pointers[one.name] for one in self.prepared.schema.way(str(operand.through)))
        for above in rest:
            first = through(first, above, NULL)
        return first

    def holder(self, operand: Operand) -> str:
        """Return the table that the keys of an operand lead to."""
        return self.prepared.schema.way(str(operand.through))[-1].parent_table

    def fixed(self, table: str) -> Fixed:
        """Return what a table's rows have from their parents; what counts from it when decoding goes by it."""
        found = {}
        for column, above in self.copied[table].items():
            values = self.read(above)
            found[column] = (self.pointer(above) >= 0, values)
        return found

    def remembered(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield a table's batches and keep the columns that later tables ask for; one row each."""
        wanted = set(self.below.get(table, set()))
        wanted |= {one.column for one in self.asked if one.through and self.holder(one) == table}
        parts = []
        for batch in batches:
            parts.append(batch.select(sorted(wanted)))
            yield batch
        whole = pa.concat_tables(parts)
        self.values[table] = {name: whole.column(name).combine_chunks() for name in whole.column_names}
