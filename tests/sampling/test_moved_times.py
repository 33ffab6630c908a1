"""Times outside a parent's bounds move together, to where other rows are, and keep what lies between them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from family_rows import rule

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.generation.keeping.moved_times import tied_times
from tabgraphsyn.generation.keeping.rule_keeping import RuleKeeper

ROWS, DAY, HOUR = 600, 86_400, 3_600
NAMES = ("opened", "begins", "ends", "paid", "closed")
SCHEMA = TableSchema("t", tuple(Column(one, "datetime") for one in NAMES), ())


def trips(unit: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return rows of which a third lies years before or after its bounds, seconds by column."""
    rng = np.random.default_rng(seed)
    opened = 1_500_000_000 // DAY * DAY + rng.integers(0, 900, ROWS) * DAY
    closed = opened + 400 * DAY
    begins = opened + rng.integers(0, 300 * DAY // unit, ROWS) * unit
    begins = np.where(np.arange(ROWS) % 3 == 0, begins + rng.choice([-700, 900], ROWS) * DAY, begins)
    ends = begins + rng.integers(1, 9 * DAY // unit, ROWS) * unit
    return {"opened": opened, "begins": begins, "ends": ends, "paid": ends + 3 * DAY, "closed": closed}


def kept(
    columns: dict[str, np.ndarray], *rules: Rule, protected: tuple[str, ...] = ("opened", "closed")
) -> dict[str, np.ndarray]:
    rows = pa.table({name: pa.array(one * 1_000_000).cast(pa.timestamp("us")) for name, one in columns.items()})
    keeper = RuleKeeper(SCHEMA, RowRules("t", rules=rules), frozenset(protected), (), np.random.default_rng(2))
    made = pa.concat_tables(keeper.kept(iter([rows])))
    assert keeper.broken == 0
    return {name: made[name].cast(pa.int64()).to_numpy() // 1_000_000 for name in NAMES}


@pytest.mark.parametrize("unit", [DAY, HOUR])
@pytest.mark.parametrize(
    "chains",
    [
        [["opened", "begins", "ends", "paid", "closed"]],
        [["opened", "begins"], ["begins", "ends", "paid"], ["paid", "closed"]],
        [["opened", "begins", "ends", "paid"]],
    ],
)
def test_what_lies_between_times_stays(unit: int, chains: list[list[str]]) -> None:
    before = trips(unit)
    after = kept(before, *(rule("order", "t", columns=chain) for chain in chains))
    for name in ("begins", "ends", "paid"):
        assert (after[name] % unit == 0).all(), "whole days stay whole days"
    assert (after["ends"] - after["begins"] == before["ends"] - before["begins"]).all()
    assert (after["paid"] - after["ends"] == 3 * DAY).all()
    fine = (before["begins"] >= before["opened"]) & (before["paid"] <= before["closed"])
    if "closed" not in chains[-1]:
        fine = before["begins"] >= before["opened"]
    assert (after["begins"] == before["begins"])[fine].all() and not (after["begins"] == before["begins"])[~fine].any()
    place = (after["begins"] - after["opened"]) / DAY
    assert abs(np.median(place[~fine]) - np.median(place[fine])) < 60 and place[~fine].std() > 50, "as other rows"


def test_what_does_not_fit_is_pressed_together() -> None:
    columns = trips(DAY)
    columns["closed"] = columns["opened"] + 2 * DAY
    after = kept(columns, rule("order", "t", columns=["opened", "begins", "ends", "closed"]))
    assert (after["begins"] <= after["ends"]).all() and (after["ends"] <= after["closed"]).all()


def test_orders_tie_free_columns() -> None:
    rules = [rule("order", "t", columns=one) for one in (["opened", "begins"], ["ends", "paid"], ["begins", "ends"])]
    free = frozenset({"begins", "ends", "paid"})
    assert tied_times(rules, free) == dict.fromkeys(free, free)
    assert tied_times(rules[:2], free)["begins"] == {"begins"}
