"""Columns that rows repeat from their parent are found, and only those; rows are told the parent's fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.known.inherited import (
    InheritedColumn,
    ParentColumn,
    find_inherited,
)
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema

ORDERS, ITEMS = 60, 400
RELATION = Relation("items", ("order",), "orders", ("id",))
ORDER_COLUMNS = (
    Column("id", "id"),
    Column("currency", "categorical"),
    Column("rate", "numerical"),
    Column("placed", "datetime"),
    Column("note", "text"),
)
ITEM_COLUMNS = (
    Column("order", "id"),
    Column("money", "categorical"),
    Column("rate", "numerical"),
    Column("bought", "datetime"),
    Column("note", "text"),
    Column("price", "numerical"),
)


def database(spoil: dict[str, int] | None = None) -> tuple[Database, np.ndarray, pa.Table]:
    """Orders and items that repeat currency (under another name), rate (null at times), time and note."""
    rng = np.random.default_rng(0)
    orders = pa.table(
        {
            "id": np.arange(ORDERS),
            "currency": [("EUR", "USD", None)[i] for i in rng.integers(0, 3, ORDERS)],
            "rate": pa.array(np.round(rng.normal(size=ORDERS), 6), mask=rng.random(ORDERS) < 0.2),
            "placed": pa.array(rng.integers(0, 10**15, ORDERS), pa.timestamp("us")),
            "note": [f"remark {i}" for i in range(ORDERS)],
        }
    )
    pointer = rng.integers(0, ORDERS, ITEMS)
    pointer[::17] = -1
    at = pa.array(np.maximum(pointer, 0))
    items = {
        "order": pa.array(pointer, mask=pointer < 0),
        "money": orders["currency"].take(at),
        "rate": orders["rate"].take(at),
        "bought": orders["placed"].take(at),
        "note": orders["note"].take(at),
        "price": pa.array(rng.normal(size=ITEMS)),
    }
    for name, row in (spoil or {}).items():
        values = items[name].to_pylist()
        values[row] = values[row + 1] if values[row] != values[row + 1] else values[row + 2]
        items[name] = pa.array(values, items[name].type)
    schemas = TableSchema("orders", ORDER_COLUMNS, ("id",)), TableSchema("items", ITEM_COLUMNS)
    rows = pa.table(items)
    tables = {"orders": Table(schemas[0], orders), "items": Table(schemas[1], rows)}
    return Database(Schema(schemas, (RELATION,)), tables), pointer, rows


def codecs(data: Database, config: CodecConfig | None = None) -> dict[str, TableCodec]:
    return {
        name: TableCodec.fit(
            data[name],
            np.ones(data[name].num_rows, bool),
            list(data.schema.attribute_columns(name)),
            config or CodecConfig(min_entities=1),
        )
        for name in ("orders", "items")
    }


def found(data: Database, pointer: np.ndarray) -> list[InheritedColumn]:
    everything = {name: np.ones(data[name].num_rows, bool) for name in ("orders", "items")}
    return find_inherited(data, "items", everything, [RELATION], {RELATION.name: pointer}.__getitem__, codecs(data))


def test_columns_of_the_parent_are_found_also_under_another_name_and_with_nulls(tmp_path: Path) -> None:
    data, pointer, _ = database()
    expected = [("money", "currency"), ("rate", "rate"), ("bought", "placed")]
    columns = found(data, pointer)
    assert sorted((one.column, one.parent_column) for one in columns) == sorted(expected)
    Prepared(tmp_path).keep_inherited("items", columns)
    assert Prepared(tmp_path).inherited("items") == columns
    assert Prepared(tmp_path).inherited("orders") == []


@pytest.mark.parametrize("column", ["money", "rate", "bought"])
def test_one_row_that_differs_is_enough(column: str) -> None:
    data, pointer, _ = database({column: 100})
    names = {one.column for one in found(data, pointer)}
    assert names == {"money", "rate", "bought"} - {column}


def test_few_rows_with_a_parent_prove_nothing() -> None:
    data, pointer, _ = database()
    assert found(data, np.where(np.arange(ITEMS) < 49, pointer, -1)) == []


def test_rows_are_told_the_fields_of_their_parent() -> None:
    data, pointer, rows = database()
    codec = codecs(data)["orders"]
    for name, own in (("currency", "money"), ("rate", "rate"), ("placed", "bought")):
        values = data["orders"].read([name]).column(0).combine_chunks()
        column = ParentColumn.of(codec.columns[name], values)
        levels, numbers = column.conditions(pointer)
        assert levels.shape == (ITEMS, len(column.levels))
        assert (levels[pointer < 0] == 0).all()
        assert (numbers[pointer < 0] == 0).all()
        if numbers.shape[1]:
            assert (numbers[:, -1] == (pointer >= 0)).all()
        # Rows with one value of the column are told one thing, and rows with two values two.
        told = {tuple(row) for row in np.concatenate([levels, numbers], axis=1)[pointer >= 0].tolist()}
        distinct = {str(value) for value, at in zip(rows[own].to_pylist(), pointer, strict=True) if at >= 0}
        assert len(told) == len(distinct)


def test_values_that_the_codec_does_not_know_tell_nothing() -> None:
    codec = codecs(database()[0])["orders"].columns["currency"]
    column = ParentColumn.of(codec, pa.array(["EUR", "GBP", None, "USD"]))
    levels, _ = column.conditions(np.array([0, 1, 2, 3, -1]))
    assert column.is_usable.tolist() == [True, False, True, True]
    assert (levels[:, 0] > 0).tolist() == [True, False, True, True, False]
    nothing = ParentColumn.of(codec, pa.array(["GBP", "CHF"]))
    assert nothing.conditions(np.array([0, 1]))[0].tolist() == [[0], [0]]
    empty = ParentColumn.of(codec, pa.array([], pa.string()))
    assert empty.conditions(np.array([-1, -1]))[0].tolist() == [[0], [0]]


def test_what_counts_from_a_fixed_column_goes_by_it() -> None:
    start = pa.array(np.arange(300) * 86_400_000_000 * 3, pa.timestamp("us"))
    rng = np.random.default_rng(0)
    lag = rng.integers(1, 9, 300) * 86_400_000_000 + rng.integers(0, 86_400, 300) * 1_000_000
    end = pa.array(np.arange(300) * 86_400_000_000 * 3 + lag, pa.timestamp("us"))
    schema = TableSchema("t", (Column("start", "datetime"), Column("end", "datetime")))
    table = Table(schema, pa.table({"start": start, "end": end}))
    codec = TableCodec.fit(table, np.ones(300, bool), ["start", "end"], CodecConfig(min_entities=1))
    assert codec.columns["end"].given == "start"
    encoded = codec.encode(table.read())
    is_fixed = np.arange(300) % 2 == 0
    moved = pa.array(start.cast(pa.int64()).to_numpy()[::-1].copy(), pa.int64()).cast(pa.timestamp("us"))
    made = codec.decode(encoded.numerical.mean(axis=2), encoded.categorical, rng, fixed={"start": (is_fixed, moved)})
    expected = np.where(is_fixed, moved.cast(pa.int64()).to_numpy(), start.cast(pa.int64()).to_numpy())
    assert (made["start"].cast(pa.int64()).to_numpy() == expected).all()
    days = (made["end"].cast(pa.int64()).to_numpy() - expected) // 86_400_000_000
    # Times are held within those of training: at both ends there may be no room for the lag.
    has_room = (expected > expected.min()) & (expected < expected.max() - 10 * 86_400_000_000)
    assert has_room.sum() > 250
    assert ((days >= 0) & (days <= 10))[has_room].all()


def test_a_clock_goes_by_the_hour_of_a_fixed_time() -> None:
    rng = np.random.default_rng(0)
    hour, minute, day = rng.integers(5, 23, 400), rng.integers(0, 60, 400), rng.integers(0, 90, 400)
    time = pa.array((day * 24 + hour) * 3_600_000_000, pa.int64()).cast(pa.timestamp("us"))
    schema = TableSchema("t", (Column("time", "datetime"), Column("plan", "numerical")))
    table = Table(schema, pa.table({"time": time, "plan": hour * 100 + minute}))
    codec = TableCodec.fit(table, np.ones(400, bool), ["time", "plan"], CodecConfig(min_entities=1))
    assert [(rule.column, rule.inputs) for rule in codec.rules] == [("time", ("plan",))]
    encoded = codec.encode(table.read())
    is_fixed = np.arange(400) % 2 == 0
    values = time.take(pa.array(rng.permutation(400)))
    # What the model draws for the time contradicts its clock: the rule restores rows whose time is not fixed.
    _, own = codec.places["time"]
    drawn = encoded.categorical.copy()
    drawn[:, own] = rng.permutation(drawn[:, own])
    made = codec.decode(encoded.numerical.mean(axis=2), drawn, rng, fixed={"time": (is_fixed, values)})
    hours = pc.hour(made["time"]).to_numpy()
    assert (made["time"].to_numpy()[is_fixed] == values.to_numpy()[is_fixed]).all()
    assert (made["plan"].to_numpy() // 100 == hours).all()
    assert (made["plan"].to_numpy() % 100 == minute).all()
