"""Hand-made rows of one table under parents, for rules among several rows."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.store import rule_from_dict
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.keeping.family_keeping import keep_families

ROWS, PARENTS = 500, 60
RELATION = Relation("t", ("k",), "p", ("id",))
ITSELF = Relation("t", ("above",), "t", ("own",))


def rule(kind: str, table: str = "t", **values: Any) -> Rule:
    return rule_from_dict({"kind": kind, "table": table, **values}, "test")


@dataclass
class Case:
    schema: Schema
    rows: pa.Table
    pointers: dict[str, np.ndarray]

    def kept(self, *rules: Rule, protected: frozenset[str] = frozenset({"k"})) -> pa.Table:
        rng = np.random.default_rng(0)
        made = keep_families(self.schema.table("t"), self.rows, rules, self.pointers, protected, rng)
        assert made.schema == self.rows.schema and made.num_rows == ROWS
        assert made.column("k") == self.rows.column("k")
        return made

    def broken(self, rows: pa.Table, one: Rule) -> tuple[int, int]:
        parents = Table(self.schema.table("p"), pa.table({"id": np.arange(PARENTS)}))
        tables = {"t": Table(self.schema.table("t"), rows), "p": parents}
        return one.check(RuleTables(Database(self.schema, tables), self.pointers)).counts


def case(**columns: Any) -> Case:
    rng = np.random.default_rng(5)
    pointer = rng.integers(-1, PARENTS, ROWS)
    rows = pa.table({"k": pa.array(pointer, mask=pointer < 0), **columns})
    child = TableSchema("t", tuple(Column(name, "numerical") for name in rows.column_names), ())
    schema = Schema((TableSchema("p", (Column("id", "id"),), ("id",)), child), (RELATION,))
    return Case(schema, rows, {RELATION.name: pointer})


def some(seed: int, most: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, ROWS)


class FewRules:
    """A prepared database of which only rules, schema and the keys of siblings are asked."""

    def __init__(self, schema: Schema, rules: dict[str, RowRules], driver: dict[str, str | None] | None = None) -> None:
        self.schema, self._rules, self.plan = schema, rules, SimpleNamespace(driver=driver or {})

    def row_rules(self, table: str) -> RowRules:
        return self._rules.get(table, RowRules(table))

    def known(self, table: str) -> SimpleNamespace:
        return SimpleNamespace(columns=())
