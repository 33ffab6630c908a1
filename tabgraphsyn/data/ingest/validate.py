"""Rules that keys must keep, and the policies for foreign keys that do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tabgraphsyn.data.ingest.table_queries import TableQueries
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.errors import listing


@dataclass
class Repairs:
    """Changes that the orphan policy asks for, by table.

    Attributes:
        drop: rows to leave out.
        nulls: rows in which some columns become null.
        notes: what was changed, in words.
    """

    drop: dict[str, np.ndarray] = field(default_factory=dict)
    nulls: dict[str, list[tuple[tuple[str, ...], np.ndarray]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def primary_key_problems(schema: Schema, queries: TableQueries) -> list[str]:
    """Return what is wrong with the values of the primary keys."""
    problems = []
    for table in schema.tables:
        if not table.primary_key:
            continue
        where = f"{table.name}.{'+'.join(table.primary_key)}"
        nulls = queries.null_rows(table.name, table.primary_key)
        if nulls:
            problems.append(
                f"{where}: a primary key has no missing values, found {nulls} in {queries.rows(table.name)} rows. "
                f"Fill them, or remove primary_key from the metadata."
            )
        count, examples = queries.duplicates(table.name, table.primary_key)
        if count:
            problems.append(
                f"{where}: a primary key has each value once, {count} stand more than once ({listing(examples)}). "
                f"Remove the duplicates, or choose another primary_key in the metadata."
            )
    return problems


def other_key_problems(schema: Schema, queries: TableQueries) -> list[str]:
    """Return what is wrong with alternate keys, and with columns that foreign keys refer to beside primary keys."""
    wanted: dict[tuple[str, tuple[str, ...]], str]
    wanted = {(table.name, (column,)): "an alternate key" for table in schema.tables for column in table.alternate_keys}
    for relation in schema.relations:
        if set(relation.parent_columns) != set(schema.table(relation.parent_table).primary_key):
            wanted[relation.parent_table, relation.parent_columns] = f"what {relation.name} refers to"
    problems = []
    for (table, columns), role in wanted.items():
        count, examples = queries.duplicates(table, columns)
        nulls = 0 if role == "an alternate key" else queries.null_rows(table, columns)
        if count or nulls:
            found = f"{count} stand more than once ({listing(examples)})" if count else f"{nulls} are missing"
            problems.append(
                f"{table}.{'+'.join(columns)}: {role} has each value once, {found}. Mend the values, or remove the key "
                f"from the metadata."
            )
    return problems


def check_orphans(schema: Schema, queries: TableQueries, policy: str) -> tuple[Repairs, list[str]]:
    """Return what the policy changes about foreign keys without a match, and problems under ``error``."""
    repairs, problems = Repairs(), []
    for relation in schema.relations:
        rows = _orphans(relation, queries)
        if len(rows) == 0:
            continue
        found = _describe(relation, rows, queries)
        if policy == "null":
            problem = _null_problem(relation, schema)
            if problem:
                problems.append(f"{found} {problem}")
                continue
            repairs.nulls.setdefault(relation.child_table, []).append((relation.child_columns, rows))
            repairs.notes.append(f"{found} Made missing (dataset.orphans=null).")
        elif policy == "drop":
            before = repairs.drop.get(relation.child_table, np.empty(0, dtype=np.int64))
            repairs.drop[relation.child_table] = np.union1d(before, rows)
            repairs.notes.append(f"{found} Rows dropped (dataset.orphans=drop).")
        else:
            problems.append(
                f"{found} Fix the tables, or set dataset.orphans=null (the key becomes missing) or "
                f"dataset.orphans=drop (the row is left out)."
            )
    return repairs, problems


def _orphans(relation: Relation, queries: TableQueries) -> np.ndarray:
    return queries.orphan_rows(
        relation.child_table, relation.child_columns, relation.parent_table, relation.parent_columns
    )


def _describe(relation: Relation, rows: np.ndarray, queries: TableQueries) -> str:
    examples = queries.examples(relation.child_table, relation.child_columns, rows)
    total = queries.rows(relation.child_table) - queries.null_rows(relation.child_table, relation.child_columns)
    return (
        f"{relation.child_table}.{'+'.join(relation.child_columns)}: {len(rows)} of {total} values have no match in "
        f"{relation.parent_table}.{'+'.join(relation.parent_columns)} (first: {listing(examples, limit=3)})."
    )


def _null_problem(relation: Relation, schema: Schema) -> str | None:
    shared = set(relation.child_columns) & set(schema.table(relation.child_table).primary_key)
    if shared:
        return f"They cannot become missing: {listing(sorted(shared))} is in the primary key. Set dataset.orphans=drop."
    return None


def shape_problems(rows: Mapping[str, int], empty_columns: Mapping[str, list[str]], all_null: str) -> list[str]:
    """Return problems of tables that are too small, and of columns without any value.

    Args:
        rows: rows of every table, so that the others can be named.
        empty_columns: columns without a value, by table.
        all_null: what becomes of those.
    """
    problems = []
    others = ",".join(table for table, count in rows.items() if count > 1)
    without = f"dataset.tables=[{others}]" if others and re.fullmatch(r"[\w,-]+", others) else "dataset.tables"
    for table, count in rows.items():
        if count == 0:
            problems.append(f"{table}: the table is empty. Add rows, or leave it out with {without}.")
        elif count == 1:
            problems.append(
                f"{table}: one row only; a distribution needs at least two. Add rows, or leave it out with {without}."
            )
        elif all_null == "error":
            problems += [
                f"{table}.{column}: no value in any row, so there is nothing to learn. Set dataset.all_null=keep "
                f"(it stays empty), or dataset.all_null=drop."
                for column in empty_columns.get(table, [])
            ]
    return problems
