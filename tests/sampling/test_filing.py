"""Rows in the order of the original file: whole rows move, keys count along, children follow their parents."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.file_order import FileKey
from tabgraphsyn.data.rules.family_kinds import Rising
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.filing import Filing
from tabgraphsyn.generation.key_values import GridMaker
from tabgraphsyn.generation.keys import Keys, KeySpec
from tabgraphsyn.generation.structure.base import Skeleton

ORDERS, LINES = 60, 150
OF_ORDER = "lines.order--orders"


def filing(rules: tuple[Rising, ...] = (), itself: bool = False) -> Filing:
    """Shops, orders in the order of a day, lines in the order of their orders' file and then of a price."""
    columns = {
        "shops": ("shop",),
        "orders": ("order", "shop", "day", *(["first"] if itself else [])),
        "lines": ("order", "price"),
    }
    tables = tuple(
        TableSchema(name, tuple(Column(one, "id") for one in own), (own[0],) if name != "lines" else ())
        for name, own in columns.items()
    )
    relations = [Relation("orders", ("shop",), "shops", ("shop",)), Relation("lines", ("order",), "orders", ("order",))]
    if itself:
        relations.append(Relation("orders", ("first",), "orders", ("order",)))
    schema = Schema(tables, tuple(relations))
    rng = np.random.default_rng(0)
    pointers = {
        "orders.shop--shops": np.sort(rng.integers(0, 5, ORDERS)),
        OF_ORDER: np.sort(rng.integers(0, ORDERS, LINES)),
        "orders.first--orders": np.zeros(ORDERS, np.int64),
    }
    skeleton = Skeleton({"shops": 5, "orders": ORDERS, "lines": LINES}, pointers)
    types = {name: dict.fromkeys(own, "int64") for name, own in columns.items()}
    makers = {(name, columns[name][0]): GridMaker("int64", 1, 1, 100, True) for name in ("shops", "orders")}
    order = {"orders": (FileKey("day"),), "lines": (FileKey(OF_ORDER, is_key=True), FileKey("price", falling=True))}
    prepared = SimpleNamespace(
        schema=schema,
        plan=SimpleNamespace(file_order=order, order=tuple(columns)),
        row_rules=lambda table: SimpleNamespace(families=rules if table == "orders" else ()),
    )
    keys = Keys(schema, KeySpec(types, makers), skeleton, rng)
    return Filing(prepared, skeleton, keys, 7)  # type: ignore[arg-type]


def made(one: Filing, table: str, **values: np.ndarray) -> pa.Table:
    return pa.table({**one.keys.table(table), **values})


def written(one: Filing, table: str, whole: pa.Table) -> pa.Table:
    return pa.concat_tables(one.filed(table, one.numbered(table, whole)))


@pytest.mark.parametrize("itself", [False, True])
def test_orders_by_day_are_numbered_by_day_and_lines_follow_them(itself: bool) -> None:
    one, rng = filing(itself=itself), np.random.default_rng(1)
    day, price = rng.integers(0, 20, ORDERS), rng.random(LINES)
    orders = written(one, "orders", made(one, "orders", day=day))
    assert orders.column("day").to_pylist() == sorted(day.tolist())
    numbers = orders.column("order").to_pylist()
    # Rows that name rows of their own table have their numbers already.
    assert (numbers == list(range(1, ORDERS + 1))) is not itself
    assert sorted(numbers) == list(range(1, ORDERS + 1))
    lines = written(one, "lines", made(one, "lines", price=price))
    day_of = dict(zip(numbers, orders.column("day").to_pylist(), strict=True))
    wanted = sorted(zip(day[one.skeleton.pointers[OF_ORDER]].tolist(), price.tolist(), strict=True))
    keys, costs = (lines.column(name).to_pylist() for name in ("order", "price"))
    held = [(day_of[key], cost) for key, cost in zip(keys, costs, strict=True)]
    assert sorted(held) == wanted  # each line has the order that it was made for
    place = [numbers.index(key) for key in keys]
    assert place == sorted(place)
    assert all(a[1] >= b[1] for a, b, s, t in zip(held, held[1:], place, place[1:], strict=False) if s == t)


def test_a_column_that_climbs_within_families_still_does() -> None:
    rule = Rising(table="orders", relation="orders.shop--shops", column=Operand("turn"))
    one = filing((rule,))
    family = one.skeleton.pointers["orders.shop--shops"]
    turn = np.arange(ORDERS)  # climbs within every shop as rows are made
    day = np.random.default_rng(2).integers(0, 20, ORDERS)
    whole = written(one, "orders", made(one, "orders", day=day, turn=turn))
    shop = np.asarray(whole.column("shop"))
    for each in np.unique(shop):
        assert (np.diff(np.asarray(whole.column("turn"))[shop == each]) > 0).all()
    assert np.bincount(shop).tolist() == np.bincount(family + 1).tolist()
    climbs_too = filing((rule,))
    day = turn // 7
    whole = written(climbs_too, "orders", made(climbs_too, "orders", day=day, turn=turn))
    assert whole.column("day").to_pylist() == sorted(day.tolist())


def test_tables_whose_file_says_nothing_stay_as_they_are() -> None:
    one = filing()
    assert not one.sorts("shops")
    whole = made(one, "shops")
    assert one.numbered("shops", whole) is whole and not one.places
