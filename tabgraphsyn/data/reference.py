"""Whose rows are kept is a decision: of which tables real values are published, under new keys, and why not of others.

A lookup table (airlines, airports) and a table of patients look alike to a machine: both are small and referred to. So
real rows leave the project only where the owner of the data says so, or where keeping them can tell nothing of anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.dependencies import column_codes
from tabgraphsyn.data.holders import some_members
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.order import KeyUse, driver_relations, generation_order
from tabgraphsyn.data.personal import is_personal_key, personal_kind
from tabgraphsyn.data.personal_words import is_id_of_person, is_person_table
from tabgraphsyn.data.schema import Database, Relation, Schema, Table
from tabgraphsyn.data.sharers import COUNTED, by_sharers

SMALL_ROWS = 20
"""A table of fewer rows is too small to learn from: what is not published of it is drawn from coarse marginals."""
CROWDED_SHARE = 0.10
COUNTED_ROWS = 5_000_000
HANDFUL = 5
"""Values that one row alone holds, at most, in a table that is published unasked."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a table's rows.

    Attributes:
        is_published: real rows keep their attributes.
        reason: why, or why not.
        is_declared: the data set's yaml or metadata says so.
        shared_by: how many entities share the row that the fewest share, where this alone decides; at most
            ``COUNTED`` are told apart.
    """

    is_published: bool
    reason: str
    is_declared: bool = False
    shared_by: int | None = None


def entity_numbers(
    order: Sequence[str],
    rows: Mapping[str, int],
    driver: Mapping[str, Relation | None],
    shared: Collection[str],
    pointers: Mapping[str, np.ndarray],
    persons: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Return per table (rows,) int64: which entity a row belongs to, numbered over the whole database.

    An entity is a row without a driver parent (or whose driver parent lies in a shared table), with its descendants
    along the drivers: what the holdout keeps together. Rows of one person (``patient_id``, where no file holds the
    patients themselves) are one entity, too.

    Args:
        order: tables, parents first.
        rows: rows per table.
        driver: table -> the relation along which its rows are created.
        shared: tables whose rows belong to everybody.
        pointers: relation name -> (child rows,) row of the parent, negative for none.
        persons: table -> (rows,) the first row of the same person, see ``person_rows``.
    """
    found: dict[str, np.ndarray] = {}
    start = 0
    for table in order:
        first = None if persons is None else persons.get(table)
        own = start + (np.arange(rows[table], dtype=np.int64) if first is None else first)
        start += rows[table]
        relation = driver[table]
        if relation is not None and relation.parent_table not in shared and relation.parent_table in found:
            parent = pointers[relation.name]
            above = found[relation.parent_table]
            own = np.where(parent >= 0, above[np.maximum(parent, 0)], own) if len(above) else own
        found[table] = own
    return found


def no_entities(published: Collection[str], rows: Mapping[str, int], min_entities: int) -> tuple[str, ...]:
    """Return tables whose rows are no entities: published ones, and those of fewer rows than may hold a value.

    Four currencies cannot be five entities: were each of their many accounts one of theirs, no value of an account
    could ever be named. A table of persons keeps its persons, however few.

    >>> no_entities(["airlines"], {"airlines": 16, "currency": 4, "patients": 4, "site": 9}, 5)
    ('airlines', 'currency')
    """
    return tuple(
        name
        for name, count in rows.items()
        if name in published or (count < min_entities and not is_person_table(name))
    )


def person_rows(database: Database) -> dict[str, np.ndarray]:
    """Return for tables with a column that tells persons apart (rows,) int64: the first row of each row's person.

    Such a column is no foreign key, and no primary key by itself: a table of visits with ``patient_id``, alone.
    """
    found = {}
    schema = database.schema
    for one in schema.tables:
        foreign = {column for relation in schema.relations_of_child(one.name) for column in relation.child_columns}
        for column in one.columns:
            if column.name in foreign or one.primary_key == (column.name,) or not is_id_of_person(column.name):
                continue
            values = database[one.name].column(column.name)
            if is_personal_key(column.name, values):
                found[one.name] = _first_rows(column_codes(values, null_code=False))
                break
    return found


def _first_rows(codes: np.ndarray) -> np.ndarray:
    """Return the first row of each row's code, the row itself where there is none.

    >>> _first_rows(np.array([0, 1, 0, -1])).tolist()
    [0, 1, 0, 3]
    """
    rows = np.arange(len(codes), dtype=np.int64)
    first = np.full(int(codes.max(initial=-1)) + 1, len(codes), dtype=np.int64)
    has = codes >= 0
    np.minimum.at(first, codes[has], rows[has])
    return np.where(has, first[np.maximum(codes, 0)], rows) if len(first) else rows


