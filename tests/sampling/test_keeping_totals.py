"""What rows of a parent add up to, kept in hand-made ones: totals of parents, of tables, and told beforehand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from family_rows import PARENTS, RELATION, ROWS, FewRules, case, rule, some

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.keeping.family_keeping import keep_families
from tabgraphsyn.generation.keeping.family_totals import HeldTables
from tabgraphsyn.generation.keeping.known_totals import ToldTotals, added_up


@pytest.mark.parametrize("how", ["sum", "min", "max", "mean"])
def test_a_parent_says_what_its_rows_add_up_to(how: str) -> None:
    rng, pointer = np.random.default_rng(0), np.random.default_rng(1).integers(-1, PARENTS - 5, ROWS)
    amount = np.round(rng.gamma(2, 20, ROWS), 2)
    names = ("id", "total", "lines")
    parents = pa.table(
        {"id": np.arange(PARENTS), "total": np.round(rng.gamma(2, 90, PARENTS), 2), "lines": some(3, 9)[:PARENTS]}
    )
    schema = Schema(
        (TableSchema("p", tuple(Column(name, "numerical") for name in names), ("id",)),
         TableSchema("t", (Column("k", "id"), Column("amount", "numerical")), ())),
        (RELATION,),
    )  # fmt: skip
    total = rule("parent_total", "p", column="total", relation=RELATION.name, of="amount", how=how, tolerance=0.006)
    count = rule("parent_total", "p", column="lines", relation=RELATION.name, how="count")
    known = RowRules("p", families=(total, count))
    assert known.problems([Operand(name) for name in names], [], [RELATION.name]) == []
    assert known.problems([Operand(name) for name in names], [RELATION.name])
    pointers = {RELATION.name: pointer}
    counted = keep_families(schema.table("p"), parents, known.families, pointers, frozenset({"id"}), rng)
    held = HeldTables(FewRules(schema, {"p": known}), {"p": counted}, {"t": {"amount": pa.array(amount)}})  # type: ignore[arg-type]
    assert held.asked(["p", "t"]) == {"t": {"amount"}}
    made = held.finished("p", pointers, lambda _, rows, stay: rows if stay == {"total"} else rows.slice(0, 0))
    children = pa.table({"k": pa.array(pointer, mask=pointer < 0), "amount": amount})
    read = RuleTables(
        Database(schema, {"p": Table(schema.table("p"), made), "t": Table(schema.table("t"), children)}), pointers
    )
    for one in (total, count):
        asked, broken = one.check(read).counts
        assert asked >= PARENTS - 10 and broken == 0, one.statement()
    assert not held.waiting


@pytest.mark.parametrize(
    ("values", "total"),
    [
        (np.round(np.random.default_rng(7).normal(0, 1, ROWS), 3), 0.0),  # charges
        (np.round(np.random.default_rng(8).uniform(0, 60, ROWS), 1), 100.0),  # shares
        (np.random.default_rng(9).integers(0, 40, ROWS), 37.0),
        (np.random.default_rng(10).normal(0, 1, ROWS), 2.5),  # without an end to the decimals
    ],
)
def test_rows_of_a_parent_add_up_to_one_number(values: np.ndarray, total: float) -> None:
    one = rule("family_total", column="a", relation=RELATION.name, total=total, tolerance=1e-5)
    rows = case(a=pa.array(values, mask=some(6, 12) == 0))
    made = rows.kept(one)
    asked, broken = rows.broken(rows.rows, one)
    assert broken > asked / 2 and rows.broken(made, one) == (asked, 0)
    assert made["a"].null_count == rows.rows["a"].null_count
    assert made["a"].type == rows.rows["a"].type
    alone = rows.pointers[RELATION.name] < 0
    assert made.filter(pa.array(alone)).equals(rows.rows.filter(pa.array(alone)))


@pytest.mark.parametrize("counted", [False, True])
def test_two_tables_add_up_to_one_column_of_their_parent(counted: bool) -> None:
    rng = np.random.default_rng(2)
    links = [Relation(name, ("k",), "p", ("id",)) for name in ("first", "second")]
    tables = [TableSchema("p", (Column("id", "id"), Column("round", "numerical")), ("id",))]
    tables += [TableSchema(one, (Column("k", "id"), Column("wins", "numerical")), ()) for one in ("first", "second")]
    schema = Schema(tuple(tables), tuple(links))
    how = {"how": "count"} if counted else {"of": "wins"}
    totals = (rule("parent_total", "p", column="round", relation=links[0].name, **how),
              rule("parent_total", "p", column="round", relation=links[1].name, of="wins"))  # fmt: skip
    pointers = {one.name: rng.integers(0, PARENTS, size) for one, size in zip(links, (ROWS, 2 * ROWS), strict=True)}
    wins = {one.child_table: rng.integers(0, 6, len(pointers[one.name])) for one in links}
    prepared = FewRules(schema, {"p": RowRules("p", families=totals)})
    held = ToldTotals(prepared)  # type: ignore[arg-type]
    values = {"p": {}, "first": {"wins": pa.array(wins["first"])}}
    told = held.told("second", values, pointers, {"p": PARENTS})
    assert [one for one, _ in told] == [totals[1]] and not held.told("first", values, pointers, {"p": PARENTS})
    points = rng.integers(3, 9, 2 * ROWS)
    rows = pa.table({"k": pointers[links[1].name], "wins": wins["second"], "points": points})
    wide = TableSchema("second", (*tables[2].columns, Column("points", "numerical")), ())
    order = rule("order", "second", columns=["wins", "points"])
    made = added_up(wide, rows, totals[1], pointers[links[1].name], told[0][1], [order])
    assert (made["wins"].to_numpy() <= points).all()
    first = pointers[links[0].name]
    wanted = np.bincount(first, weights=None if counted else wins["first"], minlength=PARENTS)
    found = np.bincount(pointers[links[1].name], weights=made["wins"].to_numpy(), minlength=PARENTS)
    has = np.bincount(pointers[links[1].name], minlength=PARENTS) > 0
    room = np.bincount(pointers[links[1].name], weights=np.minimum(points, 5), minlength=PARENTS) >= wanted
    assert (found == wanted)[has & room].all() and made["k"] == rows["k"]
    assert made["wins"].to_numpy().min() >= 0


def test_rows_add_up_to_a_column_that_goes_by_other_rows_of_its_table() -> None:
    rng = np.random.default_rng(2)
    links = (RELATION,)
    races = TableSchema("p", tuple(Column(name, "numerical") for name in ("id", "year", "round")), ("id",))
    schema = Schema((races, TableSchema("t", (Column("k", "id"), Column("wins", "numerical")), ())), links)
    total = rule("parent_total", "p", column="round", relation=RELATION.name, of="wins")
    apart = rule("unique", "p", columns=["year", "round"])
    more = rule("sum", result="wins", terms=["a", "b"])
    pointers = {RELATION.name: rng.integers(0, PARENTS, ROWS)}
    for families, of_rows, stays in (
        ((total, apart), (), True),
        ((total,), (), False),
        ((total, apart), (more,), False),
    ):
        known = {"p": RowRules("p", families=families), "t": RowRules("t", of_rows)}
        held = HeldTables(FewRules(schema, known))  # type: ignore[arg-type]
        assert held.asked(["p", "t"]) == ({"p": {"round"}} if stays else {"t": {"wins"}})
        assert held.rules("p") == ([] if stays else [total])
        if stays:
            rounds = pa.array(rng.integers(1, 9, PARENTS))
            ((one, wanted),) = ToldTotals(held.prepared).told("t", {"p": {"round": rounds}}, pointers, {"p": PARENTS})
            assert one == total and wanted.tolist() == rounds.to_pylist()
