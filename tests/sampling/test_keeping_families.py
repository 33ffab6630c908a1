"""Rules among several rows kept in hand-made ones: unique values, gaps of each parent, levels of a tree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from family_rows import ITSELF, RELATION, ROWS, Case, case, rule, some

from tabgraphsyn.data.rules.kept import RowRules, learn_row_rules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.keeping.family_keeping import keep_families
from tabgraphsyn.generation.keeping.family_order import in_order
from tabgraphsyn.generation.keeping.similar_rows import Alike


def days(numbers: np.ndarray) -> pa.Array:
    return (
        pa.array(1_600_000_000 // 86_400 * 86_400 + numbers * 86_400).cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    )


@pytest.mark.parametrize(
    ("column", "asked"),
    [
        (pa.array(some(1, 40)), {"columns": ["a"], "relation": RELATION.name}),
        (days(some(2, 30)), {"columns": ["a"], "relation": RELATION.name}),
        (pa.array([f"word {n}" for n in some(3, 60)]), {"columns": ["k", "a"]}),
        (pa.array(some(4, 5)), {"columns": ["a"], "relation": RELATION.name}),  # more rows than values: beyond them
        (pa.array(some(5, 300) * 1.5, mask=some(6, 10) == 0), {"columns": ["a"]}),
    ],
)
def test_repeated_values_become_others(column: pa.Array, asked: dict[str, Any]) -> None:
    one, rows = rule("unique", **asked), case(a=column)
    made = rows.kept(one)
    before, after = rows.broken(rows.rows, one), rows.broken(made, one)
    assert before[1] > 20 and after == (before[0], 0), (before, after)
    assert made["a"].null_count == column.null_count
    stood = sum(x == y for x, y in zip(made["a"].to_pylist(), column.to_pylist(), strict=True))
    assert stood >= ROWS - before[1], "rows that repeated nothing changed"


def hours(count: int, seed: int) -> pa.Array:
    """Times of day from five to twenty-three, the late ones rare, on as many days as leave a parent little room."""
    rng = np.random.default_rng(seed)
    hour, day = np.minimum(rng.integers(5, 24, count), rng.integers(5, 24, count)), rng.integers(0, 2, count)
    return pa.array((day * 24 + hour) * 3_600).cast(pa.timestamp("s")).cast(pa.timestamp("us"))


@pytest.mark.parametrize(
    ("column", "parents"),
    [(hours(ROWS, 4), 16), (pa.array([f"{n}" for n in np.sqrt(some(5, 196)).astype(int)]), 42)],
)
def test_a_repeated_value_becomes_one_that_the_column_holds_while_there_is_room(column: pa.Array, parents: int) -> None:
    one, rows = rule("unique", columns=["a"], relation=RELATION.name), case(a=column)
    rows.pointers[RELATION.name][:] = some(6, parents)
    made = rows.kept(one)
    assert rows.broken(rows.rows, one)[1] > 100
    crowded = np.bincount(rows.pointers[RELATION.name]) > len(column.unique())
    whole = np.flatnonzero(~crowded[rows.pointers[RELATION.name]])
    assert len(whole) > ROWS / 2 and set(made["a"].take(whole).to_pylist()) <= set(column.to_pylist())
    parts = Case(rows.schema, rows.rows.take(whole), {RELATION.name: rows.pointers[RELATION.name][whole]})
    assert parts.broken(made.take(whole), one)[1] == 0


@pytest.mark.parametrize("how", ["by a key", "by a column", "by nothing"])
def test_a_repeated_value_becomes_that_of_a_row_like_it(how: str) -> None:
    """Each route has eight flight numbers; a carrier flies a number once an hour."""
    route = np.random.default_rng(3).integers(0, 12, ROWS)
    place = route if how != "by nothing" else some(8, 12)
    one = case(number=place * 8 + some(4, 8), hour=some(6, 3), route=route if how == "by a column" else some(9, 12))
    one.pointers[RELATION.name][:] = some(10, 5)
    if how == "by a key":
        one.pointers["t.route--routes"] = route
    asked = rule("unique", columns=["number", "hour"], relation=RELATION.name)
    assert one.broken(one.rows, asked)[1] > 40
    made = one.kept(asked, protected=frozenset({"k", "hour", "route"}))
    number = made.column("number").to_numpy()
    assert one.broken(made, asked)[1] == 0
    moved = number != one.rows.column("number").to_numpy()
    stays = (number // 8 == place)[moved].mean()
    assert stays < 0.3 if how == "by nothing" else stays > 0.8, stays


def test_rows_alike_share_what_tells_most_and_then_less() -> None:
    rng = np.random.default_rng(0)
    route, carrier, noise = (rng.integers(0, most, 6000) for most in (40, 3, 200))
    value = np.where(rng.random(6000) < 0.02, -1, route * 10 + carrier * 3 + rng.integers(0, 3, 6000))
    alone = np.append(route[:-1], 99)  # the last row is the only one of its route
    alike = Alike(value, [value * 2, noise, carrier, np.where(np.arange(6000) == 1, -1, alone)], rng)
    assert alike.circles == 3
    rows = np.arange(6000)
    for circle, same in enumerate(((alone, carrier), (alone,), ())):
        drawn = alike.drawn(rows, circle, rng)
        of_itself = drawn == rows
        assert all((one[drawn] == one)[2:].all() for one in same)
        assert (value[drawn][~of_itself] >= 0).all() and (len(np.unique(noise[drawn])) == 200)
        assert of_itself[[1, 5999]].all() == (circle < 2)


def test_numbers_without_room_do_not_begin_below_zero() -> None:
    one, rows = rule("unique", columns=["a"], relation=RELATION.name), case(a=pa.array(some(7, 4) * 10))
    rows.pointers[RELATION.name][:] = some(8, 30)
    made = rows.kept(one)
    assert rows.broken(made, one)[1] == 0 and min(made["a"].to_pylist()) == 0
    signed = case(a=pa.array(some(7, 4) * 10 - 20))
    assert min(Case(signed.schema, signed.rows, rows.pointers).kept(one)["a"].to_pylist()) < -20


def test_tuples_across_keys_keep_what_is_protected() -> None:
    one, rows = rule("unique", columns=["k", "a", "b"]), case(a=some(1, 3), b=some(2, 9))
    made = rows.kept(one, protected=frozenset({"k", "a"}))
    assert rows.broken(made, one)[1] == 0 and made["a"] == rows.rows["a"]
    stays = rows.kept(one, protected=frozenset({"k", "a", "b"}))
    assert stays.equals(rows.rows)


def test_each_parent_has_a_gap_of_its_own() -> None:
    rows = case(at=days(some(3, 400)), n=some(4, 90))
    for one in (
        rule("equal_gap", column="at", is_time=True, relation=RELATION.name),
        rule("equal_gap", column="n", relation=RELATION.name),
    ):
        made = rows.kept(one)
        assert rows.broken(rows.rows, one)[1] > 100 and rows.broken(made, one)[1] == 0
    starts = made.filter(pa.array(rows.pointers[RELATION.name] == 3))["n"]
    real = rows.rows.filter(pa.array(rows.pointers[RELATION.name] == 3))["n"]
    assert min(starts.to_pylist()) == min(real.to_pylist())


@pytest.mark.parametrize("turned", [False, True])
def test_times_never_fall_along_a_key_into_the_table_and_rise_in_each_family(turned: bool) -> None:
    rng = np.random.default_rng(8)
    above = np.array([rng.integers(0, n) if n and rng.random() < 0.7 else -1 for n in range(ROWS)])
    if turned:  # rows come before the row that they refer to
        above = np.where(above >= 0, ROWS - 1 - above, -1)[::-1]
    rows = case(own=np.arange(ROWS), above=pa.array(above, mask=above < 0), at=days(rng.permutation(ROWS)))
    pointers = rows.pointers | {ITSELF.name: above}
    rows = Case(Schema(rows.schema.tables, (*rows.schema.relations, ITSELF)), rows.rows, pointers)
    chain = [{"column": "at", "through": ITSELF.name}, "at"]
    order = rule("order", columns=chain[::-1] if turned else chain)
    rising = rule("rising", relation=RELATION.name, column="at")
    made = rows.kept(rising, order)
    assert rows.broken(rows.rows, order)[1] > 50 and rows.broken(rows.rows, rising)[1] > 50
    assert rows.broken(made, order)[1] == 0 and rows.broken(made, rising)[1] == 0
    assert sorted(made.column("at").to_pylist()) == sorted(rows.rows.column("at").to_pylist())


def test_a_row_is_later_than_both_rows_that_two_keys_lead_to() -> None:
    """A father and a mother may be of different generations, and one of them unknown."""
    rng = np.random.default_rng(9)
    above = [np.array([rng.integers(0, n) if n and rng.random() < 0.7 else -1 for n in range(ROWS)]) for _ in range(2)]
    other = Relation("t", ("other",), "t", ("own",))
    rows = case(own=np.arange(ROWS), above=above[0], other=above[1], at=days(rng.permutation(ROWS)))
    pointers = rows.pointers | {ITSELF.name: above[0], other.name: above[1]}
    rows = Case(Schema(rows.schema.tables, (*rows.schema.relations, ITSELF, other)), rows.rows, pointers)
    orders = [rule("order", columns=[{"column": "at", "through": one.name}, "at"]) for one in (ITSELF, other)]
    made = rows.kept(*orders)
    assert all(rows.broken(rows.rows, one)[1] > 50 and rows.broken(made, one)[1] == 0 for one in orders)
    assert sorted(made.column("at").to_pylist()) == sorted(rows.rows.column("at").to_pylist())


def test_rows_sorted_by_a_column_stay_unique_with_another_and_go_by_it() -> None:
    rng = np.random.default_rng(11)
    pointer = np.sort(rng.integers(0, 20, ROWS))
    rows = pa.table({"k": pointer, "a": rng.integers(0, 12, ROWS), "day": days(rng.integers(0, 9, ROWS))})
    child = TableSchema("t", tuple(Column(name, "numerical") for name in rows.column_names), ())
    schema = Schema((TableSchema("p", (Column("id", "id"),), ("id",)), child), (RELATION,))
    made = Case(schema, rows, {RELATION.name: pointer})
    unique = rule("unique", columns=["a", "day"], relation=RELATION.name)
    rising = rule("rising", relation=RELATION.name, column="a")
    assert made.broken(rows, unique)[1] > 30 and made.broken(rows, rising)[1] > 100
    kept = keep_families(
        child, rows, [unique, rising], made.pointers, frozenset({"k"}), np.random.default_rng(0), moves_rows=True
    )
    assert made.broken(kept, unique)[1] == made.broken(kept, rising)[1] == 0


@pytest.mark.parametrize("falling", [False, True])
def test_a_strict_rise_has_no_equal_numbers(falling: bool) -> None:
    rows = case(a=pa.array(some(3, 6) * 1.5 + 0.00001), by=some(4, 10**6))
    one = rule("rising", relation=RELATION.name, column="a", by="by", strict=True, falling=falling)
    made = rows.kept(one)
    assert rows.broken(rows.rows, one)[1] > 200 and rows.broken(made, one)[1] == 0
    assert np.abs(np.sort(made["a"].to_numpy()) - np.sort(rows.rows["a"].to_numpy())).max() <= 7.5


def test_what_is_equally_far_apart_ends_within_the_values_where_it_can() -> None:
    pointer = np.repeat(np.arange(100), 5)
    drawn = np.random.default_rng(5).integers(0, 5, ROWS)
    rows = Case(case().schema, pa.table({"k": pointer, "day": days(drawn * 7)}), {RELATION.name: pointer})
    child = TableSchema("t", (Column("k", "id"), Column("day", "datetime")), ())
    rows = Case(Schema((rows.schema.table("p"), child), (RELATION,)), rows.rows, rows.pointers)
    one = rule("equal_gap", relation=RELATION.name, column="day", gap=7 * 86_400.0, is_time=True)
    assert set(rows.kept(one)["day"].to_pylist()) == set(rows.rows["day"].to_pylist())
    stays = keep_families(
        child, rows.rows, [one], rows.pointers, frozenset({"k"}), np.random.default_rng(0),
        anchored=frozenset({"day"}),
    )  # fmt: skip
    assert max(stays["day"].to_pylist()) > max(rows.rows["day"].to_pylist())


def test_a_ring_keeps_its_values_and_rows_without_a_value_tie_nothing() -> None:
    value = np.array([5.0, 1.0, np.nan, 3.0, 2.0])
    assert in_order(value, [(np.array([0, 1, 2]), np.array([1, 0, 3]))]).tolist() == [0, 1, 2, 3, 4]
    assert in_order(value, [(np.array([0, 1, 0, 4]), np.array([1, 0, 3, 3]))])[[0, 1, 2]].tolist() == [0, 1, 2]


def test_levels_of_a_tree_are_one_more_than_above() -> None:
    rows = case(own=np.arange(ROWS), above=some(1, 9), level=some(2, 7))
    pointer = np.array([-1 if n < 5 else int(np.random.default_rng(n).integers(0, n)) for n in range(ROWS)])
    pointer[400:403] = [401, 402, 400]  # a ring
    rows.pointers[ITSELF.name] = pointer
    one = rule("sum", result="level", terms=[{"column": "level", "through": ITSELF.name}], constant=1)
    learnt = learn_row_rules("t", [one], None, np.zeros(0), 5, attributes=["level"], public=[], itself=[ITSELF.name])  # type: ignore[arg-type]
    assert learnt.families == (one,) and not learnt.rules
    assert not learnt.problems([Operand("level")], [ITSELF.name])
    level = rows.kept(one)["level"].to_numpy()
    below = (pointer >= 0) & (np.arange(ROWS) < 400)
    assert (level[below] == level[pointer[below]] + 1).all()
    assert level[:5].tolist() == rows.rows["level"].to_numpy()[:5].tolist()
    after = rule("sum", result="starts", terms=[{"column": "ends", "through": ITSELF.name}], constant=2)
    tail = case(own=np.arange(ROWS), above=some(1, 9), starts=some(3, 50), ends=some(4, 50))
    tail.pointers[ITSELF.name] = pointer
    starts, ends = (tail.kept(after)[one].to_numpy() for one in ("starts", "ends"))
    assert (starts[below] == ends[pointer[below]] + 2).all() and tail.kept(after)["ends"] == tail.rows["ends"]


def test_what_goes_down_a_tree_is_that_of_its_top() -> None:
    kind = pa.array(np.array(["asset", "income", None])[some(5, 3)])
    rows = case(own=np.arange(ROWS), above=some(1, 9), kind=kind)
    pointer = np.array(
        [-1 if n > ROWS - 9 else n + 1 + int(np.random.default_rng(n).integers(0, 7)) for n in range(ROWS)]
    )
    pointer[400:403] = [401, 402, 400]  # a ring
    rows.pointers[ITSELF.name] = pointer
    one = rule("same", left={"column": "kind", "through": ITSELF.name}, right="kind")
    learnt = learn_row_rules("t", [one], None, np.zeros(0), 5, attributes=["kind"], public=[], itself=[ITSELF.name])  # type: ignore[arg-type]
    assert learnt.families == (one,) and not learnt.rules and not learnt.problems([Operand("kind")], [ITSELF.name])
    made = rows.kept(one)["kind"].to_pylist()
    below = [n for n in range(403, ROWS) if pointer[n] >= 0]
    assert len(below) > 50 and all(made[n] == made[pointer[n]] for n in below) and len(set(made)) == 3
    assert made[-8:] == kind.to_pylist()[-8:] and made[400:403] == kind.to_pylist()[400:403]


def test_what_a_rule_computes_changes_last_where_rows_are_unique() -> None:
    rows = pa.table({"year": [2001] * 4 + [2002] * 4, "round": [1, 1, 2, 3, 1, 2, 2, 2]})
    schema = TableSchema("t", (Column("year", "numerical"), Column("round", "numerical")), ())
    one = rule("unique", columns=["year", "round"])
    made = keep_families(schema, rows, [one], {}, frozenset(), np.random.default_rng(0), avoided=frozenset({"year"}))
    assert made["year"] == rows["year"]
    assert len(set(zip(made["year"].to_pylist(), made["round"].to_pylist(), strict=True))) == 8


def test_rows_of_one_value_are_numbered_in_order() -> None:
    rng = np.random.default_rng(1)
    names = ("season", "round", "day")
    schema = TableSchema("t", tuple(Column(name, "numerical") for name in names), ())
    rows = pa.table({name: rng.integers(0, 30, ROWS) for name in names})
    one = rule("placed", column="round", within=["season"], by="day")
    made = keep_families(schema, rows, [one], {}, frozenset(), rng)
    read = RuleTables(Database(Schema((schema,)), {"t": Table(schema, made)}), {})
    assert one.check(read).counts == (ROWS, 0) and made["season"] == rows["season"] and made["day"] == rows["day"]
    assert RowRules("t", families=(one,)).problems(map(Operand, names)) == []


def test_what_fixes_a_value_that_repeats_goes_with_it() -> None:
    """A dose is unique within a stay and fixed by its drug, which says the route too; the ward stays."""
    rng = np.random.default_rng(7)
    drug = rng.integers(0, 40, ROWS)
    made = case(drug=drug, dose=drug * 5 + 1, route=drug % 3, ward=some(8, 9))
    once = rule("unique", columns=["dose"], relation=RELATION.name)
    fixed = [rule("fixed", determinant=["drug"], dependent=one) for one in ("dose", "route")]
    assert made.broken(made.rows, once)[1] > 20
    for stays, broken in ((frozenset({"k"}), 0), (frozenset({"k", "route"}), 1)):
        rows = keep_families(
            made.schema.table("t"), made.rows, [once], made.pointers, stays, np.random.default_rng(0), of_rows=fixed
        )
        assert made.broken(rows, once)[1] == 0 and rows["ward"] == made.rows["ward"]
        assert all((made.broken(rows, one)[1] > 0) == broken for one in fixed[:1])
        assert (rows["route"] == made.rows["route"]) == bool(broken)
