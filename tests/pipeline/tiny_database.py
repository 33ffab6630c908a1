"""A database of a few hundred rows with every inconvenient shape of key, written as CSV files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

CLERKS = 30
CUSTOMERS = 60
ORDERS = 180
REGIONS = 3

_ID = {"sdtype": "id"}
_WHOLE = {"sdtype": "numerical", "computer_representation": "Int64"}
_REAL = {"sdtype": "numerical", "computer_representation": "Float"}
_WORD = {"sdtype": "categorical"}

METADATA = {
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
    "tables": {
        "clerks": {"primary_key": "clerk_id", "columns": {"clerk_id": _ID, "boss_id": _ID, "pay": _REAL}},
        "customers": {
            "primary_key": ["region", "customer_no"],
            "columns": {"region": _ID, "customer_no": _ID, "segment": _WORD, "limit": _WHOLE},
        },
        "orders": {
            "primary_key": "order_id",
            "columns": {
                "order_id": _ID,
                "region": _ID,
                "customer_no": _ID,
                "clerk_id": _ID,
                "placed_on": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
                "amount": _REAL,
                "is_paid": {"sdtype": "boolean"},
            },
        },
        "favourites": {"primary_key": ["order_id", "clerk_id"], "columns": {"order_id": _ID, "clerk_id": _ID}},
    },
    "relationships": [
        {
            "parent_table_name": parent,
            "child_table_name": child,
            "parent_primary_key": key,
            "child_foreign_key": foreign,
        }
        for parent, child, key, foreign in (
            ("clerks", "clerks", "clerk_id", "boss_id"),
            ("customers", "orders", ["region", "customer_no"], ["region", "customer_no"]),
            ("clerks", "orders", "clerk_id", "clerk_id"),
            ("orders", "favourites", "order_id", "order_id"),
            ("clerks", "favourites", "clerk_id", "clerk_id"),
        )
    ],
}


def tiny_tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Return tables by name.

    ``clerks`` refers to itself by a nullable key, ``customers`` has a composite key, ``orders`` a date, a composite
    foreign key and a nullable one, ``favourites`` nothing but keys.
    """
    rng = np.random.default_rng(seed)
    clerks = _clerks(rng)
    customers = _customers(rng)
    orders = _orders(rng, clerks, customers)
    pairs = pd.DataFrame(
        {"order_id": rng.choice(orders["order_id"], 150), "clerk_id": rng.choice(clerks["clerk_id"], 150)}
    )
    return {
        "clerks": clerks,
        "customers": customers,
        "orders": orders,
        "favourites": pairs.drop_duplicates(ignore_index=True),
    }


def _clerks(rng: np.random.Generator) -> pd.DataFrame:
    numbers = 100 + np.arange(CLERKS)
    bosses = pd.array(numbers[rng.integers(0, np.maximum(np.arange(CLERKS), 1))], dtype="Int64")
    bosses[:4] = pd.NA
    return pd.DataFrame({"clerk_id": numbers, "boss_id": bosses, "pay": np.round(rng.normal(3000, 400, CLERKS), 2)})


def _customers(rng: np.random.Generator) -> pd.DataFrame:
    region = np.arange(CUSTOMERS) % REGIONS
    return pd.DataFrame(
        {
            "region": np.array(["north", "south", "west"])[region],
            "customer_no": 1 + np.arange(CUSTOMERS) // REGIONS,
            "segment": np.where(rng.random(CUSTOMERS) < 0.3 + 0.2 * region, "firm", "person"),
            "limit": rng.integers(1, 20, CUSTOMERS) * 100,
        }
    )


def _orders(rng: np.random.Generator, clerks: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    buyer = rng.integers(0, CUSTOMERS, ORDERS)
    clerk = pd.array(rng.choice(clerks["clerk_id"], ORDERS), dtype="Int64")
    clerk[rng.random(ORDERS) < 0.2] = pd.NA
    amount = np.round(customers["limit"].to_numpy()[buyer] * rng.random(ORDERS), 2)
    return pd.DataFrame(
        {
            "order_id": [f"O-{number:05d}" for number in 1 + np.arange(ORDERS)],
            "region": customers["region"].to_numpy()[buyer],
            "customer_no": customers["customer_no"].to_numpy()[buyer],
            "clerk_id": clerk,
            "placed_on": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, ORDERS), unit="D"),
            "amount": np.where(rng.random(ORDERS) < 0.1, np.nan, amount),
            "is_paid": rng.random(ORDERS) < 0.7,
        }
    )


def write_csv(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    """Write one CSV a table, the way a spreadsheet would, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d")
    return folder


def write_metadata(folder: Path) -> Path:
    """Write SDV metadata beside the tables: a composite key is nothing that a few rows give away."""
    (folder / "metadata.json").write_text(json.dumps(METADATA, indent=1), encoding="utf-8")
    return folder
