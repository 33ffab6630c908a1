"""Hand-made rows and rules for the tests of what keeps rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.store import rule_from_dict
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Schema, Table, TableSchema

ROWS = 400
Columns = dict[str, pa.Array]


def rule(kind: str, **values: Any) -> Rule:
    return rule_from_dict({"kind": kind, "table": "t", **values}, "test")


def schema_of(rows: pa.Table) -> TableSchema:
    return TableSchema("t", tuple(Column(name, "categorical") for name in rows.column_names), ())


def tables_of(rows: pa.Table) -> RuleTables:
    schema = schema_of(rows)
    return RuleTables(Database(Schema((schema,), ()), {"t": Table(schema, rows)}), {})


def with_nulls(values: np.ndarray, rng: np.random.Generator, share: float = 0.3) -> pa.Array:
    return pa.array(values, mask=rng.random(len(values)) < share)


def days(numbers: np.ndarray, unit: str = "us") -> pa.Array:
    return pa.array(1_600_000_000 + numbers * 86_400).cast(pa.timestamp("s")).cast(pa.timestamp(unit))


def whole(rng: np.random.Generator, most: int = 50) -> np.ndarray:
    return rng.integers(0, most, ROWS)


def cents(rng: np.random.Generator) -> np.ndarray:
    return np.round(rng.gamma(2, 40, ROWS), 2)
