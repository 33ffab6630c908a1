"""Columns that go on from where the row before stood: put there afterwards, and known before a row is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from family_rows import PARENTS, RELATION, ROWS, case, rule, some

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.generation.continuing import Continuing, Ending
from tabgraphsyn.generation.keeping.family_keeping import keep_families
from tabgraphsyn.generation.keeping.rule_repairs import compute
from tabgraphsyn.generation.keeping.rule_rows import RuleRows
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.batch import EncodedBatch

WORDS = np.array(["new", "held", "sent", "back"])


def follows(**values: Any) -> Continued:
    found = rule("continued", relation=RELATION.name, **values)
    assert isinstance(found, Continued)
    return found


def days(numbers: np.ndarray) -> pa.Array:
    return pa.array(numbers.astype(np.int64) * 86_400_000_000).cast(pa.timestamp("us"))


def test_a_history_begins_with_nothing_and_goes_on_from_what_was() -> None:
    one = follows(column="was", of="now", opens_empty=True)
    rows = case(was=pa.array(WORDS[some(1, 4)]), now=pa.array(WORDS[some(2, 4)]))
    made = rows.kept(one)
    assert rows.broken(rows.rows, one)[1] > 200 and rows.broken(made, one)[1] == 0
    assert made["now"] == rows.rows["now"]
    assert made["was"].null_count == len(set(rows.pointers[RELATION.name]) - {-1})


PERIODS: list[list[Rule]] = [
    [rule("sum", result="last", terms=["first", {"operand": "nights", "factor": 86_400}])],
    [rule("shift", result="last", of="first", months=1)],
    [rule("order", columns=["first", "last"])],
    [],
]


@pytest.mark.parametrize("of_rows", PERIODS, ids=["so many nights", "a month", "an order", "apart"])
@pytest.mark.parametrize("by", [{}, {"by": "turn"}], ids=["file", "turn"])
def test_periods_stand_end_to_end_and_ends_move_with_their_beginnings(of_rows: list[Rule], by: dict[str, str]) -> None:
    first, nights = some(3, 3000), some(4, 20)
    rows = case(
        turn=np.random.default_rng(9).permutation(ROWS), first=days(first), last=days(first + nights), nights=nights
    )
    one, schema = follows(column="first", of="last", **by), rows.schema.table("t")
    drawn = RuleRows(schema, rows.rows)
    for each in (each for each in of_rows if each.kind == "shift"):
        compute(each, "last", drawn)
    rng = np.random.default_rng(0)
    made = keep_families(schema, drawn.table, [one], rows.pointers, frozenset({"k"}), rng, of_rows=of_rows)
    assert rows.broken(made, one) == (ROWS - (rows.pointers[RELATION.name] < 0).sum() - PARENTS, 0)
    assert all(rows.broken(made, each)[1] == 0 for each in of_rows)
    length = (made["last"].to_numpy() - made["first"].to_numpy()) / np.timedelta64(1, "D")
    if of_rows and of_rows[0].kind != "shift":
        assert (length == nights).all(), "a period is as long as it was drawn"


@pytest.mark.parametrize("of_rows", [[], [rule("order", columns=["first", "last"])]], ids=["apart", "an order"])
def test_a_period_without_an_end_ends_where_the_next_one_begins(of_rows: list[Rule]) -> None:
    first, nights = some(3, 3000), some(4, 20)
    is_open = some(6, 4) == 0
    last = pa.array(days(first + nights).to_pylist(), pa.timestamp("us"), mask=is_open)
    rows = case(turn=np.random.default_rng(9).permutation(ROWS), first=days(first), last=last)
    one = follows(column="first", of="last", by="turn")
    made = keep_families(
        rows.schema.table("t"), rows.rows, [one], rows.pointers, frozenset({"k"}), np.random.default_rng(0),
        of_rows=of_rows,
    )  # fmt: skip
    assert made["first"].null_count == 0 and rows.broken(made, one)[1] == 0
    assert 0 < made["last"].null_count < is_open.sum(), "a last one stays open"
    stays = keep_families(
        rows.schema.table("t"), rows.rows, [one], rows.pointers, frozenset({"k", "last"}), np.random.default_rng(0),
        of_rows=of_rows,
    )  # fmt: skip
    assert stays["last"] == rows.rows["last"]


def test_what_a_row_goes_on_from_stands_before_it_is_drawn() -> None:
    rng = np.random.default_rng(1)
    now = WORDS[rng.integers(0, 4, ROWS)]
    was = pa.array([None, *now[:-1]], mask=(np.arange(ROWS) % 5 == 0) | np.append(False, now[:-1] == "back"))
    rows = pa.table({"was": was, "now": now, "x": rng.normal(size=ROWS)})
    schema = TableSchema("t", (*(Column(name, "categorical") for name in ("was", "now")), Column("x", "numerical")), ())
    codec = TableCodec.fit(Table(schema, rows), np.ones(ROWS, bool), ["was", "now", "x"], CodecConfig(min_entities=1))
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    one = Continuing.of([follows(column="was", of="now", opens_empty=True)], RELATION.name, codec, units)
    assert one is not None and one.columns == {"was"}
    assert Continuing.of([follows(column="was", of="now")], "another key", codec, units) is None
    drawn = codec.encode(rows)
    last = EncodedBatch(
        torch.from_numpy(drawn.numerical.mean(axis=2)).float(), torch.from_numpy(drawn.categorical).long()
    )
    assert (one.ends(last) == (now == "back")).all(), "no row begins with it"
    for before, wanted in ((None, [None] * 300), (last, [None if word == "back" else word for word in now[:300]])):
        stands, which = one.standing(before, 0, np.arange(300), "cpu", None)
        made = codec.decode(stands.numerical.numpy(), stands.categorical.numpy(), rng).column("was").to_pylist()
        has = which.any(1).numpy()
        assert has.tolist() == [before is None or word is not None for word in wanted]
        assert [word for word, said in zip(made, has, strict=True) if said] == [
            word for word, said in zip(wanted, has, strict=True) if said
        ]
        assert which.sum(1).max() == 1, "only the column itself stands"


def test_what_a_family_ends_with_stands_in_its_last_row_and_not_in_the_one_before() -> None:
    rng = np.random.default_rng(4)
    now, was = WORDS[rng.integers(0, 4, ROWS)], WORDS[rng.integers(0, 4, ROWS)]
    rows = pa.table({"was": was, "now": now})
    schema = TableSchema("t", tuple(Column(name, "categorical") for name in rows.column_names), ())
    codec = TableCodec.fit(Table(schema, rows), np.ones(ROWS, bool), rows.column_names, CodecConfig(min_entities=1))
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    is_last, told = np.arange(ROWS) % 4 == 3, WORDS[rng.integers(0, 4, ROWS)].astype(object)
    told[:8] = None
    told[11] = "never seen"
    ends = Ending("now", pa.array(told), is_last)
    goes_on = [follows(column="was", of="now")]
    one = Continuing.of(goes_on, RELATION.name, codec, units, [ends])
    assert one is not None and one.columns == {"was"}, "other rows' may be anything"
    both = Continuing.of(goes_on, RELATION.name, codec, units, [ends, Ending("was", ends.values, is_last)])
    assert both is not None and both.columns == {"was"}, "what goes on stands in every row, whatever it ends with"
    numbers = rng.permutation(ROWS)[:200]
    numbers[:3] = [3, 11, 15]
    stands, which = one.standing(None, 0, numbers, "cpu", None)
    made = codec.decode(stands.numerical.numpy(), stands.categorical.numpy(), rng).column("now").to_pylist()
    has = which.any(1).numpy()
    open_ = ~is_last[numbers] | np.isin(numbers, [3, 7, 11])
    assert (has == ~open_).all() and has[2] and not has[:2].any()
    assert [made[place] for place in np.flatnonzero(has)] == told[numbers[has]].tolist()
    before = np.where(np.arange(ROWS) % 4 == 0, -1, np.arange(ROWS) - 1)
    assert one.avoided(before) == {}, "a row may keep its status"
    differing = Continuing.of(goes_on, RELATION.name, codec, units, [ends], [rule("differ", left="was", right="now")])
    assert differing is not None
    last = codec.encode(rows.take(before[numbers].clip(0)))
    rows_before = EncodedBatch(
        torch.from_numpy(last.numerical.mean(axis=2)).float(), torch.from_numpy(last.categorical).long()
    )
    stands, which = differing.standing(rows_before, 1, numbers, "cpu", None)
    place = [one.field for one in units.all].index(codec.places["now"][1].start)
    stays = now[before[numbers].clip(0)] == told[numbers]
    assert (which[:, place].numpy() == has & ~stays).all() and (has & stays).any()
    (avoided,) = differing.avoided(before).values()
    wanted = [told[row + 1] if row % 4 == 2 else None for row in range(ROWS)]
    assert avoided.to_pylist() == wanted, "it cannot end with what it leaves"


def test_rows_that_go_on_by_their_number_are_numbered_as_they_are_drawn() -> None:
    rng = np.random.default_rng(2)
    rows = pa.table({"nr": np.arange(ROWS) % 7 + 1, "was": WORDS[rng.integers(0, 4, ROWS)], "now": WORDS[some(3, 4)]})
    schema = TableSchema("t", tuple(Column(name, "categorical") for name in rows.column_names), ())
    codec = TableCodec.fit(Table(schema, rows), np.ones(ROWS, bool), rows.column_names, CodecConfig(min_entities=1))
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    counted = rule("numbered", relation=RELATION.name, column="nr")
    for by, told in (("nr", {"was", "nr"}), (None, {"was"})):
        follow = follows(column="was", of="now", **({} if by is None else {"by": by}))
        one = Continuing.of([follow, counted], RELATION.name, codec, units)
        assert one is not None and one.columns == told
    one = Continuing.of([follows(column="was", of="now", by="nr"), counted], RELATION.name, codec, units)
    for position in (0, 4, 9):
        stands, which = one.standing(None, position, np.arange(5), "cpu", None)
        made = codec.decode(stands.numerical.numpy(), stands.categorical.numpy(), rng).column("nr").to_pylist()
        assert which.any() == (position < 7) and (position > 6 or made == [position + 1] * 5), (
            "what no row held is drawn"
        )


def test_an_end_that_goes_by_a_number_is_computed_before_the_next_row_goes_on_from_it() -> None:
    nr = np.random.default_rng(6).integers(1, 60, ROWS)
    rows = case(nr=nr, first=days(some(3, 3000)), last=days(some(4, 3000)), opened=days(np.full(ROWS, 500)))
    counted = rule("numbered", relation=RELATION.name, column="nr")
    months = rule("shift", result="last", of="opened", by="nr", months=1)
    one = follows(column="first", of="last", by="nr")
    made = keep_families(
        rows.schema.table("t"), rows.rows, [counted, one], rows.pointers, frozenset({"k"}), np.random.default_rng(0),
        of_rows=[months],
    )  # fmt: skip
    assert [rows.broken(made, each)[1] for each in (counted, one, months)] == [0, 0, 0]
