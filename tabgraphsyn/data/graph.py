"""The foreign-key graph: edge types of a schema, and their neighbour lists from row pointers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.pointers import CENSORED
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.errors import StageError

EdgeType = tuple[str, str, str]
REVERSE = "rev:"


def edge_types(schema: Schema) -> tuple[EdgeType, ...]:
    """Return ``(child, relation name, parent)`` and its reverse for every relation.

    The relation's name, not the pair of tables, tells types apart: two keys between one pair of tables and the two
    directions of a self-reference stay apart.

    >>> from tabgraphsyn.data.pointers import CENSORED
    from tabgraphsyn.data.schema import Relation, Schema, TableSchema
    >>> tables = (TableSchema("person", ()),)
    >>> edge_types(Schema(tables, (Relation("person", ("boss",), "person", ("id",)),)))
    (('person', 'person.boss--person', 'person'), ('person', 'rev:person.boss--person', 'person'))
    """
    types: list[EdgeType] = []
    for relation in schema.relations:
        types.append((relation.child_table, relation.name, relation.parent_table))
        types.append((relation.parent_table, REVERSE + relation.name, relation.child_table))
    return tuple(types)


def reversed_type(edge_type: EdgeType) -> EdgeType:
    """Return the edge type of the same edges in the other direction.

    >>> reversed_type(("flights", "k", "planes"))
    ('planes', 'rev:k', 'flights')
    """
    source, name, target = edge_type
    name = name.removeprefix(REVERSE) if name.startswith(REVERSE) else REVERSE + name
    return (target, name, source)


@dataclass(frozen=True)
class Adjacency:
    """Neighbours of every target row, as compressed sparse rows.

    Shape:
        pointer: (target rows + 1,) int64; the neighbours of row ``i`` are ``source[pointer[i] : pointer[i + 1]]``.
        source: (edges,) int64.
    """

    pointer: np.ndarray
    source: np.ndarray

    @property
    def degree(self) -> np.ndarray:
        """Number of neighbours of every target row, (target rows,) int64."""
        return np.diff(self.pointer)

    def edges(self) -> np.ndarray:
        """Return source and target rows, sorted by target, (2, edges) int64."""
        return np.stack([self.source, np.repeat(np.arange(len(self.pointer) - 1), self.degree)])

    @staticmethod
    def from_edges(source: np.ndarray, target: np.ndarray, target_rows: int) -> Adjacency:
        """Sort edges by target; among the neighbours of one row the order of the edges is kept."""
        pointer = np.zeros(target_rows + 1, dtype=np.int64)
        np.cumsum(np.bincount(target, minlength=target_rows), out=pointer[1:])
        return Adjacency(pointer, source[np.argsort(target, kind="stable")].astype(np.int64, copy=False))


def adjacencies(
    schema: Schema, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]
) -> dict[EdgeType, Adjacency]:
    """Return the neighbour lists of every edge type, both directions of every relation.

    Null (-1) and censored (-2) pointers are no edges.

    Args:
        schema: tables and relations.
        rows: number of rows of every table.
        pointers: relation name -> row of the parent table, (child rows,) int64.

    Raises:
        StageError: a pointer array that is missing, has another length, or points outside its parent table.
    """
    found: dict[EdgeType, Adjacency] = {}
    for relation in schema.relations:
        parent_row = checked_pointer(relation, rows, pointers)
        child = np.flatnonzero(parent_row >= 0)
        parent = parent_row[child]
        up = (relation.child_table, relation.name, relation.parent_table)
        found[up] = Adjacency.from_edges(child, parent, rows[relation.parent_table])
        found[reversed_type(up)] = Adjacency.from_edges(parent, child, rows[relation.child_table])
    return found


def checked_pointer(relation: Relation, rows: Mapping[str, int], pointers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the pointers of one relation after checking them against the row counts, (child rows,) int64."""
    if relation.name not in pointers:
        raise StageError(f"{relation.name}: every relation needs its row pointers; these were not given.")
    parent_row = np.asarray(pointers[relation.name])
    if parent_row.shape != (rows[relation.child_table],):
        raise StageError(
            f"{relation.name}: pointers of shape ({rows[relation.child_table]},) expected, one for every row of "
            f"{relation.child_table!r}; found {parent_row.shape}."
        )
    if parent_row.size and (parent_row.max() >= rows[relation.parent_table] or parent_row.min() < CENSORED):
        raise StageError(
            f"{relation.name}: pointers must be a row of {relation.parent_table!r} (0 to "
            f"{rows[relation.parent_table] - 1}), -1 (null) or -2 (censored); found {parent_row.min()} to "
            f"{parent_row.max()}."
        )
    return parent_row
