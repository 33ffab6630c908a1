"""Key values: every shape, exact integrity, uniqueness, no real value."""

import datetime as dt
import json
import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.errors import DataError, StageError
from tabgraphsyn.generation.key_values import LevelMaker, part_maker, row_number_maker
from tabgraphsyn.generation.keys import Keys, KeySpec, family_digits
from tabgraphsyn.generation.structure.base import Skeleton, Topology
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure


def database(
    tables: dict[str, dict[str, list[object]]],
    primary: dict[str, tuple[str, ...]],
    relations: list[Relation],
    sdtypes: dict[str, str] | None = None,
) -> Database:
    schemas = tuple(
        TableSchema(
            name,
            tuple(Column(column, (sdtypes or {}).get(f"{name}.{column}", "id")) for column in columns),  # type: ignore[arg-type]
            primary.get(name, ()),
        )
        for name, columns in tables.items()
    )
    schema = Schema(schemas, tuple(relations))
    return Database(schema, {item.name: Table(item, pa.table(tables[item.name])) for item in schemas})


def synthetic(
    real: Database, driver: dict[str, str], scale: float = 1.0, seed: int = 0
) -> tuple[dict[str, pa.Table], Skeleton]:
    schema = real.schema
    rows = {name: real[name].num_rows for name in schema.table_names}
    pointers = {item.name: link_relation(real, item) for item in schema.relations}
    plan = {
        "order": list(schema.table_names),
        "driver": {name: driver.get(name) for name in schema.table_names},
        "reference_tables": [],
        "real_rows": rows,
        "training_rows": rows,
    }
    training = {name: np.ones(count, dtype=bool) for name, count in rows.items()}
    spec = KeySpec.from_dict(json.loads(json.dumps(KeySpec.learn(real, training, pointers).to_dict())))
    model = SkeletonStructure()
    model.fit(Topology(learn_rules(schema, Plan.from_dict(plan), pointers), rows, pointers))
    skeleton = model.grow(scale=scale, rows=None, seed=seed)
    keys = Keys(schema, spec, skeleton, np.random.default_rng(seed))
    return {name: pa.table(keys.table(name)) for name in schema.table_names}, skeleton


def check(real: Database, made: dict[str, pa.Table]) -> None:
    for table in real.schema.tables:
        rows = made[table.name]
        for column in rows.column_names:
            assert rows.column(column).type == real[table.name].column(column).type
        if table.primary_key:
            key = rows.select(list(table.primary_key))
            assert sum(column.null_count for column in key.columns) == 0
            assert key.group_by(list(table.primary_key)).aggregate([]).num_rows == rows.num_rows
    for item in real.schema.relations:
        child = made[item.child_table].select(list(item.child_columns)).drop_null()
        parent = made[item.parent_table].select(list(item.parent_columns))
        left = {tuple(row.values()) for row in child.to_pylist()}
        assert left <= {tuple(row.values()) for row in parent.to_pylist()}


