"""A parent's column that is what its last row holds, in order of a time: words as well as numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from family_rows import FewRules, rule

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.keeping.family_continued import climbing
from tabgraphsyn.generation.keeping.family_totals import HeldTables
from tabgraphsyn.generation.keeping.rule_keeping import RuleKeeper

TICKETS, STATES = 60, ("new", "open", "waits", "done")
STEPS = Relation("step", ("ticket",), "ticket", ("id",))
TICKET = TableSchema("ticket", (Column("id", "id"), Column("state", "categorical"), Column("hours", "numerical")), ())
STEP = TableSchema(
    "step",
    (
        Column("ticket", "id"),
        Column("at", "datetime"),
        Column("status", "categorical"),
        Column("spent", "numerical"),
    ),
    (),
)
SCHEMA = Schema((TICKET, STEP), (STEPS,))
STATE = rule("parent_total", "ticket", column="state", relation=STEPS.name, of="status", how="last", by="at")
HOURS = rule("parent_total", "ticket", column="hours", relation=STEPS.name, of="spent", how="first", by="at")


def drawn() -> tuple[dict[str, pa.Table], np.ndarray]:
    """Both tables with states and hours that do not go together, and the ticket of each step; ticket 0 has none."""
    rng = np.random.default_rng(3)
    whose = rng.integers(1, TICKETS, 400)
    whose[:TICKETS] = np.maximum(np.arange(TICKETS), 1)
    state = pa.array(rng.choice(STATES, TICKETS)).to_pylist()
    state[5] = None
    at = pa.array(rng.permutation(400) * 3_600_000_000, pa.timestamp("us"))
    steps = {"ticket": whose, "at": at, "status": rng.choice(STATES, 400), "spent": np.round(rng.gamma(2, 3, 400), 1)}
    tickets = {"id": np.arange(TICKETS), "state": state, "hours": np.round(rng.gamma(2, 3, TICKETS), 1)}
    return {"ticket": pa.table(tickets), "step": pa.table(steps)}, whose


def said(steps: pa.Table, whose: np.ndarray, column: str, place: int) -> dict[int, object]:
    """What stands in the first or last step of each ticket, the slow way."""
    rows = sorted(zip(whose.tolist(), steps["at"].to_pylist(), steps[column].to_pylist(), strict=True))
    return {ticket: [value for one, _, value in rows if one == ticket][place] for ticket in set(whose.tolist())}


def unruled(name: str, rows: pa.Table, stay: frozenset[str]) -> pa.Table:
    return rows


def test_a_parent_that_waited_takes_what_its_last_row_holds() -> None:
    made, whose = drawn()
    held = HeldTables(FewRules(SCHEMA, {"ticket": RowRules("ticket", families=(STATE, HOURS))}))  # type: ignore[arg-type]
    assert held.rules("ticket") == [STATE, HOURS] and held.following("step") == []
    asked = held.asked(["ticket", "step"])
    assert asked == {"step": {"status", "spent", "at"}, "ticket": {"state"}}, "a step is told its ticket's state"
    held.waiting["ticket"] = made["ticket"]
    held.values = {"step": {name: made["step"][name].combine_chunks() for name in ("status", "spent", "at")}}
    rows = held.finished("ticket", {STEPS.name: whose}, unruled)
    last, first = said(made["step"], whose, "status", -1), said(made["step"], whose, "spent", 0)
    for ticket in range(1, TICKETS):
        assert rows["state"][ticket].as_py() == (None if ticket == 5 else last[ticket])
        assert rows["hours"][ticket].as_py() == first[ticket]
    assert rows.slice(0, 1).equals(made["ticket"].slice(0, 1)), "a ticket without steps is as it was drawn"


def test_the_last_row_goes_by_its_parent_where_rows_below_have_copied_that() -> None:
    made, whose = drawn()
    copied = rule("same", "step", left="status", right={"column": "state", "through": STEPS.name})
    rules = {"ticket": RowRules("ticket", families=(STATE,)), "step": RowRules("step", rules=(copied,))}
    held = HeldTables(FewRules(SCHEMA, rules))  # type: ignore[arg-type]
    assert held.rules("ticket") == [] and held.following("step") == [STATE]
    held.waiting["step"] = made["step"]
    held.values = {"ticket": {"state": made["ticket"]["state"].combine_chunks()}}
    rows = held.followed("step", {STEPS.name: whose}, unruled)
    last, wanted = said(rows, whose, "status", -1), made["ticket"]["state"].to_pylist()
    assert all(last[ticket] == wanted[ticket] for ticket in last if wanted[ticket] is not None)
    changed = [a != b for a, b in zip(rows["status"].to_pylist(), made["step"]["status"].to_pylist(), strict=True)]
    assert 0 < sum(changed) <= TICKETS, "no other step of a ticket changes"


def test_what_a_word_says_is_missing_is_so_before_it_is_computed() -> None:
    """A ticket that its last step closes is closed then, and one that it opens again is not."""
    made, whose = drawn()
    closed = pa.array([None if one != "done" else 0 for one in made["ticket"]["state"].to_pylist()], pa.timestamp("us"))
    ticket = TableSchema("ticket", (*TICKET.columns, Column("closed", "datetime")), ())
    schema = Schema((ticket, STEP), (STEPS,))
    by = rule("null_by", "ticket", column="closed", by="state", null_where=STATES[:3], filled_where=["done"])
    when = rule("parent_total", "ticket", column="closed", relation=STEPS.name, of="at", how="max")
    held = HeldTables(FewRules(schema, {"ticket": RowRules("ticket", rules=(by,), families=(STATE, when))}))  # type: ignore[arg-type]
    held.waiting["ticket"] = made["ticket"].append_column("closed", closed)
    held.values = {"step": {name: made["step"][name].combine_chunks() for name in ("status", "at")}}

    def ruled(name: str, rows: pa.Table, stay: frozenset[str]) -> pa.Table:
        keeper = RuleKeeper(ticket, RowRules(name, rules=(by,)), stay, (), np.random.default_rng(0))
        return pa.concat_tables(keeper.kept(iter([rows])))

    rows = held.finished("ticket", {STEPS.name: whose}, ruled).slice(1)
    state, latest = rows["state"].to_pylist(), said(made["step"], whose, "at", -1)
    assert state.count("done") > 5
    assert rows["closed"].to_pylist() == [
        latest[ticket] if word == "done" else None for ticket, word in enumerate(state, 1)
    ]


def test_times_climb_as_rows_are_drawn_where_a_rule_goes_by_their_order() -> None:
    goes_on = rule("continued", "step", relation=STEPS.name, column="spent", of="spent", by="at")
    counted = rule("parent_total", "ticket", column="hours", relation=STEPS.name, how="count")
    for of_ticket, of_steps, wanted in (
        ((STATE, HOURS), (), ["at"]),
        ((counted,), (goes_on,), ["at"]),
        ((counted,), (), []),
    ):
        prepared = FewRules(
            SCHEMA,
            {"ticket": RowRules("ticket", families=of_ticket), "step": RowRules("step", families=of_steps)},
            {"ticket": None, "step": STEPS.name},
        )
        found = climbing(prepared, "step")  # type: ignore[arg-type]
        assert [one.column.column for one in found] == wanted and all(one.strict and one.by is None for one in found)
        assert climbing(prepared, "ticket") == []  # type: ignore[arg-type]
