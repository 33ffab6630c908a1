"""Small databases of plain columns, and the rules found in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.dependencies import discover
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.rules.find import find_rules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema

ROWS = 700
DAY = 86_400
Columns = Mapping[str, Any]


def sdtype_of(name: str, values: pa.Array) -> str:
    if name.endswith("_id") or name == "id":
        return "id"
    if pa.types.is_timestamp(values.type):
        return "datetime"
    if pa.types.is_boolean(values.type):
        return "boolean"
    return "categorical" if pa.types.is_string(values.type) else "numerical"


def database(tables: Mapping[str, Columns], relations: tuple[Relation, ...] = ()) -> Database:
    """A database of plain columns; ``id`` is the primary key where there is one."""
    made, schemas = {}, []
    for name, columns in tables.items():
        arrays = {key: pa.array(value) for key, value in columns.items()}
        described = tuple(Column(key, sdtype_of(key, value)) for key, value in arrays.items())
        schemas.append(TableSchema(name, described, ("id",) if "id" in arrays else ()))
        made[name] = Table(schemas[-1], pa.table(arrays))
    return Database(Schema(tuple(schemas), relations), made)


def linked(made: Database) -> dict[str, np.ndarray]:
    return {one.name: link_relation(made, one) for one in made.schema.relations}


def rules_of(made: Database, is_training: Mapping[str, np.ndarray] | None = None) -> list[Rule]:
    masks = is_training or {name: np.ones(made[name].num_rows, bool) for name in made.schema.table_names}
    return find_rules(made, linked(made), masks, discover(made, masks))


def tables_of(made: Database, rows: Mapping[str, np.ndarray] | None = None) -> RuleTables:
    return RuleTables(made, linked(made), rows)


def statements(made: Database) -> list[str]:
    return [f"{one.table}: {one.statement()}" for one in rules_of(made)]


def days(numbers: np.ndarray) -> pa.Array:
    return pa.array((1_600_000_000 + numbers * DAY) * 1_000_000, pa.timestamp("us"))


def row(**columns: Any) -> Database:
    return database({"t": columns})


def missing(values: np.ndarray, where: np.ndarray) -> pa.Array:
    return pa.array(values, mask=where)


def family(child: Columns, parent: Columns, keys: Mapping[str, str] = {"p_id": "p"}) -> Database:
    relations = tuple(Relation("c", (key,), table, ("id",)) for key, table in keys.items())
    return database({"p": parent, "c": child}, relations)


def three_levels(child: Columns, parent: Columns, grand: Columns) -> Database:
    """Rows whose parents have parents: c.p_id -> p.id, p.g_id -> g.id."""
    relations = Relation("c", ("p_id",), "p", ("id",)), Relation("p", ("g_id",), "g", ("id",))
    return database({"g": grand, "p": parent, "c": child}, relations)


def grown(rng: np.random.Generator, parents: int = 120, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Rows of parents of different sizes in mixed order: whose they are and their place."""
    sizes = rng.integers(least, 8, parents)
    whose = np.repeat(np.arange(parents), sizes)
    place = np.concatenate([np.arange(size) for size in sizes])
    return whose, place
