import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.order import KeyUse, Plan, driver_relations, generation_order
from tabgraphsyn.data.reference import crowded_masks
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks, training_pointers
from tabgraphsyn.errors import ConfigError

NAMES = "ABCDEFG"


def refers(child, parent, column=None):
    return Relation(child, (column or parent,), parent, ("id",))


def use(distinct=10, null=0.0):
    return KeyUse(distinct, null)


edges = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15)


@settings(max_examples=200, deadline=None)
@given(pairs=edges, names=st.permutations(NAMES))
def test_order_is_topological_on_acyclic_graphs(pairs, names):
    relations = [refers(NAMES[max(pair)], NAMES[min(pair)]) for pair in pairs if pair[0] != pair[1]]
    order = generation_order(names, relations)
    assert sorted(order) == sorted(names)
    assert all(order.index(relation.parent_table) < order.index(relation.child_table) for relation in relations)


@settings(max_examples=200, deadline=None)
@given(pairs=edges, names=st.permutations(NAMES))
def test_any_graph_gives_a_permutation_and_an_acyclic_forest_of_drivers(pairs, names):
    relations = [refers(NAMES[child], NAMES[parent], f"k{n}") for n, (child, parent) in enumerate(pairs)]
    order = generation_order(names, relations)
    assert sorted(order) == sorted(names)
    drivers = driver_relations(order, relations, {relation.name: use() for relation in relations})
    assert set(drivers) == set(names)
    for table, driver in drivers.items():
        assert driver is None or order.index(driver.parent_table) < order.index(table)


def test_circle_is_broken_at_the_emptiest_key_and_not_downstream():
    relations = [refers("D", "A"), refers("A", "B"), refers("B", "A"), refers("C", "A")]
    assert generation_order("DABC", relations, {relations[2].name: 0.9}) == ("B", "A", "D", "C")
    assert generation_order("DABC", relations)[0] == "A"


def test_driver_prefers_few_nulls_then_many_parents():
    many_nulls, many, few = refers("C", "A", "a"), refers("C", "A", "b"), refers("C", "B")
    measured = {many_nulls.name: use(99, 0.6), many.name: use(50, 0.4), few.name: use(5)}
    assert driver_relations("ABC", [many_nulls, many, few], measured)["C"] == many
    assert driver_relations("ABC", [many_nulls], measured)["C"] == many_nulls


def test_rows_that_each_have_a_parent_of_their_own_follow_siblings_along_another_key():
    client, account, town = refers("D", "A"), refers("D", "B"), refers("D", "C")
    measured = {client.name: KeyUse(100, 0.0, False), account.name: use(80), town.name: use(9)}
    assert driver_relations("ABCD", [client, account, town], measured)["D"] == account
    assert driver_relations("ABCD", [client, town], measured)["D"] == client
    assert driver_relations("ABCD", [client, account], {**measured, account.name: use(80, 0.2)})["D"] == client
    assert not KeyUse.measure(np.array([2, 0, -1])).has_siblings


def test_plan_survives_json():
    plan = Plan(("A", "B"), {"A": None, "B": "B.A--A"}, ("A",), {"A": 1, "B": 2}, {"A": 1, "B": 1}, {"A": "declared"})
    assert plan.coarse == ()
    assert Plan.from_dict(plan.to_dict()) == plan


def masks(rows, drivers, references, pointers, **config):
    return holdout_masks(list(rows), rows, drivers, references, pointers, HoldoutConfig(**config))


def test_descendants_go_with_their_entity():
    rng = np.random.default_rng(0)
    rows = {"A": 200, "B": 1000, "C": 3000}
    drivers = {"A": None, "B": refers("B", "A"), "C": refers("C", "B")}
    pointers = {"B.A--A": rng.integers(0, 200, 1000), "C.B--B": rng.integers(0, 1000, 3000)}
    pointers["C.B--B"][:100] = -1
    held = masks(rows, drivers, (), pointers)
    assert held["A"].sum() == 20
    assert (held["B"] == held["A"][pointers["B.A--A"]]).all()
    assert (held["C"][100:] == held["B"][pointers["C.B--B"][100:]]).all()
    assert held["C"][:100].sum() == 10  # rows without a driver parent are entities themselves
    again = masks(rows, drivers, (), pointers)
    assert all((again[table] == held[table]).all() for table in rows)
    other = masks(rows, drivers, (), pointers, seed=1)
    assert (other["A"] != held["A"]).any()


def test_children_of_reference_tables_are_entities_and_reference_rows_are_shared():
    rows = {"A": 5, "B": 100}
    held = masks(rows, {"A": None, "B": refers("B", "A")}, ("A",), {"B.A--A": np.arange(100) % 5})
    assert held["A"].sum() == 0
    assert held["B"].sum() == 10
    assert masks(rows, {"A": None, "B": None}, (), {}, fraction=0.0)["B"].sum() == 0


def test_a_row_that_much_hangs_on_is_never_held_out():
    rows = {"A": 30, "B": 300}
    pointers = {"B.A--A": np.where(np.arange(300) < 90, 7, np.arange(300) % 30)}
    drivers = {"A": None, "B": refers("B", "A")}
    crowded = crowded_masks([drivers["B"]], pointers, rows)
    assert crowded["A"].nonzero()[0].tolist() == [7] and not crowded["B"].any()
    for seed in range(20):
        held = holdout_masks("AB", rows, drivers, (), pointers, HoldoutConfig(seed=seed), crowded)
        assert not held["A"][7] and held["A"].sum() == 3
    assert not crowded_masks([drivers["B"]], {"B.A--A": np.zeros(19, np.int64)}, rows)["A"].any()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_training_pointers(data):
    parent_held = np.array(data.draw(st.lists(st.booleans(), min_size=1, max_size=12)))
    pointer = np.array(data.draw(st.lists(st.integers(-1, len(parent_held) - 1), min_size=1)), dtype=np.int64)
    child_held = np.array(data.draw(st.lists(st.booleans(), min_size=len(pointer), max_size=len(pointer))))
    new = training_pointers(pointer, child_held, parent_held)
    kept_parents = np.flatnonzero(~parent_held)
    assert len(new) == (~child_held).sum()
    for before, after in zip(pointer[~child_held], new, strict=True):
        if before == -1:
            assert after == -1
        elif parent_held[before]:
            assert after == -2
        else:
            assert kept_parents[after] == before


def test_fraction_is_checked():
    with pytest.raises(ConfigError, match=r"holdout.fraction: at least 0 and below 1 expected, found 1.0"):
        HoldoutConfig(fraction=1.0)