def decisions(
    database: Database,
    order: Sequence[str],
    driver: Mapping[str, Relation | None],
    pointers: Mapping[str, np.ndarray],
    min_entities: int,
) -> dict[str, Decision]:
    """Return what becomes of the rows of every table that others refer to, or whose owner decided.

    Args:
        database: all real rows.
        order: tables, parents first.
        driver: table -> the relation along which its rows are created.
        pointers: relation name -> (child rows,) row of the parent, negative for none.
        min_entities: a row must be shared by that many entities before it is published unasked.
    """
    schema = database.schema
    rows = {name: database[name].num_rows for name in schema.table_names}
    declared = {one.name for one in schema.tables if one.reference}
    entities = entity_numbers(order, rows, driver, declared, pointers, person_rows(database))
    found = {}
    for one in schema.tables:
        if one.reference is not None:
            reason = f"declared, reference: {str(one.reference).lower()}"
            found[one.name] = Decision(one.reference, reason, is_declared=True)
        elif any(not relation.is_self_reference for relation in schema.relations_of_parent(one.name)):
            against = _objection(database[one.name], schema, pointers, entities, min_entities)
            found[one.name] = (
                against
                if isinstance(against, Decision)
                else Decision(*by_sharers(against, min_entities), False, against)
            )
    return found


def proposals(database: Database, min_entities: int) -> dict[str, Decision]:
    """Return what becomes of the rows of every table that others refer to, before anything else is known of them."""
    schema = database.schema
    pointers = {one.name: link_relation(database, one) for one in schema.relations}
    use = {name: KeyUse.measure(parent_row) for name, parent_row in pointers.items()}
    null_shares = {name: used.null_share for name, used in use.items()}
    order = generation_order(schema.table_names, schema.relations, null_shares)
    return decisions(database, order, driver_relations(order, schema.relations, use), pointers, min_entities)


def _objection(
    table: Table,
    schema: Schema,
    pointers: Mapping[str, np.ndarray],
    entities: Mapping[str, np.ndarray],
    min_entities: int,
) -> Decision | int:
    """Return why a table is not published unasked, or how many entities share its least shared row."""
    name = table.schema.name
    if is_person_table(name):
        return Decision(False, "its name says that its rows are persons")
    rows = table.read(list(schema.attribute_columns(name)))
    personal = [
        f"{column} ({kind.replace('_', ' ')})"
        for column in rows.column_names
        if (kind := personal_kind(name, column, rows[column], table.schema.column(column).pii))
    ]
    if personal:
        return Decision(False, f"it holds what leads to a person: {', '.join(personal[:3])}")
    if any(column.pii for column in table.schema.columns):
        return Decision(False, "its metadata says that it holds personal values (pii)")
    free = sum(_values_of_one_row(rows[column]) for column in rows.column_names)
    if free > HANDFUL:
        return Decision(False, f"{free} of its values belong to one row alone")
    most = max(min_entities, min(COUNTED, COUNTED_ROWS // max(table.num_rows, 1)))
    return _fewest_entities(name, table.num_rows, schema, pointers, entities, most)


def _values_of_one_row(values: pa.ChunkedArray) -> int:
    counts = np.bincount(column_codes(values, null_code=False) + 1)[1:] if len(values) else np.zeros(0, dtype=np.int64)
    return int((counts == 1).sum())


def _fewest_entities(
    table: str,
    rows: int,
    schema: Schema,
    pointers: Mapping[str, np.ndarray],
    entities: Mapping[str, np.ndarray],
    most: int,
) -> int:
    """Return how many entities share the row that the fewest share, by the child table that shares the most.

    More than ``most`` are counted as so many.
    """
    best = 0
    for relation in schema.relations_of_parent(table):
        if relation.is_self_reference or not rows:
            continue
        parent, entity = pointers[relation.name], entities[relation.child_table]
        # A child that belongs to this row and to nobody else shares nothing: its entity is the row itself.
        linked = parent >= 0
        linked[linked] = entity[linked] != entities[table][parent[linked]]
        sharers = some_members(parent[linked], entity[linked], rows, most) >= 0
        best = max(best, int(sharers.sum(axis=1).min()))
    return best


def crowded_masks(
    relations: Sequence[Relation], pointers: Mapping[str, np.ndarray], rows: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return by table (rows,) bool: rows that alone hold over a tenth of another table's rows.

    A child table of fewer than 20 rows proves nothing about its parent and is not asked.
    """
    found = {table: np.zeros(count, dtype=bool) for table, count in rows.items()}
    for relation in relations:
        parent, children = pointers[relation.name], len(pointers[relation.name])
        if not relation.is_self_reference and children >= SMALL_ROWS:
            counts = np.bincount(parent[parent >= 0], minlength=rows[relation.parent_table])
            found[relation.parent_table] |= counts > CROWDED_SHARE * children
    return found
