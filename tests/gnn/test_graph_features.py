"""Edges and structural features from row pointers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.data.graph import Adjacency, adjacencies, edge_types, reversed_type
from tabgraphsyn.data.graph_features import StructureFeatures, rank_features, sibling_ranks
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.schema import Relation, Schema, TableSchema
from tabgraphsyn.errors import StageError

FAMILY = Schema((TableSchema("p", ()), TableSchema("c", ())), (Relation("c", ("p",), "p", ("id",)),))
FAMILY_KEY = FAMILY.relations[0].name


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40))
def test_adjacency_holds_every_edge_once_grouped_by_target(pairs: list[tuple[int, int]]) -> None:
    source = np.array([pair[0] for pair in pairs], dtype=np.int64)
    target = np.array([pair[1] for pair in pairs], dtype=np.int64)
    adjacency = Adjacency.from_edges(source, target, 8)
    edges = adjacency.edges()
    assert sorted(map(tuple, edges.T.tolist())) == sorted(pairs)
    assert np.all(np.diff(edges[1]) >= 0)
    assert np.array_equal(adjacency.degree, np.bincount(target, minlength=8))


def test_two_keys_and_self_reference_keep_edge_types_of_their_own(small) -> None:
    types = edge_types(small.schema)
    assert len(set(types)) == len(types) == 2 * len(small.schema.relations)
    assert {reversed_type(kind) for kind in types} == set(types)
    found = adjacencies(small.schema, small.rows, small.pointers())
    assert set(found) == set(types)
    boss = small.pointers()["crew.boss--crew"]
    up = found["crew", "crew.boss--crew", "crew"].edges()
    down = found["crew", "rev:crew.boss--crew", "crew"].edges()
    expected = {(child, parent) for child, parent in enumerate(boss) if parent >= 0}
    assert set(map(tuple, up.T.tolist())) == expected
    assert {(child, parent) for parent, child in down.T.tolist()} == expected


def test_null_and_censored_pointers_are_no_edges() -> None:
    found = adjacencies(FAMILY, {"p": 2, "c": 4}, {FAMILY_KEY: np.array([-1, 1, -2, 1])})
    assert found["c", FAMILY_KEY, "p"].edges().tolist() == [[1, 3], [1, 1]]


def test_null_flag_tells_null_from_censored() -> None:
    plan = Plan((), {"c": None, "p": None}, (), {}, {})
    features = StructureFeatures.fit(FAMILY, plan, {"p": 2, "c": 4}, {FAMILY_KEY: np.array([-1, 1, -2, 1])})
    raw = features.raw("c", {"p": 2, "c": 4}, {FAMILY_KEY: np.array([-1, 1, -2, 1])})
    assert features.names("c") == (f"null:{FAMILY_KEY}",)
    assert raw[:, 0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("bad", [np.array([0, 1, 2, 9]), np.array([0, 1]), np.array([0, 1, -3, 0])])
def test_pointers_that_cannot_be_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(StageError, match=r"c\.p--p"):
        adjacencies(FAMILY, {"p": 3, "c": 4}, {FAMILY_KEY: bad})


def test_missing_pointers_are_refused() -> None:
    with pytest.raises(StageError, match="row pointers"):
        adjacencies(FAMILY, {"p": 3, "c": 4}, {})


@given(st.lists(st.integers(-2, 4), max_size=30))
def test_ranks_count_siblings_in_row_order(parents: list[int]) -> None:
    rank, size = sibling_ranks(np.array(parents, dtype=np.int64))
    for row, parent in enumerate(parents):
        siblings = [other for other, value in enumerate(parents) if value == parent] if parent >= 0 else [row]
        assert (rank[row], size[row]) == (siblings.index(row), len(siblings))


def test_rank_features_are_floats_and_all_alive() -> None:
    parent_row = np.repeat(np.arange(20), np.arange(1, 21) * 10)
    columns = np.stack(rank_features(parent_row), axis=1)
    assert columns.dtype == np.float64
    # The ancestor computed its encodings in integers and nearly all channels were constant.
    assert np.all(columns.std(axis=0) > 0.05)
    assert all(len(np.unique(column.round(6))) >= 3 for column in columns.T)


def test_features_are_standardised_stored_and_bounded(small) -> None:
    features = small.features()
    computed = features.compute(small.rows, small.pointers())
    for table, values in computed.items():
        assert values.dtype == np.float32
        assert values.shape == (small.rows[table], len(features.names(table)))
        varies = values.std(axis=0) > 0
        assert np.allclose(values[:, varies].mean(axis=0), 0, atol=0.1)
    again = StructureFeatures.from_dict(features.to_dict()).compute(small.rows, small.pointers())
    assert all(np.array_equal(again[table], computed[table]) for table in computed)


def test_reference_tables_look_the_same_in_a_larger_database() -> None:
    plan = Plan((), {"c": FAMILY_KEY, "p": None}, ("p",), {}, {})
    generator = np.random.default_rng(0)
    small_rows, large_rows = {"p": 5, "c": 2000}, {"p": 5, "c": 20000}
    share = [0.4, 0.3, 0.15, 0.1, 0.05]
    few = {FAMILY_KEY: np.sort(generator.choice(5, 2000, p=share))}
    many = {FAMILY_KEY: np.sort(generator.choice(5, 20000, p=share))}
    features = StructureFeatures.fit(FAMILY, plan, small_rows, few)
    one, other = features.compute(small_rows, few)["p"], features.compute(large_rows, many)["p"]
    assert np.allclose(one, other, atol=0.25)


def test_table_without_rows_and_table_without_relations() -> None:
    schema = Schema((*FAMILY.tables, TableSchema("alone", ())), FAMILY.relations)
    plan = Plan((), {"c": FAMILY_KEY}, ("p",), {}, {})
    rows = {"p": 3, "c": 0, "alone": 4}
    computed = StructureFeatures.fit(schema, plan, rows, {FAMILY_KEY: np.zeros(0, np.int64)}).compute(
        rows, {FAMILY_KEY: np.zeros(0, np.int64)}
    )
    # Under a reference table there is no family to have a place in: the null key is all that is left.
    assert computed["c"].shape == (0, 1)
    assert computed["alone"].shape == (4, 0)
    assert np.isfinite(computed["p"]).all()


def test_children_of_a_reference_table_look_the_same_in_a_database_of_any_size() -> None:
    plan = Plan((), {"c": FAMILY_KEY}, ("p",), {}, {})
    pointer = np.repeat([0, 1], [30, 10])
    features = StructureFeatures.fit(FAMILY, plan, {"p": 5, "c": 40}, {FAMILY_KEY: pointer})
    larger = features.compute({"p": 5, "c": 400}, {FAMILY_KEY: np.repeat(pointer, 10)})
    assert np.allclose(larger["p"], features.compute({"p": 5, "c": 40}, {FAMILY_KEY: pointer})["p"])


def test_generated_keys_are_censored_as_often_as_training_keys() -> None:
    pointer = np.array([0, 1, -2, -1] * 500)
    plan = Plan((), {"c": None}, (), {}, {})
    features = StructureFeatures.fit(FAMILY, plan, {"p": 2, "c": 2000}, {FAMILY_KEY: pointer})
    whole = np.array([0, 1, 1, -1] * 500)
    seen = features.as_in_training({FAMILY_KEY: whole}, np.random.default_rng(0))[FAMILY_KEY]
    assert abs(np.mean(seen[whole >= 0] == -2) - 1 / 3) < 0.04
    assert (seen[whole == -1] == -1).all()
    assert StructureFeatures.from_dict(features.to_dict()) == features
