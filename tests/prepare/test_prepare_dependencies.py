import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data import dependencies
from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.dependencies import Dependency, discover, exact_within, mark_kept
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema

ROWS = 3_000


def single(columns, sdtypes=None):
    schema = TableSchema("t", tuple(Column(name, (sdtypes or {}).get(name, "categorical")) for name in columns))
    return Table(schema, pa.table(columns))


def everything(rows=ROWS):
    return np.ones(rows, dtype=bool)


def flights():
    """A plane has one carrier, a route one distance; delay follows from nothing."""
    rng = np.random.default_rng(0)
    plane, origin, dest = rng.integers(0, 100, ROWS), rng.integers(0, 3, ROWS), rng.integers(0, 30, ROWS)
    carrier_of, distance_of = rng.integers(0, 8, 100), rng.integers(1, 16, (3, 30)) * 100
    columns = {
        "tailnum": pa.array(plane, mask=rng.random(ROWS) < 0.1),
        "carrier": pa.array(carrier_of[plane]),
        "origin": pa.array(origin),
        "dest": pa.array(dest),
        "distance": pa.array(distance_of[origin, dest]),
        "delay": pa.array(rng.normal(size=ROWS)),
        "cancelled": pa.array(rng.random(ROWS) < 0.01),
    }
    sdtypes = {"distance": "numerical", "delay": "numerical", "cancelled": "boolean"}
    names = {name: sdtypes.get(name, "id") for name in columns}
    child = TableSchema("flights", tuple(Column(name, names[name]) for name in columns))
    parents = {"tailnum": ("planes", 100), "carrier": ("carriers", 8), "origin": ("airports", 30)}
    tables = {"flights": Table(child, pa.table(columns))}
    for name, size in parents.values():
        schema = TableSchema(name, (Column("id", "id"),), ("id",))
        tables[name] = Table(schema, pa.table({"id": np.arange(size)}))
    relations = [Relation("flights", (column,), parent, ("id",)) for column, (parent, _) in parents.items()]
    relations.append(Relation("flights", ("dest",), "airports", ("id",)))
    return Database(Schema(tuple(one.schema for one in tables.values()), tuple(relations)), tables)


def found(database, **kwargs):
    masks = {name: everything(database[name].num_rows) for name in database.schema.table_names}
    return {(one.determinant, one.dependent): one for one in discover(database, masks, **kwargs)}


def test_dependencies_across_keys_are_found_and_no_others():
    result = found(flights())
    assert set(result) == {(("tailnum",), "carrier"), (("origin", "dest"), "distance")}
    plane = result[("tailnum",), "carrier"]
    assert plane.strength == 1.0 and not plane.kept
    assert 2_600 < plane.support_rows < 2_800


def test_what_a_key_fixes_is_found_where_most_keys_stand_in_one_row():
    rng = np.random.default_rng(0)
    rows, films = 1_200, 1_000
    film = np.concatenate([np.arange(films), rng.integers(0, films, rows - films)])
    genre, month = rng.integers(0, 6, films)[film], rng.integers(0, 12, rows)
    columns = {"film": pa.array(film), "genre": pa.array(genre), "month": pa.array(month)}
    child = TableSchema("credits", (Column("film", "id"), *(Column(one, "categorical") for one in ("genre", "month"))))
    parent = TableSchema("films", (Column("id", "id"),), ("id",))
    tables = {"credits": Table(child, pa.table(columns)), "films": Table(parent, pa.table({"id": np.arange(films)}))}
    schema = Schema((child, parent), (Relation("credits", ("film",), "films", ("id",)),))
    result = found(Database(schema, tables))
    assert set(result) == {(("film",), "genre")}
    # Films that stand in one row say nothing of what a film fixes.
    assert result[("film",), "genre"].support_rows < 2 * (rows - films)


def test_large_tables_are_sampled_by_whole_groups(monkeypatch):
    monkeypatch.setattr(dependencies, "SAMPLE_ROWS", 700)
    result = found(flights())
    assert (("tailnum",), "carrier") in result
    assert (("origin", "dest"), "distance") in result
    assert all(one.support_rows < 1_500 for one in result.values())


def test_exact_columns_are_derived_and_come_back():
    rng = np.random.default_rng(0)
    model = rng.integers(0, 40, ROWS)
    columns = {
        "maker": pa.array((model % 7).astype(str)),
        "model": pa.array(model.astype(str), mask=model == 39),
        "seats": pa.array((model * 37.5) % 91),
        "noise": pa.array(rng.choice(list("ab"), ROWS)),
    }
    table = single(columns, {"seats": "numerical"})
    assert exact_within(table, everything(), ["maker", "model", "noise"], list(columns)) == {
        "maker": "model",
        "seats": "model",
    }
    codec = TableCodec.fit(table, everything(), list(columns), CodecConfig())
    assert codec.derived == {"maker": "model", "seats": "model"}
    encoded = codec.encode(table.read())
    assert codec.decode(encoded.numerical.mean(axis=2), encoded.categorical, rng).equals(table.read())
    kept_off = TableCodec.fit(table, everything(), list(columns), CodecConfig(dependencies="ignore"))
    assert kept_off.derived == {}


def test_columns_that_determine_each_other_keep_the_first():
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 5, ROWS)
    columns = {"word": pa.array(np.array(list("abcde"))[grade]), "number": pa.array(grade)}
    assert exact_within(single(columns), everything(), list(columns), list(columns)) == {"number": "word"}


@pytest.mark.parametrize("case", ["few rows a level", "chance", "one exception", "constant but for a few"])
def test_what_is_no_dependency(case):
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 20, ROWS), np.zeros(ROWS, dtype=int)
    if case == "few rows a level":
        left = np.arange(ROWS) // 3
        right = left % 5
    elif case == "chance":
        right = rng.integers(0, 2, ROWS)
    elif case == "one exception":
        right = left % 3
        right[0] += 1
    else:
        right[left == 0] = 0
        left[:4], right[:4] = 99, 1
    columns = {"left": pa.array(left), "right": pa.array(right)}
    assert exact_within(single(columns), everything(), ["left", "right"], ["left", "right"]) == {}


def test_an_approximate_dependency_is_listed_with_its_strength_and_not_kept():
    rng = np.random.default_rng(0)
    left = rng.integers(0, 20, ROWS)
    right = np.where(rng.random(ROWS) < 0.01, rng.integers(0, 4, ROWS), left % 4)
    table = single({"left": pa.array(left), "right": pa.array(right)})
    result = found(Database(Schema((table.schema,)), {"t": table}))
    assert 0.985 < result[("left",), "right"].strength < 0.998
    assert not exact_within(table, everything(), ["left", "right"], ["left", "right"])


def test_only_training_rows_count():
    left = np.arange(ROWS) % 20
    right = left % 4
    right[-100:] = 9
    table = single({"left": pa.array(left), "right": pa.array(right)})
    training = np.arange(ROWS) < ROWS - 100
    assert exact_within(table, training, ["left", "right"], ["left", "right"]) == {"right": "left"}
    codec = TableCodec.fit(table, training, ["left", "right"], CodecConfig())
    assert 9 not in codec.columns["right"].dependent.values


def test_kept_is_marked_and_json_survives():
    rules = [Dependency("t", ("a",), "b", 1.0, 9), Dependency("t", ("a", "c"), "d", 1.0, 9)]
    marked = mark_kept(rules, {"t": {"b": "a", "d": "a"}})
    assert [one.kept for one in marked] == [True, False]
    assert [Dependency.from_dict(one.to_dict()) for one in marked] == marked
