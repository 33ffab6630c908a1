"""Every kind of rule is found where it holds, counted where rows break it, and gone where columns are shuffled."""

import doctest
import importlib
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from rule_cases import CASES
from rule_tables import database, family, grown, linked, missing, rules_of, statements, tables_of

from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.store import KINDS, rule_from_dict, rules_from_dict, rules_to_dict
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.data.schema import Database, Relation, Table

DECLARED_ONLY = {"bounds", "multiple", "combination"}


def shuffled(made: Database, seed: int) -> Database:
    """The same database with every column that is no key shuffled on its own."""
    rng = np.random.default_rng(seed)

    def mixed(name: str) -> Table:
        rows = made[name].read()
        for column in made.schema.attribute_columns(name):
            order = pa.array(rng.permutation(rows.num_rows))
            rows = rows.set_column(rows.column_names.index(column), column, rows.column(column).take(order))
        return Table(made[name].schema, rows)

    return Database(made.schema, {name: mixed(name) for name in made.schema.table_names})


@pytest.mark.parametrize("name", CASES)
def test_the_rule_is_found_and_survives_json(name):
    make, statement = CASES[name]
    made = make(np.random.default_rng(7))
    found = rules_of(made)
    told = {f"{one.table}: {one.statement()}": one for one in found}
    assert statement in told, "\n".join(told)
    rule = told[statement]
    assert rule.support.broken == 0 and rule.support.rows >= 20 and rule.support.by_chance >= 10
    assert rules_from_dict(rules_to_dict(found)) == found
    assert rule.check(tables_of(made)).counts == (rule.support.rows, 0)


@pytest.mark.parametrize("name", CASES)
def test_shuffled_columns_break_the_rule_and_make_no_new_ones(name):
    make, statement = CASES[name]
    made = make(np.random.default_rng(11))
    rule = next(one for one in rules_of(made) if f"{one.table}: {one.statement()}" == statement)
    if not set(rule.operands) - {one for one in rule.operands if one.column.endswith("_id")}:
        return  # a rule of keys alone, which stay
    mixed = shuffled(made, 3)
    if rule.kind == "unique" and rule.relation is None and len(rule.operands) == 1:
        return  # codes stay unique in any order
    assert statement not in statements(mixed)
    assert rule.check(tables_of(mixed), tables_of(made)).counts[1] >= 10


def test_every_kind_has_at_least_three_inputs_of_its_own():
    rng = np.random.default_rng(0)
    kinds: Counter[str] = Counter()
    for make, statement in CASES.values():
        kinds[next(one.kind for one in rules_of(make(rng)) if f"{one.table}: {one.statement()}" == statement)] += 1
    assert set(kinds) == set(KINDS) - DECLARED_ONLY
    assert min(kinds.values()) >= 3, kinds


def test_large_tables_are_sampled_and_every_row_counts(monkeypatch):
    from tabgraphsyn.data.rules import search

    monkeypatch.setattr(search, "SAMPLE_ROWS", 300)
    for name in (
        "total",
        "chain",
        "numbered",
        "product",
        "fixed",
        "unique within a parent",
        "a week apart",
        "same date",
    ):
        make, statement = CASES[name]
        made = make(np.random.default_rng(7))
        assert statement in statements(made), (name, statements(made))
    made = CASES["chain"][0](np.random.default_rng(7))
    rows = made["t"].read().to_pydict()
    rows["mid"][333] = rows["low"][333] - 1.0  # one row of 700, between two rows of the sample
    assert "t: low <= mid <= high" not in statements(database({"t": rows}))


def test_only_training_rows_are_looked_at():
    make, statement = CASES["product"]
    made = make(np.random.default_rng(7))
    rows = made["t"].read().to_pydict()
    rows["amount"][:50] = [0.01] * 50
    broken = database({"t": rows})
    training = {"t": np.arange(700) >= 50}
    rule = next(one for one in rules_of(broken, training) if f"{one.table}: {one.statement()}" == statement)
    assert rule.support.rows == 650
    held = tables_of(broken, {"t": ~training["t"]})
    assert rule.check(held).counts == (50, 50)


