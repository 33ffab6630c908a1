"""What keys into lookup tables say of a row: levels, and columns that follow from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.known.columns import LEVELS_MAX, Known, known_candidates
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

ROUTES = np.array([[0, 1], [0, 2], [1, 0], [2, 2]])
DISTANCE = np.array([500, 800, 500, 90])
TO, FROM = "flights.to--airports", "flights.from--airports"


def schema() -> Schema:
    airports = TableSchema("airports", (Column("code", "id"), Column("name", "categorical")), ("code",))
    flights = TableSchema(
        "flights",
        (Column("from", "id"), Column("to", "id"), Column("distance", "numerical"), Column("memo", "text")),
        (),
    )
    relations = tuple(Relation("flights", (name,), "airports", ("code",)) for name in ("from", "to"))
    return Schema((airports, flights), relations)


def dependency(dependent: str, strength: float = 1.0) -> Dependency:
    return Dependency("flights", ("from", "to"), dependent, strength, 100)


def rows(seed: int = 0) -> tuple[dict[str, np.ndarray], pa.Array]:
    route = np.random.default_rng(seed).integers(0, len(ROUTES), 400)
    pointers = {relation.name: ROUTES[route, i] for i, relation in enumerate(schema().relations)}
    return pointers, pa.array(DISTANCE[route])


def fitted(values: pa.Array | None = None, lookups: int = 3) -> Known:
    pointers, distance = rows()
    given = {"distance": distance if values is None else values}
    found = [dependency("distance")]
    return Known.fit("flights", schema(), ["airports"], pointers, {"airports": lookups}, found, given)


def test_only_attributes_that_follow_exactly_are_candidates() -> None:
    found = [dependency("distance"), dependency("memo"), Dependency("flights", ("memo",), "distance", 1.0, 100)]
    assert list(known_candidates("flights", schema(), ["airports"], found)) == ["distance"]
    assert known_candidates("flights", schema(), ["airports"], [dependency("distance", 0.99)]) == {}
    assert known_candidates("flights", schema(), [], found) == {}


def test_a_known_column_is_looked_up_and_an_unknown_tuple_keeps_its_own_value(tmp_path: Path) -> None:
    fitted().save(tmp_path)
    known = Known.load(tmp_path, "flights")
    names = known.relations
    lookup = {names[0]: np.array([0, 2, 1, -1, 0]), names[1]: np.array([1, 2, 1, 0, 9])}
    made = pa.table({"distance": [1, 2, 3, 4, 5], "memo": ["a"] * 5})
    assert known.filled(made, lookup).column("distance").to_pylist() == [500, 90, 3, 4, 5]


def test_features_name_the_rows() -> None:
    known = fitted()
    pointers, _ = rows()
    facts = known.rows(pointers)
    assert known.levels == (4, 4)
    assert (facts.level == np.stack(list(pointers.values()), axis=1) + 1).all()
    assert facts.numbers[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert facts.numbers[:, 0].std() == pytest.approx(1, abs=1e-5)
    nowhere = known.rows({name: np.array([-1]) for name in known.relations})
    assert nowhere.level.tolist() == [[0, 0]]
    assert nowhere.numbers.tolist() == [[0, 0]]


def test_a_dependency_with_one_exception_is_not_kept() -> None:
    _, distance = rows()
    values = distance.to_pylist()
    values[7] += 1
    assert fitted(pa.array(values)).columns == ()


def test_a_large_lookup_table_shares_its_last_level() -> None:
    known = fitted(lookups=3 * LEVELS_MAX)
    assert known.levels[:2] == (LEVELS_MAX + 1, LEVELS_MAX + 1)
    assert (known.level_of[0] == LEVELS_MAX).sum() == 2 * LEVELS_MAX + 1


def test_nothing_is_known_of_a_table_without_keys_into_lookup_tables(tmp_path: Path) -> None:
    known = Known.load(tmp_path, "flights")
    assert known.levels == ()
    assert known.numbers == 0
