"""A column that real rows have from their parent, synthetic rows have from their parent too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.files import read_json
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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, train_small: Any) -> tuple[Any, dict[str, pa.Table]]:
    store = train_small(tmp_path_factory.mktemp("chain"), *chain())
    folder = store.artifacts["sample"] / "synthetic"
    return store, {path.stem: pq.read_table(path) for path in folder.glob("*.parquet")}


def test_every_row_agrees_with_its_parent_also_down_a_chain(made: tuple[Any, dict[str, pa.Table]]) -> None:
    _, tables = made
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


def test_denoisers_are_told_and_the_bundle_says_which(made: tuple[Any, dict[str, pa.Table]]) -> None:
    store, _ = made
    bundle = store.artifacts["sample"] / "bundle"
    names = {one["column"] for one in read_json(bundle / "known" / "items.inherited.json")}
    assert names == {"money", "day"}
    widths = {
        table: read_json(bundle / "diffusion" / f"{table}.json")["condition_dim"] for table in ("orders", "parts")
    }
    # Three currencies and "no parent", besides the graph network's vector.
    assert widths["parts"] == widths["orders"] + 4


def test_without_a_graph_network_nothing_is_inherited(
    tmp_path: Path, train_small: Any, small_settings: dict[str, Any]
) -> None:
    from omegaconf import OmegaConf

    conf = Path(__file__).parents[2] / "conf" / "gnn" / "none.yaml"
    store = train_small(tmp_path, *chain(), gnn=OmegaConf.to_container(OmegaConf.load(conf)))
    folder = store.artifacts["sample"] / "synthetic"
    items, orders = (pq.read_table(folder / f"{name}.parquet") for name in ("items", "orders"))
    wanted = joined(items, "order", orders, "currency")
    assert any(a != b for a, b in zip(items["money"].to_pylist(), wanted, strict=True) if b is not None)
