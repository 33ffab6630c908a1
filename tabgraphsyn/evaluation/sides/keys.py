"""Keys as metrics see them: joins that never fail, also on the broken keys of someone else's synthetic data.

The codec side has its own link that refuses broken keys; here an orphan is a finding, not an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data.codes import as_text, column_codes, tuple_codes
from tabgraphsyn.data.pointers import NULL, ORPHAN, through
from tabgraphsyn.data.schema import Database, Relation, Schema, Table
from tabgraphsyn.evaluation.statistics.distinct import is_repeat


def pointers(database: Database, relation: Relation) -> np.ndarray:
    """Return (child_rows,) int64: the parent's row, ``NULL``, or ``ORPHAN`` for a key without a parent.

    Where a broken primary key repeats, the first row counts. A key with a null part is null (SQL's MATCH SIMPLE).
    """
    child = _columns(database, relation.child_table, relation.child_columns)
    parent = _columns(database, relation.parent_table, relation.parent_columns)
    child_key, parent_key = joint_codes(child, parent)
    found = pc.index_in(pa.array(child_key), value_set=pa.array(parent_key[parent_key >= 0]))
    rows_with_key = np.flatnonzero(parent_key >= 0)
    position = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    rows = np.full(len(child_key), ORPHAN, np.int64)
    matched = position >= 0
    rows[matched] = rows_with_key[position[matched]]
    rows[child_key < 0] = NULL
    return rows


def repeated_keys(database: Database, table: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows,) bool twice: rows of ``table`` that repeat an earlier primary key, and rows with a null in it."""
    columns = _columns(database, table, database.schema.table(table).primary_key)
    codes, _ = joint_codes(columns, [column.slice(0, 0) for column in columns])
    null = codes < 0
    return ~null & is_repeat(codes), null


def _columns(database: Database, table: str, names: tuple[str, ...]) -> list[pa.ChunkedArray]:
    rows = database[table]
    present = column_names(rows)
    missing = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    return [rows.column(name) if name in present else missing for name in names]


def column_names(table: Table) -> frozenset[str]:
    """Return the columns that are there, which in someone else's data may be fewer than the schema's."""
    source = table.source
    return frozenset(source.column_names if isinstance(source, pa.Table) else pq.read_schema(source).names)


def joint_codes(left: list[pa.ChunkedArray], right: list[pa.ChunkedArray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of two sides' keys, ``MISSING`` where a part is null, (left rows,) and (right rows,) int64."""
    found = tuple_codes([_part_codes(one, other) for one, other in zip(left, right, strict=True)])
    return found[: len(left[0])], found[len(left[0]) :]


def _part_codes(left: pa.ChunkedArray, right: pa.ChunkedArray) -> np.ndarray:
    if left.type != right.type:
        left, right = as_text(left), as_text(right)
    both = pa.chunked_array([*left.chunks, *right.chunks], type=left.type).combine_chunks()
    return column_codes(both, null_code=False)


@dataclass(frozen=True)
class Path:
    """A walk from a child table up its foreign keys.

    Attributes:
        relations: the keys followed, the child's first.
    """

    relations: tuple[Relation, ...]

    @property
    def name(self) -> str:
        """Names of the relations, in the order of the walk."""
        return " > ".join(relation.name for relation in self.relations)

    @property
    def child(self) -> str:
        """The table the walk starts at."""
        return self.relations[0].child_table

    @property
    def parent(self) -> str:
        """The table the walk ends at."""
        return self.relations[-1].parent_table

    def ancestor_rows(self, pointers_of: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Return (rows,) int64: for each child row the row reached, negative where a key on the way is null."""
        at = rows
        for relation in self.relations:
            at = through(at, pointers_of[relation.name])
        return at


def paths(schema: Schema, hops: int) -> list[Path]:
    """Return every walk of exactly ``hops`` foreign keys; none uses the same key twice, so cycles end."""
    walks: list[tuple[Relation, ...]] = [(relation,) for relation in schema.relations]
    for _ in range(hops - 1):
        walks = [
            (*walk, relation)
            for walk in walks
            for relation in schema.relations_of_child(walk[-1].parent_table)
            if relation not in walk
        ]
    return [Path(walk) for walk in walks]
