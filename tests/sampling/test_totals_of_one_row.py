"""A parent's column that sums say, and one of its rows too: the row goes by it, and nothing is left what is between."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from family_rows import FewRules, rule

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.keeping.family_totals import HeldTables
from tabgraphsyn.generation.keeping.rule_keeping import RuleKeeper

BILLS = 80
LINES, PAID = Relation("line", ("bill",), "bill", ("id",)), Relation("paid", ("bill",), "bill", ("id",))


def table(name: str, columns: str) -> TableSchema:
    return TableSchema(
        name, tuple(Column(one, "id" if one in ("id", "bill") else "numerical") for one in columns.split()), ()
    )


SCHEMA = Schema(
    (table("bill", "id goods fee total"), table("line", "bill cost"), table("paid", "bill sum")), (LINES, PAID)
)
GOODS = rule("parent_total", "bill", column="goods", relation=LINES.name, of="cost", tolerance=0.006)
ADDS = rule("sum", "bill", result="total", terms=["goods", "fee"])


@pytest.mark.parametrize("how", ["max", "min", "first", "last"])
def test_the_row_goes_by_its_parent(how: str) -> None:
    rng = np.random.default_rng(1)
    line, paid = rng.integers(0, BILLS, 300), np.repeat(np.arange(BILLS), 3)
    cost, fee = np.round(rng.gamma(2, 10, 300), 2), rng.choice([0.0, 4.5], BILLS)
    drawn = np.round(rng.gamma(2, 10, BILLS), 2)
    bills = pa.table({"id": np.arange(BILLS), "goods": drawn, "fee": fee, "total": drawn + fee})
    sums = pa.table({"bill": paid, "sum": np.round(rng.gamma(2, 20, len(paid)), 2)})
    said = rule("parent_total", "bill", column="total", relation=PAID.name, of="sum", how=how)
    own = RowRules("bill", rules=(ADDS,), families=(GOODS, said))
    held = HeldTables(FewRules(SCHEMA, {"bill": own}), {"bill": bills, "paid": sums})  # type: ignore[arg-type]
    assert held.rules("bill") == [GOODS] and held.following("paid") == [said] and not held.following("line")
    assert held.asked(["bill", "line", "paid"]) == {"line": {"cost"}, "bill": {"total"}}
    held.values = {"line": {"cost": pa.array(cost)}, "bill": {"total": bills["total"].combine_chunks()}}

    def ruled(name: str, rows: pa.Table, stay: frozenset[str]) -> pa.Table:
        keeper = RuleKeeper(SCHEMA.table(name), RowRules(name, rules=(ADDS,) if name == "bill" else ()), stay, (), rng)
        return pa.concat_tables(keeper.kept(iter([rows])))

    pointers = {LINES.name: line, PAID.name: paid}
    made, rows = held.finished("bill", pointers, ruled), held.followed("paid", pointers, ruled)
    goods = np.bincount(line, weights=cost, minlength=BILLS)
    assert np.allclose(made["goods"], goods) and np.allclose(made["total"], goods + fee)
    assert made["fee"].to_pylist() == fee.tolist(), "what is neither is as it was drawn"
    each = np.asarray(rows["sum"]).reshape(BILLS, 3)
    found = {"max": each.max(1), "min": each.min(1), "first": each[:, 0], "last": each[:, 2]}[how]
    assert np.allclose(found, made["total"])


def test_what_rows_have_copied_stays_as_it_is() -> None:
    least = rule("parent_total", "bill", column="fee", relation=LINES.name, of="cost", how="min")
    copied = rule("same", "line", left="cost", right={"column": "fee", "through": LINES.name})
    rules = {"bill": RowRules("bill", families=(least,)), "line": RowRules("line", rules=(copied,))}
    held = HeldTables(FewRules(SCHEMA, rules))  # type: ignore[arg-type]
    assert held.rules("bill") == [] and held.following("line") == [least]
    alone = HeldTables(FewRules(SCHEMA, {"bill": rules["bill"]}))  # type: ignore[arg-type]
    assert alone.rules("bill") == [least] and alone.following("line") == []
