"""Rules among the rows of a parent kept in rows that break them: numbered, spaced, rising, one value a parent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.rules.kept import RowRules, fixing_keys, learn_row_rules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.keeping.family_keeping import keep_families
from tests.sampling.keeping_rows import ROWS, days, rule, whole, with_nulls


def test_the_rows_of_a_parent_are_numbered_spaced_and_rise() -> None:
    rng = np.random.default_rng(4)
    names, relation = ("k", "number", "at", "dose"), Relation("t", ("k",), "p", ("k",))
    child = TableSchema("t", tuple(Column(name, "numerical") for name in names), ())
    schema = Schema((TableSchema("p", (Column("k", "id"),), ("k",)), child), (relation,))
    pointer = rng.integers(-1, 60, ROWS)
    rows = pa.table({
        "k": pa.array(pointer, mask=pointer < 0), "number": pa.array(whole(rng, 9)), "at": days(whole(rng, 300)),
        "dose": with_nulls(whole(rng), rng, 0.1),
    })  # fmt: skip
    through = {"relation": relation.name}
    rules = [
        rule("rising", column="dose", by="at", **through),
        rule("rising", column="number", by="at", strict=True, **through),
        rule("numbered", column="number", **through),
        rule("equal_gap", column="at", gap=14 * 86_400.0, is_time=True, **through),
        rule("rising", column="at", strict=True, **through),
    ]
    made = keep_families(child, rows, rules, {relation.name: pointer}, frozenset({"k"}), np.random.default_rng(0))
    parents = Table(schema.table("p"), pa.table({"k": np.arange(60)}))
    read = RuleTables(Database(schema, {"t": Table(child, made), "p": parents}), {relation.name: pointer})
    for one in rules:
        applies, broken = one.check(read).counts
        assert applies > 100 and broken == 0, one.statement()
    assert made.schema == rows.schema and made["dose"].null_count == rows["dose"].null_count
    assert sorted(made["dose"].drop_null().to_pylist()) == sorted(rows["dose"].drop_null().to_pylist())
    orphans = pa.array(pointer < 0)
    assert made.filter(orphans) == rows.filter(orphans)
    kept = RowRules("t", families=tuple(rules))
    assert not kept.problems([Operand(name) for name in names], [relation.name]) and kept.problems([], [])


def test_what_rises_in_the_order_of_the_file_takes_its_whole_row_along() -> None:
    rng = np.random.default_rng(5)
    names, relation = ("k", "code", "sold"), Relation("t", ("k",), "p", ("k",))
    child = TableSchema("t", tuple(Column(name, "numerical") for name in names), ())
    pointer, code = rng.integers(-1, 60, ROWS), whole(rng, 9)
    sold = 10 * code + rng.random(ROWS)
    rows = pa.table({"k": pa.array(pointer, mask=pointer < 0), "code": code, "sold": sold})
    rules = [rule("rising", column="code", relation=relation.name)]
    pointers, stay = {relation.name: pointer}, frozenset({"k"})
    moved = keep_families(child, rows, rules, pointers, stay, rng, moves_rows=True)
    alone = keep_families(child, rows, rules, pointers, stay, rng)
    for made in (moved, alone):
        order = np.lexsort((np.arange(ROWS), pointer))
        same = (np.diff(pointer[order]) == 0) & (pointer[order][1:] >= 0)
        assert (np.diff(made["code"].to_numpy()[order])[same] >= 0).all() and made["k"] == rows["k"]
    assert (moved["sold"].to_numpy() // 10 == moved["code"].to_numpy()).all() and alone["sold"] == rows["sold"]
    assert moved.filter(pa.array(pointer < 0)) == rows.filter(pa.array(pointer < 0))


def test_what_a_key_to_a_parent_fixes_is_one_value_a_parent() -> None:
    rng = np.random.default_rng(6)
    relation = Relation("t", ("k",), "p", ("k",))
    child = TableSchema("t", (Column("k", "id"), Column("rate", "numerical"), Column("zone", "categorical")), ())
    schema = Schema((TableSchema("p", (Column("k", "id"),), ("k",)), child), (relation,))
    pointer = rng.integers(0, 60, ROWS)
    rate = rng.random(60)[pointer]
    rows = pa.table({"k": pointer, "rate": rate, "zone": (rate * 5).astype(int).astype(str)})
    parents = Table(schema.table("p"), pa.table({"k": np.arange(60)}))
    read = RuleTables(Database(schema, {"t": Table(child, rows), "p": parents}), {relation.name: pointer})
    found = [replace(rule("fixed", determinant=["k"], dependent=name), by_key=True) for name in ("rate", "zone")]
    habit = replace(found[0], strength=0.9)
    learnt = learn_row_rules(
        "t", [*found, habit], read, np.arange(ROWS), 1, attributes=["rate", "zone"], public=["rate", "zone"]
    )
    assert [one.follows for one in learnt.families] == [("rate",), ("zone",)] and not learnt.rules
    assert not learnt.problems([Operand("rate"), Operand("zone")], [relation.name])
    assert {fixing_keys(one, schema) for one in learnt.families} == {(relation.name,)}
    assert fixing_keys(replace(found[0], by_key=False), schema) == ()
    drawn = pa.table({"k": pointer, "rate": rng.random(ROWS), "zone": pa.array(rng.integers(0, 5, ROWS).astype(str))})
    fixing = dict.fromkeys(("rate", "zone"), (relation.name,))
    made = keep_families(child, drawn, learnt.families, {relation.name: pointer}, frozenset({"k"}), rng, fixing=fixing)
    whole_families = Table(child, made)
    for one in learnt.families:
        checked = one.check(RuleTables(Database(schema, {"t": whole_families, "p": parents}), {relation.name: pointer}))
        assert checked.counts[1] == 0 and checked.counts[0] > 100
    first = np.unique(pointer, return_index=True)[1]
    assert made.take(pa.array(first)) == drawn.take(pa.array(first))


def test_what_two_keys_fix_together_is_one_value_for_both() -> None:
    rng = np.random.default_rng(7)
    keys = [Relation("t", (name,), "p", ("k",)) for name in ("a", "b")]
    columns = (Column("a", "id"), Column("b", "id"), Column("way", "numerical"))
    schema = Schema((TableSchema("p", (Column("k", "id"),), ("k",)), TableSchema("t", columns, ())), tuple(keys))
    route = replace(rule("fixed", determinant=["b", "a"], dependent="way"), by_key=True)
    assert fixing_keys(route, schema) == tuple(one.name for one in keys)
    assert fixing_keys(replace(rule("fixed", determinant=["a", "way"], dependent="b"), by_key=True), schema) == ()
    pointers = {one.name: rng.integers(-1, 6, ROWS) for one in keys}
    drawn = pa.table({**{one.child_columns[0]: pointers[one.name] for one in keys}, "way": rng.random(ROWS)})
    fixing = {"way": fixing_keys(route, schema)}
    made = keep_families(schema.table("t"), drawn, [route], pointers, frozenset({"a", "b"}), rng, fixing=fixing)
    found: dict[tuple[int, int], set[float]] = {}
    for old, row in zip(drawn.to_pylist(), made.to_pylist(), strict=True):
        if min(row["a"], row["b"]) < 0:
            assert row == old
        else:
            found.setdefault((row["a"], row["b"]), set()).add(row["way"])
    assert len(found) == 36 and all(len(values) == 1 for values in found.values())
