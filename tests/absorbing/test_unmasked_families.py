"""Rules among siblings hold while rows are made: what would break one has no probability."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from small_table import surrounded
from test_unmasked_rules import Drawn

from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.heeding.families import UnmaskedFamilies
from tabgraphsyn.generation.heeding.heed import UnmaskedRules
from tabgraphsyn.generation.unmasking import unmasked_rows, whole_families
from tests.sampling.keeping_rows import rule

SHOPS, GOODS, WEEKS = 9, ("ham", "jam", "lamp", "map", "soap"), (1, 2, 3, 4)
SIZE = len(GOODS) * len(WEEKS)
RELATION = "t.shop--shops"
SCHEMA = Schema(
    (
        TableSchema("shops", (Column("shop", "id"),), ("shop",)),
        TableSchema("t", (Column("shop", "id"), *(Column(one, "categorical") for one in ("good", "week", "area"))), ()),
    ),
    (Relation("t", ("shop",), "shops", ("shop",)),),
)
UNIQUE = rule("unique", columns=["good", "week"], relation=RELATION)
FIXED = rule("fixed", determinant=["shop"], dependent="area", by_key=True)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    places = np.tile(np.arange(SIZE), SHOPS)
    area = np.repeat(np.arange(SHOPS), SIZE) % 3
    return Drawn(
        pa.table({
            "good": [GOODS[one] for one in places // len(WEEKS)],
            "week": np.array(WEEKS)[places % len(WEEKS)],
            "area": [f"area {one}" for one in area],
        })
    )  # fmt: skip


def made(drawn: Drawn, *rules: Rule, orphans: int = 0, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of new rows, (SHOPS, SIZE) each, and ``alone`` ones of rows without a shop."""
    family = np.append(np.repeat(np.arange(SHOPS), SIZE), np.full(orphans, -1))
    heed = UnmaskedRules(drawn.fields, None, families=UnmaskedFamilies(drawn.fields, SCHEMA, rules, RELATION, family))
    assert heed.is_empty == (not rules)
    rows = unmasked_rows(
        drawn.network, surrounded(len(family)), whole_families(family, len(family)), seed, heed=heed
    )  # fmt: skip
    found = drawn.decoded(rows)
    return {name: np.array(found[name].to_pylist()[: SHOPS * SIZE]).reshape(SHOPS, SIZE) for name in found.column_names}


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_may_not_repeat_each_other_fill_all_the_room_that_there_is(drawn: Drawn, seed: int) -> None:
    whole = {(good, week) for good in GOODS for week in WEEKS}
    by_chance = made(drawn, seed=seed)
    pairs = zip(by_chance["good"].tolist(), by_chance["week"].tolist(), strict=True)
    assert not any(set(zip(*each, strict=True)) == whole for each in pairs)
    rows = made(drawn, UNIQUE, seed=seed, orphans=7)
    for good, week in zip(rows["good"], rows["week"], strict=True):
        assert set(zip(good.tolist(), week.tolist(), strict=True)) == whole


def test_what_a_parent_fixes_is_what_its_first_row_holds_and_other_columns_stay_free(drawn: Drawn) -> None:
    rows = made(drawn, FIXED)
    assert all(len(set(one)) == 1 for one in rows["area"]) and len(np.unique(rows["area"])) > 1
    assert all(len(set(one)) > 1 for one in rows["good"])


@pytest.mark.parametrize(("falling", "strict"), [(False, False), (True, False), (False, True)])
def test_a_column_rises_or_falls_as_far_as_its_levels_go(drawn: Drawn, falling: bool, strict: bool) -> None:
    rows = made(drawn, rule("rising", relation=RELATION, column="week", falling=falling, strict=strict))
    steps = np.diff(rows["week"], axis=1) * (-1 if falling else 1)
    if not strict:
        assert (steps >= 0).all() and (steps > 0).any()
    else:  # four weeks: where nothing is left, anything is drawn
        last = WEEKS[-1]
        assert all((np.diff(one[: int(np.argmax(one == last)) + 1]) > 0).all() for one in rows["week"])


def test_what_rises_leaves_room_for_the_rows_to_come(drawn: Drawn) -> None:
    rises = rule("rising", relation=RELATION, column="week")
    rows = made(drawn, UNIQUE, rises)
    assert (np.diff(rows["week"], axis=1) >= 0).all()
    assert all(len(set(zip(*each, strict=True))) == SIZE for each in zip(rows["good"], rows["week"], strict=True))


def test_what_a_user_asks_for_is_drawn_though_siblings_hold_it(drawn: Drawn) -> None:
    family = np.repeat(np.arange(SHOPS), SIZE)
    siblings = UnmaskedFamilies(drawn.fields, SCHEMA, [UNIQUE], RELATION, family)
    good = next(one for one in drawn.fields.units.all if drawn.fields.place[one] in drawn.fields.places["good"])
    only = torch.arange(good.levels).unsqueeze(0) == 2
    heed = UnmaskedRules(drawn.fields, None, masks={good: only}, families=siblings)
    rows = unmasked_rows(drawn.network, surrounded(len(family)), whole_families(family, len(family)), 0, heed=heed)
    assert (rows.categorical[:, good.field] == 2).all()


def test_what_a_row_must_not_hold_is_never_drawn(drawn: Drawn) -> None:
    family = np.repeat(np.arange(SHOPS), SIZE)
    words = np.array([*GOODS, None, "no good"], dtype=object)[np.arange(len(family)) % (len(GOODS) + 2)]
    siblings = UnmaskedFamilies(drawn.fields, SCHEMA, (), RELATION, family, {"good": pa.array(words)})
    heed = UnmaskedRules(drawn.fields, None, families=siblings)
    assert not heed.is_empty
    around = surrounded(len(family)), whole_families(family, len(family))
    for seed in range(4):
        goods = np.array(drawn.decoded(unmasked_rows(drawn.network, *around, seed, heed=heed))["good"].to_pylist())
        free = np.array(drawn.decoded(unmasked_rows(drawn.network, *around, seed))["good"].to_pylist())
        assert not (goods == words).any() and (free == words).any()


def test_what_no_row_goes_on_from_stands_in_last_rows_alone(drawn: Drawn) -> None:
    family = np.append(np.repeat(np.arange(SHOPS), SIZE), -1)
    ends = {"good": pa.array([*GOODS[1:], "no good"])}
    siblings = UnmaskedFamilies(drawn.fields, SCHEMA, (), RELATION, family, dead_ends=ends)
    heed = UnmaskedRules(drawn.fields, None, families=siblings)
    rows = unmasked_rows(drawn.network, surrounded(len(family)), whole_families(family, len(family)), 0, heed=heed)
    goods = np.array(drawn.decoded(rows)["good"].to_pylist())[:-1].reshape(SHOPS, SIZE)
    assert (goods[:, :-1] == GOODS[0]).all() and (goods[:, -1] != GOODS[0]).any()


def test_rules_along_other_keys_or_by_another_order_are_kept_when_all_rows_are_there(drawn: Drawn) -> None:
    family = np.zeros(4, dtype=np.int64)
    others = (
        rule("unique", columns=["good", "week"]),
        rule("rising", relation=RELATION, column="week", by="area"),
        rule("unique", columns=["good", "price"], relation=RELATION),
    )
    assert not UnmaskedFamilies(drawn.fields, SCHEMA, others, RELATION, family)
