"""Rules that hold for the keys of the training rows and must hold for new keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from tabgraphsyn.data.codes import tuple_codes
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.pointers import NULL, follow
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.generation.structure.base import Equality, KeyPlan, Link, UniqueLinks
from tabgraphsyn.generation.structure.between import learn_between
from tabgraphsyn.generation.structure.fixes import learn_fixes
from tabgraphsyn.generation.structure.links import depths
from tabgraphsyn.generation.structure.unique import repeated

# Rows that must agree before two ways count as one.
MIN_SUPPORT = 20
# Repetitions that independent keys would show before their absence counts as a rule.
MIN_EXPECTED_REPEATS = 3.0
# More ways from one table than this are not compared pair by pair.
MAX_PATHS = 200
MAX_PATH_LENGTH = 4


def learn_rules(schema: Schema, plan: Plan, pointers: Mapping[str, np.ndarray], rules: Iterable[Rule] = ()) -> KeyPlan:
    """Return the rules of a database's keys.

    Args:
        schema: tables, columns and relations.
        plan: order, drivers and lookup tables.
        pointers: relation -> (training rows of the child,), -1 null, -2 censored.
        rules: of the database, found or declared; those about keys alone are kept by the keys.
    """
    equalities = tuple(item for table in plan.order for item in _equalities(schema, table, pointers))
    told = tuple(rules)
    links = tuple(Link(item.name, item.child_table, item.parent_table, item.child_columns) for item in schema.relations)
    return KeyPlan(
        tables=tuple(plan.order),
        links=links,
        driver=dict(plan.driver),
        reference=frozenset(plan.reference_tables),
        real_rows={table: int(count) for table, count in plan.real_rows.items()},
        unique=tuple(item for table in plan.order for item in _unique(schema, table, pointers, plan.training_rows)),
        equalities=equalities,
        acyclic=frozenset(
            item.name for item in schema.relations if item.is_self_reference and _is_hierarchy(pointers[item.name])
        ),
        never_null=frozenset(item.name for item in schema.relations if not (pointers[item.name] == NULL).any()),
        between=learn_between(schema, pointers, told),
        fixes=learn_fixes(schema, pointers, equalities, told),
    )


def _is_hierarchy(pointer: np.ndarray) -> bool:
    return bool((pointer >= 0).any() and (depths(pointer) >= 0).all())


def _unique(
    schema: Schema, table: str, pointers: Mapping[str, np.ndarray], training_rows: Mapping[str, int]
) -> list[UniqueLinks]:
    relations = schema.relations_of_child(table)
    names = [item.name for item in relations]
    sizes = {item.name: int(training_rows[item.parent_table]) for item in relations}
    found: list[tuple[str, ...]] = []
    declared = _primary_key_links(schema, table)
    if declared:
        found.append(declared)
    for width in sorted({1, 2, len(names)} if names else set()):
        for chosen in combinations(names, width):
            if any(set(known) <= set(chosen) for known in found):
                continue
            if _is_unique(chosen, pointers, sizes):
                found.append(chosen)
    return [UniqueLinks(table, item) for item in found]


def _primary_key_links(schema: Schema, table: str) -> tuple[str, ...]:
    """Return the relations that make up the primary key, or nothing where a part of it is no foreign key."""
    primary = set(schema.table(table).primary_key)
    relations = [item for item in schema.relations_of_child(table) if set(item.child_columns) <= primary]
    covered = {column for item in relations for column in item.child_columns}
    if not primary or covered != primary:
        return ()
    return tuple(item.name for item in relations if not _is_inside(item, relations))


def _is_inside(item: Relation, relations: Iterable[Relation]) -> bool:
    return any(set(item.child_columns) < set(other.child_columns) for other in relations)


def _is_unique(chosen: Sequence[str], pointers: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> bool:
    """Return True where no tuple repeats although independent keys would repeat some."""
    held = [pointers[name] for name in chosen]
    codes = tuple_codes(held)
    whole = codes >= 0
    count = int(whole.sum())
    if count < 2 or repeated(codes).any():
        return False
    chance = 1.0
    for name, pointer in zip(chosen, held, strict=True):
        if len(chosen) == 1:
            chance = 1.0 / max(sizes[name], 1)
        else:
            share = np.bincount(pointer[whole]) / count
            chance *= float((share**2).sum())
    return count * (count - 1) / 2 * chance >= MIN_EXPECTED_REPEATS


def _equalities(schema: Schema, table: str, pointers: Mapping[str, np.ndarray]) -> list[Equality]:
    paths = [
        (path, end, columns) for path, end, columns in _paths(schema, table) if all(name in pointers for name in path)
    ][:MAX_PATHS]
    reached: dict[tuple[str, ...], np.ndarray] = {}
    equalities = []
    for (left, left_end, left_columns), (right, right_end, right_columns) in combinations(paths, 2):
        if left_end != right_end or left[0] == right[0]:
            continue
        for path in (left, right):
            if path not in reached:
                reached[path] = follow(path, pointers)
        known = (reached[left] >= 0) & (reached[right] >= 0)
        agree = (reached[left] == reached[right])[known]
        shared = bool(set(left_columns) & set(right_columns))
        if agree.all() and (shared or len(agree) >= MIN_SUPPORT):
            equalities.append(Equality(table, left, right, shared))
    return equalities


def _paths(schema: Schema, table: str) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Return ways up from a table: names, table at the end, columns of the start in which the end's key is written.

    Ways are one or two relations long; longer only where the key is passed on column by column (a tenant's number in
    every table below).
    """
    found: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = []
    held = {
        column: column for table_column in schema.relations_of_child(table) for column in table_column.child_columns
    }
    ends: list[tuple[tuple[str, ...], str, dict[str, str]]] = [((), table, held)]
    for length in range(1, MAX_PATH_LENGTH + 1):
        further = []
        for path, end, written in ends:
            for item in schema.relations_of_child(end):
                columns = tuple(written[column] for column in item.child_columns if column in written)
                whole = columns if len(columns) == len(item.child_columns) else ()
                if length > 2 and not whole:
                    continue
                step = ((*path, item.name), item.parent_table)
                found.append((*step, whole))
                passed = dict(zip(item.parent_columns, whole, strict=True)) if whole else {}
                further.append((*step, passed))
        ends = further
    return found
