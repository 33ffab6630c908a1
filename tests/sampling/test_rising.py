"""Values that have to rise within a parent, or past a bound, are set apart and spread; they do not pile up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from family_rows import RELATION, ROWS, rule

from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.generation.keeping.family_keeping import keep_families
from tabgraphsyn.generation.keeping.rule_keeping import RuleKeeper

DAY, PARENTS = 86_400, 120
BESIDE = frozenset({"k", "low", "high"})
SCHEMA = TableSchema("t", tuple(Column(one, "numerical") for one in ("k", "no", "low", "high", "a")), ())


def times(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.int64)).cast(pa.timestamp("s")).cast(pa.timestamp("us"))


def read(rows: pa.Table, name: str) -> np.ndarray:
    values = rows[name].combine_chunks()
    return values.cast(pa.int64()).to_numpy() / (1e6 if pa.types.is_timestamp(values.type) else 1)


def made(of: str, seed: int, off: float) -> tuple[pa.Table, np.ndarray]:
    """Return rows under parents' bounds, of which many, or all, lie below them, and their parents."""
    rng = np.random.default_rng(seed)
    family = np.sort(rng.integers(0, PARENTS, ROWS))
    number = np.arange(ROWS) - np.searchsorted(family, family) + 1
    low = rng.integers(400, 900, PARENTS)[family]
    value = low + rng.normal(off, 60, ROWS)
    if of == "whole":
        columns = {"low": pa.array(low), "high": pa.array(low + 500), "a": pa.array(np.rint(value).astype(np.int64))}
    else:
        grain = {"days": DAY, "quarters": 900}[of]
        columns = {
            "low": times(low * DAY), "high": times((low + 500) * DAY), "a": times(value * DAY // grain * grain)
        }  # fmt: skip
    return pa.table({"k": family, "no": number, **columns}), family


def kept(rows: pa.Table, family: np.ndarray, rising: Rule, *orders: Rule) -> pa.Table:
    rng = np.random.default_rng(1)
    keeper = RuleKeeper(SCHEMA, RowRules("t", rules=orders), BESIDE, (), rng)
    rows = pa.concat_tables(keeper.kept(iter([rows])))
    assert keeper.broken == 0
    return keep_families(SCHEMA, rows, [rising], {RELATION.name: family}, BESIDE, rng, of_rows=orders)


@pytest.mark.parametrize("of", ["whole", "days", "quarters"])
@pytest.mark.parametrize("off", [30, -60, -2000])
@pytest.mark.parametrize(("falling", "strict"), [(False, False), (True, False), (False, True)])
def test_a_strict_rise_holds_and_nothing_piles_up_on_a_bound(of: str, off: float, falling: bool, strict: bool) -> None:
    rows, family = made(of, 3, off)
    order = rule("order", columns=["low", "a", "high"], strict=strict)
    rising = rule("rising", relation=RELATION.name, column="a", by="no", strict=True, falling=falling)
    after = kept(rows, family, rising, order)
    value, low, high = (read(after, name) for name in ("a", "low", "high"))
    step = np.diff(value)[family[1:] == family[:-1]] * (-1 if falling else 1)
    assert (step > 0).all()
    assert ((value > low) & (value < high) if strict else (value >= low) & (value <= high)).all()
    unit = {"whole": 1, "days": DAY, "quarters": 900}[of]
    assert (value % unit == 0).all(), "multiples stay multiples"
    assert (value == low).mean() < 0.06 and (value == high).mean() < 0.06
    assert np.std((value - low) / (1 if of == "whole" else DAY)) > 15, "as the others lie"


def test_equal_values_are_as_far_apart_as_others_are() -> None:
    rng = np.random.default_rng(4)
    family = np.repeat(np.arange(100), 5)
    value = np.cumsum(rng.choice([3, 7, 20], (100, 5)), axis=1)
    value[::2, 2] = value[::2, 1]
    rows = pa.table({"k": family, "no": np.tile(np.arange(5), 100), "low": value.ravel(), "high": value.ravel()})
    rows = rows.append_column("a", times(value.ravel() * DAY))
    rising = rule("rising", relation=RELATION.name, column="a", by="no", strict=True)
    after = kept(rows, family, rising)
    found = (read(after, "a") / DAY).reshape(100, 5)
    assert (np.diff(found, axis=1) > 0).all()
    moved = found != value
    assert moved.sum() == 50 and moved[::2, 2].all(), "what was apart stays"
    assert (found[::2, 2] - found[::2, 1]).std() > 2


@pytest.mark.parametrize("strict", [True, False])
def test_a_number_with_none_between_its_bounds_lies_there_as_others_do(strict: bool) -> None:
    rng = np.random.default_rng(5)
    low = np.where(np.arange(ROWS) % 2 == 0, 1_000, rng.integers(0, 100, ROWS))
    value = np.where(low == 1_000, 500, low + rng.integers(1, 40, ROWS))
    rows = pa.table({"k": low, "no": low, "low": low, "high": low, "a": value})
    rules = RowRules("t", rules=(rule("order", columns=["low", "a"], strict=strict),))
    keeper = RuleKeeper(SCHEMA, rules, BESIDE, (), rng)
    after = read(pa.concat_tables(keeper.kept(iter([rows]))), "a")
    gap = (after - low)[low == 1_000]
    assert (gap >= 1).all() and gap.max() < 40 and len(np.unique(gap)) > 20