def relation(child: str, columns: str, parent: str, parent_columns: str = "id") -> Relation:
    return Relation(child, tuple(columns.split(",")), parent, tuple(parent_columns.split(",")))


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_string_keys_nullable_key_two_keys_to_one_parent_and_no_primary_key(scale: float) -> None:
    rng = np.random.default_rng(0)
    people = [f"P-{number:05d}" for number in rng.choice(90_000, 200, replace=False)]
    gifts = {
        "giver": [people[i] for i in rng.integers(0, 200, 500)],
        "taker": [people[i] if i < 200 else None for i in rng.integers(0, 250, 500)],
    }
    links = [relation("gifts", "giver", "people"), relation("gifts", "taker", "people")]
    real = database({"people": {"id": people}, "gifts": gifts}, {"people": ("id",)}, links)
    made, _ = synthetic(real, {"gifts": links[0].name}, scale)
    check(real, made)
    assert all(re.fullmatch(r"P-\d{5}", name) for name in made["people"].column("id").to_pylist())
    nulls = made["gifts"].column("taker").null_count / made["gifts"].num_rows
    assert nulls == pytest.approx(0.2, abs=0.06)
    shared = set(people) & set(made["people"].column("id").to_pylist())
    assert len(shared) < 20, "ids are made from a pattern, not copied"


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_composite_primary_key_counts_within_the_family(scale: float) -> None:
    rng = np.random.default_rng(1)
    size = rng.integers(1, 6, 100)
    lines = {
        "order_id": np.repeat(np.arange(100) * 7, size).tolist(),
        "line": [i + 1 for count in size for i in range(count)],
    }
    shipped = {"order_id": lines["order_id"][::2], "line": lines["line"][::2], "id": list(range(len(size)))}
    shipped["id"] = list(range(len(shipped["line"])))
    links = [relation("lines", "order_id", "orders"), relation("shipped", "order_id,line", "lines", "order_id,line")]
    real = database(
        {"orders": {"id": (np.arange(100) * 7).tolist()}, "lines": lines, "shipped": shipped},
        {"orders": ("id",), "lines": ("order_id", "line"), "shipped": ("id",)},
        links,
    )
    made, _ = synthetic(real, {"lines": links[0].name, "shipped": links[1].name}, scale)
    check(real, made)
    first = made["lines"].group_by("order_id").aggregate([("line", "min"), ("line", "max"), ("line", "count")])
    assert pc.all(pc.equal(first["line_min"], 1)).as_py()
    assert pc.all(pc.equal(first["line_max"], first["line_count"])).as_py()


def test_composite_key_of_time_and_level_stays_on_the_real_grid() -> None:
    days = [dt.datetime(2020, 1, 1) + dt.timedelta(days=7 * i) for i in range(52)]
    kinds = ["a", "b", "c"]
    rows = [(s, d, k) for s in range(10) for d in days[s : s + 30] for k in kinds]
    values = {
        "store": [row[0] for row in rows],
        "day": pa.array([row[1] for row in rows], pa.timestamp("us")),
        "kind": [row[2] for row in rows],
    }
    links = [relation("sales", "store", "stores")]
    real = database(
        {"stores": {"id": list(range(10))}, "sales": values},  # type: ignore[dict-item]
        {"stores": ("id",), "sales": ("store", "day", "kind")},
        links,
        {"sales.day": "datetime", "sales.kind": "categorical"},
    )
    made, _ = synthetic(real, {"sales": links[0].name}, 2.0)
    check(real, made)
    assert set(made["sales"].column("kind").to_pylist()) == set(kinds)
    assert set(made["sales"].column("day").to_pylist()) <= set(days)


def test_primary_key_that_is_a_foreign_key_and_keys_only_table() -> None:
    rng = np.random.default_rng(2)
    people = list(range(100, 400))
    badge = sorted(rng.choice(people, 120, replace=False).tolist())
    pairs = sorted({(int(a), int(b)) for a, b in rng.integers(100, 400, (600, 2))})
    knows = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    links = [relation("badges", "id", "people"), relation("knows", "a", "people"), relation("knows", "b", "people")]
    real = database(
        {"people": {"id": people}, "badges": {"id": badge}, "knows": knows},
        {"people": ("id",), "badges": ("id",), "knows": ("a", "b")},
        links,
    )
    for scale in (0.5, 1.0, 2.0):
        made, _ = synthetic(real, {"badges": links[0].name, "knows": links[1].name}, scale)
        check(real, made)
        assert made["knows"].num_rows == pytest.approx(scale * len(pairs), rel=0.12)


