"""Databases to score: a shop with two keys to one parent, tables of keys only, nulls, dates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.sides.data import EvaluationData

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the modules beside this file are imported by name

SHOP = Schema(
    tables=(
        TableSchema(
            "customer",
            (
                Column("id", "id"),
                Column("city", "categorical"),
                Column("age", "numerical"),
                Column("member", "boolean"),
                Column("empty", "numerical"),
                Column("constant", "numerical"),
            ),
            ("id",),
        ),
        TableSchema(
            "orders",
            (
                Column("number", "id"),
                Column("buyer", "id"),
                Column("payer", "id"),
                Column("amount", "numerical"),
                Column("kind", "categorical"),
                Column("at", "datetime"),
                Column("note", "text"),
            ),
            ("number",),
        ),
        TableSchema("tag", (Column("order", "id"), Column("customer", "id")), ()),
    ),
    relations=(
        Relation("orders", ("buyer",), "customer", ("id",)),
        Relation("orders", ("payer",), "customer", ("id",)),
        Relation("tag", ("order",), "orders", ("number",)),
        Relation("tag", ("customer",), "customer", ("id",)),
    ),
)


def shop_rows(seed: int, customers: int = 300, orders: int = 900) -> dict[str, dict[str, pa.Array]]:
    """A shop in which age depends on the city, and the amount on the buyer's city and on the kind."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 4, customers)
    age = np.round(20 + 12 * city + rng.normal(0, 4, customers), 3)
    buyer, payer = rng.integers(0, customers, orders), rng.integers(0, customers, orders)
    kind = (city[buyer] + (rng.random(orders) < 0.2)) % 3
    amount = np.round(10.0 * city[buyer] + 3 * kind + rng.normal(0, 1, orders), 4)
    day = np.datetime64("2020-01-01", "us") + (rng.random(orders) * 365 * 86_400e6).astype("timedelta64[us]")
    nowhere = rng.random(orders) < 0.1
    return {
        "customer": {
            "id": pa.array(np.arange(customers)),
            "city": pa.array([f"city{c}" for c in city]),
            "age": pa.array(age, mask=rng.random(customers) < 0.1),
            "member": pa.array(rng.random(customers) < 0.3),
            "empty": pa.nulls(customers, pa.float64()),
            "constant": pa.array(np.ones(customers)),
        },
        "orders": {
            "number": pa.array([f"o{i}" for i in range(orders)]),
            "buyer": pa.array(buyer),
            "payer": pa.array(payer, mask=nowhere),
            "amount": pa.array(amount),
            "kind": pa.array([f"kind{k}" for k in kind]),
            "at": pa.array(day),
            "note": pa.array(["free text"] * orders),
        },
        "tag": {
            "order": pa.array([f"o{i}" for i in rng.integers(0, orders, 100)]),
            "customer": pa.array(rng.integers(0, customers, 100)),
        },
    }


def database(schema: Schema, rows: Mapping[str, Mapping[str, Any]]) -> Database:
    """A database in memory."""
    return Database(schema, {t.name: Table(t, pa.table(dict(rows[t.name]))) for t in schema.tables})


def every_fifth(real: Database) -> dict[str, np.ndarray]:
    return {name: np.arange(real[name].num_rows) % 5 == 0 for name in real.schema.table_names}


@pytest.fixture
def shop() -> Callable[..., Database]:
    """``shop(seed, **changed_tables)``."""

    def make(seed: int = 0, change: Callable[[dict], None] | None = None, **sizes: int) -> Database:
        rows = shop_rows(seed, **sizes)
        if change is not None:
            change(rows)
        return database(SHOP, rows)

    return make


@pytest.fixture
def evaluation() -> Callable[..., EvaluationData]:
    """``evaluation(real, synthetic, **settings)`` with every fifth row held out."""

    def make(real: Database, synthetic: Database, **settings: Any) -> EvaluationData:
        settings.setdefault("is_holdout", every_fifth(real))
        return EvaluationData(real=real, synthetic=synthetic, **settings)

    return make


@pytest.fixture
def one_table() -> Callable[..., Database]:
    """``one_table({"x": ("numerical", values), ...})``: a database of one table ``t`` without keys."""

    def make(columns: Mapping[str, tuple[str, Any]]) -> Database:
        schema = Schema((TableSchema("t", tuple(Column(name, kind) for name, (kind, _) in columns.items())),))
        return database(schema, {"t": {name: values for name, (_, values) in columns.items()}})

    return make


def value_of(results: Any, where: str, comparison: str = "synthetic") -> float:
    """The value of one score."""
    found = [r for r in results if r.where == where and r.comparison == comparison]
    assert len(found) == 1, f"{where} ({comparison}): {found}"
    return found[0].value


@pytest.fixture
def value() -> Callable[..., float]:
    return value_of
