"""Families that a parent's time begins or ends, columns that carry on, and what follows from a number: all kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from family_rows import FewRules

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.rules.family_kinds import ParentTotal
from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.data.rules.store import rule_from_dict
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.carried import Carried
from tabgraphsyn.generation.keeping.family_ends import ends, keep_ends, read_through, spaced
from tabgraphsyn.generation.keeping.family_keeping import from_numbers, keep_families
from tabgraphsyn.generation.keeping.rule_parents import as_own
from tabgraphsyn.generation.keeping.rule_rows import RuleRows
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.batch import EncodedBatch

ROWS, PARENTS = 400, 50
RELATION = Relation("t", ("k",), "p", ("id",))
WHOSE = np.random.default_rng(1).integers(0, PARENTS, ROWS)


def table(**columns: object) -> tuple[TableSchema, pa.Table]:
    rows = pa.table({"k": WHOSE, **columns})
    kinds = {pa.timestamp("us"): "datetime", pa.string(): "categorical"}
    return (
        TableSchema("t", tuple(Column(one.name, kinds.get(one.type, "numerical")) for one in rows.schema), ()),
        rows,
    )


def days(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers * 86_400_000_000).cast(pa.timestamp("us"))


def kept(schema: TableSchema, rows: pa.Table, *rules: object, of_rows: tuple = ()) -> pa.Table:
    rng = np.random.default_rng(0)
    return keep_families(schema, rows, rules, {RELATION.name: WHOSE}, frozenset({"k"}), rng, of_rows=of_rows)


def broken(rows: pa.Table, schema: TableSchema, rule: object) -> int:
    parents = TableSchema("p", (Column("id", "id"),), ("id",))
    whole = Schema((parents, schema), (RELATION,))
    tables = {"p": Table(parents, pa.table({"id": np.arange(PARENTS)})), "t": Table(schema, rows)}
    return rule.check(RuleTables(Database(whole, tables), {RELATION.name: WHOSE})).counts[1]


def test_a_family_begins_and_ends_when_its_parent_says() -> None:
    rng = np.random.default_rng(2)
    schema, rows = table(at=days(rng.integers(100, 900, ROWS)))
    rules = [
        ParentTotal(table="p", column=Operand(how), relation=RELATION.name, of="at", how=how) for how in ("min", "max")
    ]
    begin, end = rng.integers(0, 300, PARENTS), rng.integers(500, 999, PARENTS)
    above = {read_through(rule): days(value[WHOSE]) for rule, value in zip(rules, (begin, end), strict=True)}
    above[read_through(rules[1])] = pa.array(
        [
            None if one == 3 else value
            for one, value in zip(WHOSE, above[read_through(rules[1])].to_pylist(), strict=True)
        ],
        pa.timestamp("us"),
    )
    made = keep_ends(schema, rows, rules, above, {RELATION.name: WHOSE})
    at, old = (RuleRows(schema, one).numbers(Operand("at")) / 86_400 for one in (made, rows))
    for one in range(PARENTS):
        mine = np.flatnonzero(one == WHOSE)
        if len(mine) < 2:
            continue
        assert at[mine].min() == begin[one] and (at[mine] == np.rint(at[mine])).all()
        assert at[mine].max() == (end[one] if one != 3 else old[mine].max())
        assert (np.diff(at[mine][np.argsort(old[mine], kind="stable")]) >= 0).all()


@pytest.mark.parametrize("how", ["min", "max"])
def test_times_that_are_equally_far_apart_move_together(how: str) -> None:
    rng = np.random.default_rng(8)
    place = np.zeros(ROWS, dtype=int)
    for one in range(PARENTS):
        place[one == WHOSE] = np.arange((one == WHOSE).sum())
    schema, rows = table(at=days(rng.integers(100, 900, PARENTS)[WHOSE] + 30 * place))
    said = ParentTotal(table="p", column=Operand("start"), relation=RELATION.name, of="at", how=how)
    gap = rule_from_dict({"kind": "equal_gap", "table": "t", "relation": RELATION.name, "column": "at"}, "test")
    parents = TableSchema("p", (Column("id", "id"), Column("start", "datetime")), ("id",))
    both = Schema((parents, schema), (RELATION,))
    prepared = FewRules(both, {"p": RowRules("p", families=(said,)), "t": RowRules("t", families=(gap,))})
    assert ends(prepared, "t") == [said] and spaced(prepared, "t") == {"at": RELATION.name}  # type: ignore[arg-type]
    other = ParentTotal(
        table="p", column=Operand("start"), relation=RELATION.name, of="at", how={"min": "max", "max": "min"}[how]
    )
    twice = FewRules(both, {"p": RowRules("p", families=(said, other)), "t": RowRules("t", families=(gap,))})
    assert ends(twice, "t") == [], "a beginning and an end leave no room for a distance"  # type: ignore[arg-type]
    told = rng.integers(0, 300, PARENTS)
    made = keep_ends(schema, rows, [said], {read_through(said): days(told[WHOSE])}, {RELATION.name: WHOSE}, {"at"})
    at, old = (RuleRows(schema, one).numbers(Operand("at")) / 86_400 for one in (made, rows))
    for one in np.unique(WHOSE):
        mine = np.flatnonzero(one == WHOSE)
        assert (at[mine].min() if how == "min" else at[mine].max()) == told[one]
        assert (np.diff(at[mine]) == np.diff(old[mine])).all()


def test_a_balance_is_computed_along_each_family_in_the_order_of_the_file() -> None:
    rng = np.random.default_rng(3)
    way = rng.choice(["in", "out", ""], ROWS)
    amount = np.round(rng.gamma(2, 20, ROWS), 2)
    columns = {
        "amount": amount,
        "way": pa.array([one or None for one in way]),
        "left": np.round(rng.normal(0, 99, ROWS), 2),
    }
    schema, rows = table(**columns)
    for start in (None, 0.0, 25.5):
        rule = Running(
            table="t", relation=RELATION.name, column=Operand("left"), of=Operand("amount"), sign_by=Operand("way"),
            minus=("", "out"), start=start, tolerance=1e-4,
        )  # fmt: skip
        made = kept(schema, rows, rule)
        assert broken(rows, schema, rule) > 200 and broken(made, schema, rule) == 0
        first = np.flatnonzero(WHOSE == 7)[0]
        signed = amount[first] * (1 if way[first] == "in" else -1)
        begun = made.column("left")[int(first)].as_py()
        assert begun == (rows.column("left")[int(first)].as_py() if start is None else round(start + signed, 2))


def test_rows_that_carry_on_stay_where_they_are_while_their_times_rise() -> None:
    rng = np.random.default_rng(6)
    schema, rows = table(at=days(rng.integers(0, 900, ROWS)), n=rng.integers(1, 9, ROWS), left=np.zeros(ROWS))
    carries = Running(table="t", relation=RELATION.name, column=Operand("left"), of=Operand("n"), start=0.0)
    rises = rule_from_dict({"kind": "rising", "table": "t", "relation": RELATION.name, "column": "at"}, "test")
    made = keep_families(schema, rows, [rises, carries], {RELATION.name: WHOSE}, frozenset({"k"}), rng, moves_rows=True)
    assert made.column("n") == rows.column("n")
    assert broken(made, schema, rises) == broken(made, schema, carries) == 0


def test_a_drawn_row_carries_on_what_the_one_before_came_to() -> None:
    rng = np.random.default_rng(4)
    schema, rows = table(amount=np.round(rng.gamma(2, 20, ROWS), 2), left=np.round(rng.normal(500, 99, ROWS), 2))
    codec = TableCodec.fit(Table(schema, rows), np.ones(ROWS, bool), ["amount", "left"], CodecConfig(min_entities=1))
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    rule = Running(table="t", relation=RELATION.name, column=Operand("left"), of=Operand("amount"))
    carried = Carried.of(rule, codec, units)
    assert carried is not None and len(carried.units) < len(units.all)
    assert carried.drawn(0) is None and carried.drawn(1) == carried.units
    encoded = codec.encode(rows)
    drawn = EncodedBatch(
        torch.from_numpy(encoded.numerical.mean(axis=2)).float(), torch.from_numpy(encoded.categorical).long()
    )
    before = rng.normal(500, 50, ROWS)
    value = carried.come_to(drawn, before)
    assert np.abs(value - before - rows.column("amount").to_numpy()).max() < 0.5
    made = carried.filled(drawn, value)
    again = codec.decode(made.numerical.numpy(), made.categorical.numpy(), rng).column("left").to_numpy()
    inside = carried.beyond(value) == 0
    off = np.abs(again - value)[inside]
    # The codec holds a value by its place among those of the training rows.
    assert inside.mean() > 0.8 and np.median(off) < 2 and off.max() < 30


@pytest.mark.parametrize(
    "equal",
    [
        {"kind": "same", "table": "t", "left": "order", "right": "place"},
        {"kind": "sum", "table": "t", "result": "order", "terms": ["place"]},
    ],
    ids=["same", "a sum of one"],
)
def test_what_follows_from_a_place_is_left_to_the_rules_of_rows(equal: dict[str, object]) -> None:
    rng = np.random.default_rng(5)
    drawn = rng.permutation(ROWS) + 1
    schema, rows = table(
        order=drawn, place=pa.array(drawn, mask=rng.random(ROWS) < 0.3), points=rng.integers(0, 9, ROWS)
    )
    numbered = rule_from_dict({"kind": "numbered", "table": "t", "relation": RELATION.name, "column": "order"}, "test")
    apart = rule_from_dict(
        {"kind": "equal_gap", "table": "t", "relation": RELATION.name, "column": "place", "gap": 1.0}, "test"
    )
    falls = rule_from_dict(
        {"kind": "rising", "table": "t", "relation": RELATION.name, "column": "points", "by": "order", "falling": True},
        "test",
    )
    of_rows = (
        rule_from_dict(equal, "test"),
        rule_from_dict({"kind": "fixed", "table": "t", "determinant": ["place"], "dependent": "points"}, "test"),
    )
    assert from_numbers([numbered, apart, falls], of_rows) == {"place", "points"}
    made = kept(schema, rows, numbered, apart, falls, of_rows=of_rows)
    assert made.column("points") == rows.column("points") and broken(made, schema, numbered) == 0
    # Rows without a place are numbered last: the places that equal the numbers have no gap.
    order, has = made.column("order").to_numpy(), made.column("place").is_valid().to_numpy()
    for one in range(PARENTS):
        mine = one == WHOSE
        assert order[mine & has].max(initial=0) == (mine & has).sum()


def test_a_date_so_many_days_after_the_parents_rises_with_the_days() -> None:
    """Sorted by themselves, dates and days of a study would part; a date that rises alone is sorted."""
    of = {"kind": "rising", "table": "t", "relation": RELATION.name, "by": "order"}
    first = {"column": "started", "through": RELATION.name}
    days = {"operand": "day", "factor": 86_400.0}
    date, day = (rule_from_dict({**of, "column": one}, "test") for one in ("date", "day"))
    said = {"kind": "sum", "table": "t", "result": "date", "constant": -86_400.0, "is_time": True}
    after = rule_from_dict({**said, "terms": [first, days]}, "test")
    assert from_numbers([date, day], [after]) == {"date"} == from_numbers([date, day], [as_own(after)])
    assert from_numbers([date], [after]) == frozenset() == from_numbers([day], [after])
    backwards = rule_from_dict({**said, "terms": [first, {**days, "factor": -86_400.0}]}, "test")
    elsewhere = rule_from_dict({**said, "terms": [{**first, "through": "u.other--p"}, days]}, "test")
    falls = rule_from_dict({**of, "column": "day", "falling": True}, "test")
    for families, rule in (((date, day), backwards), ((date, day), elsewhere), ((date, falls), after)):
        assert from_numbers(families, [rule]) == frozenset()


def test_what_a_date_says_goes_by_the_date_not_by_what_it_adds_up_to() -> None:
    rng = np.random.default_rng(8)
    day = rng.integers(0, 40, ROWS)
    schema, rows = table(day=day, weekday=day % 7, week=day // 7)
    of = {"table": "t", "relation": RELATION.name}
    families = [
        rule_from_dict({"kind": "equal_gap", "column": "day", "gap": 1.0, **of}, "test"),
        rule_from_dict({"kind": "family_total", "column": "weekday", "total": 40.0, "tolerance": 0.01, **of}, "test"),
        rule_from_dict({"kind": "rising", "column": "week", **of}, "test"),
    ]
    told = [
        rule_from_dict({"kind": "fixed", "table": "t", "determinant": ["day"], "dependent": one}, "test")
        for one in ("weekday", "week")
    ]
    assert from_numbers(families, told) == {"weekday", "week"}
    made = kept(schema, rows, *families, of_rows=told)
    assert made.column("day") != rows.column("day") and broken(made, schema, families[0]) == 0
    assert made.column("weekday") == rows.column("weekday") and made.column("week") == rows.column("week")
