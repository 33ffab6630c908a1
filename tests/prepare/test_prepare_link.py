import doctest

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data import arrays, counts, dependencies, link, order, pointers, split
from tabgraphsyn.data.codec import levels, pattern, precision
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.errors import DataError


def database(relation, child, parent):
    def table(name, columns):
        schema = TableSchema(name, tuple(Column(column, "id") for column in columns))
        return Table(schema, pa.table(columns))

    tables = {"parent": table("parent", parent), "child": table("child", child)}
    return Database(Schema(tuple(one.schema for one in tables.values()), (relation,)), tables)


SINGLE = Relation("child", ("p",), "parent", ("id",))
COMPOSITE = Relation("child", ("p", "q"), "parent", ("a", "b"))


def test_single_key_with_nulls():
    found = link.link_relation(database(SINGLE, {"p": ["y", None, "x", "y"]}, {"id": ["x", "y"]}), SINGLE)
    assert found.tolist() == [1, -1, 0, 1]
    assert found.dtype == np.int64


def test_composite_key_with_a_null_part_is_null():
    child = {"p": [1, 1, None, 2], "q": ["u", "v", "u", None]}
    found = link.link_relation(database(COMPOSITE, child, {"a": [1, 1, 2], "b": ["v", "u", "v"]}), COMPOSITE)
    assert found.tolist() == [1, 0, -1, -1]


def test_key_types_that_differ_but_compare():
    found = link.link_relation(database(SINGLE, {"p": ["2", "1"]}, {"id": [1, 2]}), SINGLE)
    assert found.tolist() == [1, 0]


def test_self_reference():
    schema = TableSchema("t", (Column("id", "id"), Column("boss", "id")), ("id",))
    relation = Relation("t", ("boss",), "t", ("id",))
    table = Table(schema, pa.table({"id": [10, 20, 30], "boss": [None, 10, 30]}))
    assert link.link_relation(Database(Schema((schema,), (relation,)), {"t": table}), relation).tolist() == [-1, 0, 2]


@pytest.mark.parametrize(
    ("relation", "child", "parent"),
    [
        (SINGLE, {"p": ["x", "nobody"]}, {"id": ["x"]}),
        (COMPOSITE, {"p": [1, 2], "q": ["u", "u"]}, {"a": [1, 2], "b": ["u", "v"]}),
    ],
)
def test_orphans_are_named(relation, child, parent):
    with pytest.raises(DataError, match=r"child\.p.*1 of 2 keys have no row in parent.*dataset.orphans"):
        link.link_relation(database(relation, child, parent), relation)


@settings(max_examples=60, deadline=None)
@given(
    parents=st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=1, unique=True),
    picks=st.lists(st.integers(-2, 30), max_size=40),
)
def test_composite_links_agree_with_a_dictionary(parents, picks):
    keys = [parents[pick % len(parents)] if pick >= 0 else (None, "a") if pick == -1 else (1, None) for pick in picks]
    child = {"p": pa.array([key[0] for key in keys], pa.int64()), "q": pa.array([key[1] for key in keys], pa.string())}
    parent = {"a": [key[0] for key in parents], "b": [key[1] for key in parents]}
    rows = {key: row for row, key in enumerate(parents)}
    expected = [-1 if None in key else rows[key] for key in keys]
    assert link.link_relation(database(COMPOSITE, child, parent), COMPOSITE).tolist() == expected


def test_array_writer_refuses_a_wrong_number_of_rows(tmp_path):
    with (
        pytest.raises(DataError, match="3 rows expected, found 1"),
        arrays.array_writer(tmp_path / "a.npy", (3, 2), np.float32) as writer,
    ):
        writer.append(np.zeros((1, 2)))
    assert not list(tmp_path.iterdir())


def test_array_writer_writes_what_numpy_reads(tmp_path):
    with arrays.array_writer(tmp_path / "a.npy", (3, 2), np.int32) as writer:
        writer.append(np.array([[1, 2]]))
        writer.append(np.array([[3, 4], [5, 6]]))
    assert np.load(tmp_path / "a.npy", mmap_mode="r").tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("module", [order, split, dependencies, counts, pointers, levels, pattern, precision])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0