def test_self_reference_over_a_composite_key_that_shares_its_first_column() -> None:
    rng = np.random.default_rng(3)
    company = np.repeat(np.arange(20), 15)
    number = np.tile(np.arange(15), 20)
    manager = [None if n == 0 else int(rng.integers(0, n)) for n in number]
    staff = {"company": company.tolist(), "number": number.tolist(), "manager": manager}
    links = [
        relation("staff", "company", "companies"),
        relation("staff", "company,manager", "staff", "company,number"),
    ]
    real = database(
        {"companies": {"id": list(range(20))}, "staff": staff},
        {"companies": ("id",), "staff": ("company", "number")},
        links,
    )
    made, _ = synthetic(real, {"staff": links[0].name}, 2.0)
    check(real, made)
    assert made["staff"].column("manager").null_count == 40


def test_two_composite_keys_share_the_tenant_column() -> None:
    rng = np.random.default_rng(4)
    tenants = list(range(30))
    users = {"tenant": np.repeat(tenants, 6).tolist(), "no": np.tile(np.arange(6), 30).tolist()}
    items = {"tenant": np.repeat(tenants, 4).tolist(), "no": np.tile(np.arange(4), 30).tolist()}
    tenant = np.sort(rng.integers(0, 30, 400))
    item = [None if draw == 4 else int(draw) for draw in rng.integers(0, 5, 400)]
    buys = {"tenant": tenant.tolist(), "user": rng.integers(0, 6, 400).tolist(), "item": item}
    links = [
        relation("users", "tenant", "tenants"),
        relation("items", "tenant", "tenants"),
        relation("buys", "tenant,user", "users", "tenant,no"),
        relation("buys", "tenant,item", "items", "tenant,no"),
    ]
    real = database(
        {"tenants": {"id": tenants}, "users": users, "items": items, "buys": buys},
        {"tenants": ("id",), "users": ("tenant", "no"), "items": ("tenant", "no")},
        links,
    )
    driver = {"users": links[0].name, "items": links[1].name, "buys": links[2].name}
    for scale in (0.5, 1.0, 2.3):
        made, skeleton = synthetic(real, driver, scale)
        check(real, made)
        assert not skeleton.dropped


def test_a_column_of_two_keys_to_unrelated_columns_is_refused() -> None:
    links = [relation("c", "x", "a"), relation("c", "x", "b")]
    real = database({"a": {"id": [1]}, "b": {"id": [1]}, "c": {"x": [1]}}, {"a": ("id",), "b": ("id",)}, links)
    with pytest.raises(DataError, match=r"c\.x: part of several foreign keys.*'a\.id', 'b\.id'"):
        KeySpec.learn(real, {}, {})
    ring = [relation("a", "id", "b"), relation("b", "id", "a")]
    real = database({"a": {"id": [1]}, "b": {"id": [1]}}, {"a": ("id",), "b": ("id",)}, ring)
    with pytest.raises(DataError, match=r"a\.id: this key refers to itself in a ring"):
        KeySpec.learn(real, {}, {})


def test_the_spec_holds_no_real_id() -> None:
    rng = np.random.default_rng(5)
    ids = ["".join(chr(97 + c) for c in rng.integers(0, 26, 12)) for _ in range(300)]
    real = database({"t": {"id": ids}}, {"t": ("id",)}, [])
    text = json.dumps(KeySpec.learn(real, {"t": np.ones(300, dtype=bool)}, {}).to_dict())
    assert not any(one in text for one in ids)


def test_a_family_larger_than_its_levels_is_refused() -> None:
    from tabgraphsyn.data.codec.levels import Levels

    maker = LevelMaker(Levels("string", ("a", "b")), 2, False)
    with pytest.raises(StageError, match="3 rows share the rest of their key"):
        family_digits(np.zeros(3, dtype=np.int64), [maker], np.random.default_rng(0))
    (number,) = family_digits(np.zeros(2, dtype=np.int64), [maker], np.random.default_rng(0))
    assert sorted(number.tolist()) == [0, 1]


