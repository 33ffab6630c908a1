"""How long rules take to be found and checked: one table of many rows and thirty columns, on one core.

    python scripts/bench_rules.py --rows 1000000

The table has every kind of column and a rule of most kinds: sums, products, orders, groups, missing values, families
under a parent and that parent's totals. Printed are seconds and the largest memory held.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.dependencies import discover
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.rules.find import find_rules
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema


def columns(rows: int, parents: int, rng: np.random.Generator) -> dict[str, tuple[str, pa.Array]]:
    """Return thirty columns of the child table: name -> (semantic type, values)."""
    whose = np.sort(rng.integers(0, parents, rows))
    start = np.flatnonzero(np.diff(whose, prepend=-1))
    place = np.arange(rows) - np.repeat(start, np.diff(np.append(start, rows)))
    price, count = np.round(rng.lognormal(3, 1, rows), 2), rng.integers(1, 20, rows)
    day = rng.integers(0, 900, parents)[whose] + 14 * place
    status, town = rng.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05]), rng.integers(0, 400, rows)
    low, parts = rng.normal(50, 20, rows), np.sort(rng.integers(0, 101, (rows, 3)), axis=1)
    shares = np.diff(parts, axis=1, prepend=0, append=100)
    words = np.array(["a", "b", "c", "d"])

    def times(days: np.ndarray) -> pa.Array:
        return pa.array((1_500_000_000 + days * 86_400) * 1_000_000, pa.timestamp("us"))

    made: dict[str, tuple[str, pa.Array]] = {
        "id": ("id", pa.array(np.arange(rows))),
        "parent": ("id", pa.array(whose)),
        "nr": ("numerical", pa.array(place + 1)),
        "day": ("datetime", times(day)),
        "price": ("numerical", pa.array(price)),
        "count": ("numerical", pa.array(count)),
        "amount": ("numerical", pa.array(np.round(price * count, 2))),
        "ended": ("datetime", pa.array(times(day + rng.integers(0, 60, rows)).to_numpy(), mask=status == 0)),
        "status": ("categorical", pa.array(words[status])),
        "town": ("categorical", pa.array(np.char.add("town", town.astype(str)))),
        "land": ("categorical", pa.array(np.char.add("land", (town % 30).astype(str)))),
        "low": ("numerical", pa.array(np.round(low, 3))),
        "high": ("numerical", pa.array(np.round(low + rng.gamma(1, 9, rows), 3))),
        **{f"share{k}": ("numerical", pa.array(shares[:, k])) for k in range(4)},
        **{f"is_{word}": ("boolean", pa.array(status == k)) for k, word in enumerate(words)},
    }
    for k in range(30 - len(made)):
        noise = [rng.normal(size=rows).round(4), rng.integers(0, 50, rows), rng.poisson(3, rows)][k % 3]
        made[f"noise{k}"] = ("numerical", pa.array(noise))
    return made


def database(rows: int, folder: Path) -> Database:
    """Write a parent and its child table as parquet and return them."""
    rng, parents = np.random.default_rng(0), max(rows // 8, 10)
    child = columns(rows, parents, rng)
    total = np.bincount(child["parent"][1].to_numpy(), weights=child["amount"][1].to_numpy(), minlength=parents)
    parent = {"key": ("id", pa.array(np.arange(parents))), "total": ("numerical", pa.array(np.round(total, 2)))}
    schemas = []
    for name, made, key in (("parent", parent, "key"), ("child", child, "id")):
        schemas.append(TableSchema(name, tuple(Column(one, kind) for one, (kind, _) in made.items()), (key,)))  # type: ignore[arg-type]
        pq.write_table(pa.table({one: values for one, (_, values) in made.items()}), folder / f"{name}.parquet")
    schema = Schema(tuple(schemas), (Relation("child", ("parent",), "parent", ("key",)),))
    return Database(schema, {one.name: Table(one, folder / f"{one.name}.parquet") for one in schemas})


def main() -> None:
    """Time finding and checking."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--show", action="store_true", help="print the rules")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        made = database(options.rows, Path(scratch))
        linked = {one.name: link_relation(made, one) for one in made.schema.relations}
        masks = {name: np.ones(made[name].num_rows, dtype=bool) for name in made.schema.table_names}
        before = resource.getrusage(resource.RUSAGE_SELF)
        dependencies = discover(made, masks)
        after_dependencies = resource.getrusage(resource.RUSAGE_SELF)
        wall = time.perf_counter()
        rules = find_rules(made, linked, masks, dependencies)
        found = resource.getrusage(resource.RUSAGE_SELF)
        wall = time.perf_counter() - wall
        tables = RuleTables(made, linked)
        broken = sum(rule.check(tables, tables).counts[1] for rule in rules if rule.support.broken == 0)
        checked = resource.getrusage(resource.RUSAGE_SELF)
    for rule in rules if options.show else ():
        print("  ", rule.describe())

    def cpu(one: resource.struct_rusage, other: resource.struct_rusage) -> float:
        return other.ru_utime + other.ru_stime - one.ru_utime - one.ru_stime

    print(
        f"{options.rows:,} rows x 30 columns: dependencies {cpu(before, after_dependencies):.1f} s, "
        f"{len(rules)} rules found in {cpu(after_dependencies, found):.1f} s of CPU ({wall:.1f} s on the clock), "
        f"checked in {cpu(found, checked):.1f} s ({broken} broken), {checked.ru_maxrss / 1e6:.2f} GB at most"
    )


if __name__ == "__main__":
    main()
