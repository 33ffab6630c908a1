"""Joins of the evaluation: every key shape, broken keys included."""

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.pointers import NULL, ORPHAN
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.sides.keys import paths, pointers, repeated_keys


def two_tables(
    parent: dict, child: dict, key: tuple[str, ...], reference: tuple[str, ...]
) -> tuple[Database, Relation]:
    relation = Relation("child", reference, "parent", key)
    tables = (
        TableSchema("parent", tuple(Column(name, "id") for name in key), key),
        TableSchema("child", tuple(Column(name, "id") for name in reference)),
    )
    rows = {"parent": pa.table(parent), "child": pa.table(child)}
    schema = Schema(tables, (relation,))
    return Database(schema, {t.name: Table(t, rows[t.name]) for t in tables}), relation


def test_null_keys_and_orphans_are_told_apart():
    made, relation = two_tables({"id": [10, 20]}, {"ref": [20, None, 10, 99]}, ("id",), ("ref",))
    assert pointers(made, relation).tolist() == [1, NULL, 0, ORPHAN]


def test_composite_keys_match_on_all_parts_and_are_null_when_one_part_is():
    parent = {"a": ["x", "x", "y"], "b": [1, 2, 1]}
    child = {"p": ["x", "y", "y", None], "q": [2, 1, 2, 1]}
    made, relation = two_tables(parent, child, ("a", "b"), ("p", "q"))
    assert pointers(made, relation).tolist() == [1, 2, ORPHAN, NULL]


def test_keys_of_other_types_are_compared_by_what_they_say():
    made, relation = two_tables({"id": [1, 2, 3]}, {"ref": ["3", "1", "x"]}, ("id",), ("ref",))
    assert pointers(made, relation).tolist() == [2, 0, ORPHAN]
    made, relation = two_tables({"id": [1, 2, 3]}, {"ref": [3.0, None, 1.0]}, ("id",), ("ref",))
    assert pointers(made, relation).tolist() == [2, NULL, 0]


def test_a_repeated_primary_key_counts_once_and_is_reported():
    made, relation = two_tables({"id": [7, 7, None]}, {"ref": [7]}, ("id",), ("ref",))
    assert pointers(made, relation).tolist() == [0]
    repeated, null = repeated_keys(made, "parent")
    assert repeated.tolist() == [False, True, False] and null.tolist() == [False, False, True]


def test_an_absent_key_column_is_null_throughout():
    made, relation = two_tables({"id": [1]}, {"other": [1, 1]}, ("id",), ("ref",))
    assert pointers(made, relation).tolist() == [NULL, NULL]


def test_pointers_follow_a_permutation_of_the_parents():
    rng = np.random.default_rng(0)
    ids, references = rng.permutation(1000), rng.integers(0, 1000, 5000)
    made, relation = two_tables({"id": ids}, {"ref": references}, ("id",), ("ref",))
    assert (ids[pointers(made, relation)] == references).all()


def test_paths_keep_two_keys_apart_and_end_on_cycles():
    tables = tuple(TableSchema(name, (Column("id", "id"),), ("id",)) for name in "abc")
    relations = (
        Relation("a", ("x",), "b", ("id",)),
        Relation("a", ("y",), "b", ("id",)),
        Relation("b", ("z",), "c", ("id",)),
        Relation("c", ("w",), "c", ("id",)),
    )
    schema = Schema(tables, relations)
    assert [len(paths(schema, hops)) for hops in (1, 2, 3, 4)] == [4, 3, 2, 0]
    assert {path.name for path in paths(schema, 3)} == {
        "a.x--b > b.z--c > c.w--c",
        "a.y--b > b.z--c > c.w--c",
    }