def test_families_cut_by_the_split_are_not_asked():
    made = CASES["numbered"][0](np.random.default_rng(7))
    rule = next(one for one in rules_of(made) if one.kind == "numbered")
    half = {"c": np.arange(made["c"].num_rows) % 2 == 0}
    asked, broken = rule.check(tables_of(made, half)).counts
    assert broken == 0 and asked < half["c"].sum() / 2
    total = CASES["total"][0](np.random.default_rng(7))
    rule = next(one for one in rules_of(total) if one.kind == "parent_total")
    part = {"c": np.arange(total["c"].num_rows) % 2 == 0}
    assert rule.check(tables_of(total, part)).counts[1] == 0


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "an object with a 'kind'"),
        ({"kind": "ordre", "table": "t"}, "Did you mean 'order'"),
        ({"kind": "order", "table": "t"}, "also needs 'columns'"),
        ({"kind": "order", "table": "t", "columns": ["a", "b"], "stict": True}, "Did you mean 'strict'"),
        ({"kind": "order", "table": "t", "columns": "ab"}, "a list with something in it"),
        ({"kind": "order", "table": "t", "columns": ["a", "a"]}, "two different ones"),
        ({"kind": "order", "table": "t", "columns": ["a", 3]}, "a column name"),
        ({"kind": "order", "table": "t", "columns": ["a", "b"], "strict": 1}, "true or false"),
        ({"kind": "multiple", "table": "t", "column": "a", "step": "x"}, "a number"),
        ({"kind": "multiple", "table": "t", "column": "a", "step": 0}, "above 0"),
        ({"kind": "bounds", "table": "t", "column": "a"}, "low or high"),
        ({"kind": "parent_total", "table": "t", "column": "a", "relation": "r", "how": "sum"}, "how: one of"),
        (
            {"kind": "parent_total", "table": "t", "column": "a", "relation": "r", "of": "b", "by": "c"},
            "by: says which row is first or last",
        ),
        ({"kind": "order", "table": "t", "columns": ["a", "b"], "support": {"rows": 1}}, "an object of"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(raw, said):
    from tabgraphsyn.errors import DataError

    with pytest.raises(DataError, match="rule 3") as error:
        rule_from_dict(raw, "rules.json: rule 3")
    assert said in str(error.value)


def test_rules_tell_what_they_read_and_what_follows():
    for make, statement in CASES.values():
        made = make(np.random.default_rng(1))
        for rule in rules_of(made):
            assert not rule.missing(tables_of(made))
            assert set(rule.follows) <= {one.column for one in rule.operands}
            assert set(rule.relations) <= set(linked(made))
            assert rule.describe().startswith(f"{rule.table}: {rule.statement()} (found; holds in all")
        assert statement


def test_a_value_of_one_parent_alone_is_not_named():
    rng = np.random.default_rng(0)
    whose, _ = grown(rng)
    whose = np.concatenate([whose, np.full(60, 7)])
    kind = np.where(np.arange(len(whose)) < len(whose) - 60, rng.choice(["a", "b"], len(whose)), "rare")
    made = {"p_id": whose, "kind": kind, "dose": missing(rng.normal(size=len(whose)), kind == "rare")}
    assert not [one for one in statements(family(made, {"id": np.arange(120)})) if "rare" in one]
    made["p_id"] = np.concatenate([whose[:-60], np.arange(60)])
    assert [one for one in statements(family(made, {"id": np.arange(120)})) if "kind is 'rare'" in one]


@pytest.mark.parametrize("name", ["one hot", "one true", "points", "sums of sums", "product", "shares", "level"])
def test_what_a_sum_a_product_or_a_group_says_is_not_said_again(name):
    told = statements(CASES[name][0](np.random.default_rng(7)))
    assert not [one for one in told if "fix" in one], told


@pytest.mark.parametrize("name", ["operand", "find_sums"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"tabgraphsyn.data.rules.{name}"))
    assert result.attempted > 0 and result.failed == 0


def test_keys_made_anew_are_not_held_against_real_ones():
    far = np.array([3, 3, 8, 8, 8, 5])
    tables = {"port": {"id": [1, 2, 3]}, "trip": {"far": far, "port_id": [1, 1, 2, 2, 2, 3]}}
    schema_of = (Relation("trip", ("port_id",), "port", ("id",)),)
    made = {"port": {"id": [7, 8, 9]}, "trip": {"far": far, "port_id": [9, 9, 7, 7, 8, 8]}}
    real, synthetic = (tables_of(database(one, schema_of)) for one in (tables, made))
    rule = Fixed(table="trip", determinant=(Operand("far"),), dependent=Operand("port_id"))
    assert rule.check(real, real).counts == (6, 0)
    assert rule.check(synthetic, real).counts == (6, 1)
