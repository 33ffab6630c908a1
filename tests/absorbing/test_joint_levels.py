"""Levels that say more together than each by itself: found on rows, told as soon as all are known, drawn first."""

from __future__ import annotations

import numpy as np
import torch
from small_table import UNITS, network, rows
from test_network import context_of, masks, shaken

from tabgraphsyn.data.layout import CategoricalField, EncodedTable, NumericalField, TableLayout
from tabgraphsyn.models.absorbing.columns.order import AHEAD, AnyOrder
from tabgraphsyn.models.absorbing.drawing import Stepper, _Making
from tabgraphsyn.models.absorbing.levels.joint_levels import code_of, sets_of
from tabgraphsyn.models.batch import EncodedBatch

DAYS = TableLayout(
    numerical=(NumericalField("pressure", gate=4), NumericalField("load")),
    categorical=tuple(
        CategoricalField(*one) for one in (("year", 4), ("month", 6), ("day", 9), ("kind", 5), ("gate", 3))
    ),
)


def days(weather: float, count: int = 6000) -> EncodedTable:
    """Rows of which a share of one number's variance is the day's, the other number follows year and kind by sums."""
    rng = np.random.default_rng(0)
    levels = np.stack([rng.integers(0, field.levels, count) for field in DAYS.categorical], 1)
    day = np.ravel_multi_index(tuple(levels[:, :3].T), (4, 6, 9))
    pressure = weather * rng.normal(size=216)[day] + rng.normal(size=count)
    numbers = np.stack([pressure, levels[:, 0] + levels[:, 3] + 0.3 * rng.normal(size=count)], 1)
    return EncodedTable(np.repeat(numbers[:, :, None], 2, 2).astype(np.float32), levels.astype(np.int32))


def test_levels_that_make_a_day_are_found_and_sums_of_levels_are_not() -> None:
    ((fields, codes),) = sets_of(DAYS, days(weather=1.0), np.arange(6000))
    assert fields == [0, 1, 2] and len(codes) == 216
    assert sets_of(DAYS, days(weather=0.0), np.arange(6000)) == []
    nobody = TableLayout((), DAYS.categorical)
    table = days(weather=1.0)
    assert sets_of(nobody, EncodedTable(table.numerical[:, :0], table.categorical), np.arange(6000)) == []


def test_a_combination_of_few_has_no_place() -> None:
    table = days(weather=1.0)
    owner = np.arange(6000) % 4
    assert sets_of(DAYS, table, owner) == []
    half = np.where(table.categorical[:, 0] < 2, np.arange(6000), owner)
    ((_, codes),) = sets_of(DAYS, table, half)
    assert len(codes) == 108 and codes.max() < 108


def test_drawing_is_told_what_training_is_and_begins_with_the_set() -> None:
    made = shaken(network(sets=[([0, 2], 5)]))
    made.together.tell([np.array([1, 4, 6, 11, 12])])
    making = _Making(Stepper(made), context_of(made, 200), torch.Generator().manual_seed(2))
    order = made.order.drawn(torch.Generator().manual_seed(0))
    first = [UNITS.groups[group][0] for group in order[:2]]
    assert {(unit.kind, unit.field) for unit in first} == {("level", 0), ("level", 2)}
    for group in order:
        before = made.together(making.stem, making.rows.categorical, making.is_known[:, made.level_unit])
        draft = made.draft(making.rows, making.is_known)
        torch.testing.assert_close(before, made.stem_of(draft), atol=1e-4, rtol=1e-4)
        making.draw(UNITS.groups[group])
    code = code_of(making.rows.categorical[:, [0, 2]], [4, 4])
    has_place = torch.isin(code, torch.tensor([1, 4, 6, 11, 12]))
    assert 0 < has_place.sum() < 200
    told = made.together(making.stem, making.rows.categorical, making.is_known[:, made.level_unit])
    assert torch.equal((told != making.stem).any(1), has_place)


def test_one_masked_level_and_nothing_is_told_of_the_set() -> None:
    made, batch, known = shaken(network(sets=[([0, 2], 16)])), rows(64), masks(64)
    known[:, made.level_unit[0]] = False
    draft = made.draft(batch, known)
    other = made.draft(EncodedBatch(batch.numerical, rows(64, seed=5).categorical), known)
    kept = torch.where(known[:, made.token_unit], draft.codes, other.codes)
    again = made.draft(batch, known)
    object.__setattr__(again, "codes", kept)
    assert torch.equal(made.stem_of(draft), made.stem_of(again))


def test_half_of_the_rows_learn_with_the_set_at_their_head() -> None:
    order = AnyOrder(6)
    order.ahead = [4, 1]
    turn = order.learnt(4000, torch.tensor([3]), torch.Generator().manual_seed(0))
    assert (turn[:, 0] == 3).all()
    share = (turn[:, 1:3].sort(1).values == torch.tensor([1, 4])).all(1).float().mean()
    assert abs(float(share) - (AHEAD + (1 - AHEAD) / 10)) < 0.03
