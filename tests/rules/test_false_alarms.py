"""Columns that have nothing to do with each other have no rules: many seeds, sizes and kinds of columns."""

import numpy as np
import pyarrow as pa
import pytest
from rule_tables import rules_of

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema


def column(rng, rows, number):
    missing = rng.random(rows) < 0.2
    kinds = [
        lambda: ("numerical", pa.array(rng.normal(50, 20, rows).round(2))),
        lambda: ("numerical", pa.array(rng.integers(0, 10, rows), mask=missing)),
        lambda: ("categorical", pa.array(rng.choice(["a", "b", "c", "d"], rows, p=[0.6, 0.3, 0.08, 0.02]))),
        lambda: ("numerical", pa.array((rng.random(rows) < 0.3).astype(int))),
        lambda: ("datetime", pa.array((10**9 + rng.integers(0, 900, rows) * 86_400) * 10**6, pa.timestamp("us"))),
        lambda: ("numerical", pa.array(rng.lognormal(3, 1, rows).round(2), mask=missing)),
        lambda: ("categorical", pa.array([f"c{v}" for v in rng.integers(0, 30, rows)], mask=missing)),
        lambda: ("boolean", pa.array(rng.random(rows) < 0.02)),
        lambda: ("numerical", pa.array(rng.poisson(1.5, rows))),
        lambda: ("id", pa.array([f"x{v}" for v in rng.integers(0, rows, rows)])),
    ]
    return kinds[number % len(kinds)]()


def unrelated(seed, rows):
    rng = np.random.default_rng([seed, rows])
    parents, grands, tables, schemas = max(rows // 3, 12), max(rows // 9, 12), {}, []
    for name, size, count in (("grand", grands, 8), ("parent", parents, 8), ("child", rows, 14)):
        made = {f"{name}{k}": column(rng, size, k) for k in range(count)}
        made = {"key": ("id", pa.array(range(size))), **made}
        if name == "child":
            made |= {key: ("id", pa.array(rng.integers(0, parents, size))) for key in ("mother", "father")}
        if name == "parent":
            made |= {"of": ("id", pa.array(rng.integers(0, grands, size)))}
        schema = TableSchema(name, tuple(Column(key, kind) for key, (kind, _) in made.items()), ("key",))
        schemas.append(schema)
        tables[name] = Table(schema, pa.table({key: values for key, (_, values) in made.items()}))
    relations = tuple(Relation("child", (key,), "parent", ("key",)) for key in ("mother", "father"))
    relations = (*relations, Relation("parent", ("of",), "grand", ("key",)))
    return Database(Schema(tuple(schemas), relations), tables)


@pytest.mark.parametrize(("rows", "seeds"), [(25, 4), (60, 4), (200, 3), (1_000, 2)])
def test_unrelated_columns_have_no_rules(rows, seeds):
    for seed in range(seeds):
        found = [one.describe() for one in rules_of(unrelated(seed, rows))]
        assert not found, found


def test_ranges_that_do_not_meet_are_no_order():
    rng = np.random.default_rng(0)
    schema = TableSchema("t", (Column("weight", "numerical"), Column("height", "numerical")))
    rows = pa.table({"weight": rng.normal(70, 9, 2_000), "height": rng.normal(175, 7, 2_000)})
    assert rules_of(Database(Schema((schema,)), {"t": Table(schema, rows)})) == []


def test_tables_of_few_rows_or_of_one_value_have_none():
    schema = TableSchema("t", (Column("a", "numerical"), Column("b", "numerical"), Column("c", "categorical")))
    for rows in (0, 1, 2, 9):
        data = pa.table({"a": list(range(rows)), "b": [2 * k for k in range(rows)], "c": ["x"] * rows})
        data = data.cast(pa.schema({"a": pa.int64(), "b": pa.int64(), "c": pa.string()}))
        assert rules_of(Database(Schema((schema,)), {"t": Table(schema, data)})) == []
    same = pa.table({"a": [1] * 900, "b": [2] * 900, "c": ["x"] * 900})
    assert rules_of(Database(Schema((schema,)), {"t": Table(schema, same)})) == []