def test_a_million_string_keys_take_seconds() -> None:
    ids = [f"U{number:07d}x" for number in range(2000)]
    real = database({"t": {"id": ids}}, {"t": ("id",)}, [])
    start = time.process_time()
    made, _ = synthetic(real, {}, 500.0)
    took = time.process_time() - start
    column = made["t"].column("id")
    assert pc.count_distinct(column).as_py() == 1_000_000
    print(f"1,000,000 string keys: {took:.1f} s")
    assert took < 80


def test_no_end_of_a_grid_and_no_level_of_a_few_is_named() -> None:
    hours = np.arange(1_000, 1_060, 3)
    grid = part_maker(
        pa.chunked_array([pa.array(hours)]), None, is_categorical=False, regex_format=None, min_entities=5
    )
    made = grid.make(np.arange(grid.size)).to_pylist()
    assert made[0] < 1_000 - 3 and made[-1] > 1_057 and set(hours.tolist()) <= set(made)
    lines = pa.chunked_array([pa.array([1, 2, 3, 4] * 6 + [5])])
    counted = part_maker(
        lines, np.array([0, 1, 2, 3] * 6 + [4]), is_categorical=False, regex_format=None, min_entities=5
    )
    assert counted.make(np.arange(counted.size)).to_pylist() == [1, 2, 3, 4, 5]  # ranks are keys' business


@pytest.mark.parametrize(
    ("values", "rare"),
    [(["red"] * 9 + ["blue"] * 6 + ["mauve"] * 2, "mauve"), ([3] * 8 + [5] * 8 + [7], 7), ([True] * 9 + [False], None)],
)
def test_levels_of_a_few_are_made_anew_and_stay_as_many(values: list, rare: object) -> None:
    column = pa.chunked_array([pa.array(values)])
    maker = part_maker(column, None, is_categorical=True, regex_format=None, min_entities=5)
    made = maker.make(np.arange(maker.size)).to_pylist()
    assert len(set(made)) == len(set(values)) and rare not in made
    assert set(values) - {rare} <= set(made) and json.dumps(maker.to_dict())


def test_a_time_as_key_begins_before_the_first_one() -> None:
    first = np.datetime64("2024-03-04T00:00:00", "us")
    for step in (np.timedelta64(15, "m"), np.timedelta64(1, "D"), np.timedelta64(7, "D")):
        times = pa.chunked_array([pa.array(first + np.arange(30) * step)])
        made = row_number_maker(times, None).make(np.arange(200)).to_pylist()
        assert made[0] < first.item() and first.item() in made


@pytest.mark.parametrize(
    ("real", "first", "step"),
    [
        (100_045 + np.arange(0, 7_000, 23), 100_022, 23),  # in step with them
        (np.unique(np.random.default_rng(0).integers(100_045, 108_000, 300)), 100_000, 1),
        (7_000_000_012 + np.cumsum(np.random.default_rng(1).integers(1, 90, 400)), 7_000_000_000, 1),
        (np.arange(20_210_001, 20_210_400), 20_210_000, 1),
        (np.arange(3, 400), 1, 1),
        (np.arange(10, 4_000, 10), 10, 10),
        (np.array([4_711, 9_815]), 1, 1),  # two ids say nothing that is not theirs
    ],
)
def test_whole_numbers_as_keys_look_like_the_real_ones(real: np.ndarray, first: int, step: int) -> None:
    made = row_number_maker(pa.chunked_array([pa.array(np.random.default_rng(2).permutation(real))]), None)
    assert made.make(np.arange(3)).to_pylist() == [first, first + step, first + 2 * step]


def test_keys_keep_room_in_their_type() -> None:
    real = pa.chunked_array([pa.array(np.arange(30_000, 32_000))])
    assert row_number_maker(real, None, 2**15 - 1).make(np.arange(1)).to_pylist() == [1]
    assert row_number_maker(real, None, 2**31 - 1).make(np.arange(1)).to_pylist() == [30_000]
