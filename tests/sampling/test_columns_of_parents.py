"""A column that real rows have from their parent, synthetic rows have from their parent too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

ORDERS, ITEMS, PARTS = 120, 700, 900


def chain() -> tuple[Schema, dict[str, pa.Table]]:
    """Orders, items with the order's currency and day, parts with the item's currency; some items without an order."""
    rng = np.random.default_rng(0)
    currency = np.array(["EUR", "USD", "GBP"])[rng.integers(0, 3, ORDERS)]
    day = rng.integers(0, 600, ORDERS) * 86_400_000_000
    order = np.sort(rng.integers(0, ORDERS, ITEMS))
    order[::20] = -1
    at = np.maximum(order, 0)
    money = np.where(order >= 0, currency[at], "EUR")
    item = np.sort(rng.integers(0, ITEMS, PARTS))
    tables = {
        "orders": pa.table(
            {"order": np.arange(ORDERS), "currency": currency, "day": pa.array(day, pa.timestamp("us"))}
        ),
        "items": pa.table(
            {
                "item": np.arange(ITEMS),
                "order": pa.array(order, mask=order < 0),
                "money": money,
                "day": pa.array(np.where(order >= 0, day[at], 0), pa.timestamp("us")),
                "price": rng.normal(size=ITEMS) + 3 * (money == "USD"),
            }
        ),
        "parts": pa.table(
            {"part": np.arange(PARTS), "item": item, "money": money[item], "weight": rng.normal(size=PARTS)}
        ),
    }
    kinds = {"currency": "categorical", "money": "categorical", "day": "datetime", "price": "numerical"} | {
        "weight": "numerical"
    }
    schemas = tuple(
        TableSchema(name, tuple(Column(c, kinds.get(c, "id")) for c in table.column_names), (table.column_names[0],))  # type: ignore[arg-type]
        for name, table in tables.items()
    )
    links = (
        Relation("items", ("order",), "orders", ("order",)),
        Relation("parts", ("item",), "items", ("item",)),
    )
    return Schema(schemas, links), tables


def joined(child: pa.Table, key: str, parent: pa.Table, column: str) -> list[Any]:
    """Return the parent's value of each row that has a parent, None for the others."""
    of = dict(zip(parent[key].to_pylist(), parent[column].to_pylist(), strict=True))
    return [of[value] if value is not None else None for value in child[key].to_pylist()]


def test_every_row_agrees_with_its_parent_also_down_a_chain(tmp_path: Path, train_small: Any) -> None:
    folder = train_small(tmp_path, *chain()).artifacts["sample"] / "synthetic"
    tables = {path.stem: pq.read_table(path) for path in folder.glob("*.parquet")}
    for child, key, parent, column, own in (
        ("items", "order", "orders", "currency", "money"),
        ("items", "order", "orders", "day", "day"),
        ("parts", "item", "items", "money", "money"),
    ):
        wanted = joined(tables[child], key, tables[parent], column)
        found = tables[child][own].to_pylist()
        pairs = [(a, b) for a, b in zip(found, wanted, strict=True) if b is not None]
        assert len(pairs) > 300
        assert all(a == b for a, b in pairs), (child, own)
    without = [m for m, o in zip(tables["items"]["money"], tables["items"]["order"], strict=True) if not o.is_valid]
    assert without
    assert all(value.is_valid for value in without)
