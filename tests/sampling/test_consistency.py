"""Dependencies on keys, enforced on generated rows."""

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.keeping.consistency import enforce, enforceable

SCHEMA = Schema(
    (
        TableSchema("airports", (Column("id", "id"),), ("id",)),
        TableSchema(
            "flights",
            (
                Column("origin", "id"),
                Column("dest", "id"),
                Column("distance", "numerical"),
                Column("km", "numerical"),
            ),
        ),
    ),
    (
        Relation("flights", ("origin",), "airports", ("id",)),
        Relation("flights", ("dest",), "airports", ("id",)),
    ),
)
ROUTE = Dependency("flights", ("origin", "dest"), "distance", 1.0, 1000)


def test_only_exact_dependencies_on_keys_are_enforceable() -> None:
    weaker = Dependency("flights", ("origin", "dest"), "km", 0.99, 1000)
    attribute = Dependency("flights", ("km",), "distance", 1.0, 1000, kept=True)
    carrier = Dependency("flights", ("origin",), "dest", 1.0, 1000)
    given = [ROUTE, weaker, attribute, carrier]
    assert enforceable(SCHEMA, given, "flights", 1.0) == [ROUTE]
    assert enforceable(SCHEMA, given, "flights", 0.98) == [ROUTE, weaker]
    assert enforceable(SCHEMA, given, "airports", 0.5) == []


def test_rows_of_a_route_take_the_distance_of_one_of_them() -> None:
    rng = np.random.default_rng(0)
    origin = [None if i % 10 == 0 else int(o) for i, o in enumerate(rng.integers(0, 3, 500))]
    rows = pa.table(
        {
            "origin": origin,
            "dest": rng.integers(0, 5, 500),
            "distance": rng.normal(size=500),
            "km": np.arange(500),
        }
    )
    rows = rows.set_column(3, "km", pa.array(np.round(rows.column("distance").to_numpy() * 1.6, 6)))
    pair = [rows.column(name).combine_chunks() for name in ("distance", "km")]
    codec = TableCodec("flights", {"km": DerivedCodec.fit("km", "distance", *pair)})
    new = enforce(rows, [ROUTE], codec, np.random.default_rng(1))
    found: dict[tuple[int, int], set[float]] = {}
    for old, row in zip(rows.to_pylist(), new.to_pylist(), strict=True):
        if row["origin"] is None:
            assert row == old
            continue
        found.setdefault((row["origin"], row["dest"]), set()).add(row["distance"])
        assert row["km"] == round(row["distance"] * 1.6, 6)
    assert len(found) == 15
    assert all(len(values) == 1 for values in found.values())
    assert {next(iter(values)) for values in found.values()} <= set(rows.column("distance").to_pylist())
    assert new.equals(enforce(rows, [ROUTE], codec, np.random.default_rng(1)))
    assert not new.equals(enforce(rows, [ROUTE], codec, np.random.default_rng(2)))
