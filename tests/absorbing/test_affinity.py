"""What levels tell of each other by counts: found on rows, drawn as learnt, and the widest field first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from small_table import PARENT, UNITS, network, rows, surrounded
from test_network import context_of, masks, shaken

from tabgraphsyn.data.layout import CategoricalField, EncodedTable, TableLayout
from tabgraphsyn.models.absorbing.affinity import Affinities, affinities
from tabgraphsyn.models.absorbing.drafts import Around
from tabgraphsyn.models.absorbing.drawing import Stepper, _Making
from tabgraphsyn.models.absorbing.said import said_fields
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.row_conditions import RowConditions

TIMETABLE = TableLayout(
    numerical=(),
    categorical=tuple(CategoricalField(*one) for one in (("number", 300), ("route", 12), ("hour", 8), ("day", 31))),
)


def timetable(count: int = 12000) -> EncodedTable:
    """Rows whose number says the route, and the hour in nine of ten; the day goes its own way."""
    rng = np.random.default_rng(0)
    number = rng.integers(0, 300, count)
    hour = np.where(rng.random(count) < 0.9, number * 7 % 8, rng.integers(0, 8, count))
    levels = np.stack([number, number * 5 % 12, hour, rng.integers(0, 31, count)], 1)
    return EncodedTable(np.zeros((count, 0, 2), np.float32), levels.astype(np.int32))


def test_a_field_of_many_levels_tells_and_is_told_and_an_independent_one_is_not() -> None:
    told, ahead = affinities(TIMETABLE, timetable(), np.arange(12000))
    found = {(one.known, one.asked): one for one in told}
    assert set(found) == {(0, 1), (1, 0), (0, 2), (2, 0)}
    assert found[0, 1].told > 0.9 * np.log(12) and 1.2 < found[0, 2].told < np.log(8)
    assert (found[0, 1].table.argmax(1) == np.arange(300) * 5 % 12).all()
    assert ahead == [0]


def test_few_levels_or_little_told_need_no_table() -> None:
    narrow, table = TableLayout((), TIMETABLE.categorical[1:]), timetable()
    assert affinities(narrow, EncodedTable(table.numerical, table.categorical[:, 1:]), np.arange(12000)) == ([], [])
    rng = np.random.default_rng(1)
    noise = np.stack([rng.integers(0, field.levels, 12000) for field in TIMETABLE.categorical], 1).astype(np.int32)
    assert affinities(TIMETABLE, EncodedTable(table.numerical, noise), np.arange(12000)) == ([], [])


def test_what_few_hold_together_counts_as_never_seen() -> None:
    table = timetable()
    assert affinities(TIMETABLE, table, np.arange(12000) % 4) == ([], [])
    owner = np.where(table.categorical[:, 0] < 80, np.arange(12000) % 4, np.arange(12000))
    told, _ = affinities(TIMETABLE, table, owner)
    assert affinities(TIMETABLE, table, np.arange(12000) % 7, min_entities=8) == ([], [])
    found = next(one for one in told if one.known == 0 and one.asked == 1)
    assert (found.table[:80].max(1) == found.table[:80].min(1)).all() and (found.table[:80] < -1.5).all()
    assert (found.table[80:].max(1) > 1).all()


def test_what_keys_say_tells_a_field_of_many_levels_and_rows_without_one_are_left_out() -> None:
    """Routes are tables: a key names the route, and a tenth of the rows have none."""
    table = timetable()
    number, route = table.categorical[:, 0], table.categorical[:, 1]
    key = np.where(np.arange(12000) % 10 == 0, -1, route)
    said = [(12, lambda: key), (5, lambda: np.arange(12000) % 5)]
    told, ahead = affinities(TIMETABLE, table, np.arange(12000), said)
    found = next(one for one in told if one.known == 4)
    assert [(one.known, one.asked) for one in told if one.known >= 4] == [(4, 0)] and ahead == [0]
    assert found.table.shape == (12, 300) and 0.8 * np.log(12) < found.told < 0.9 * np.log(12)
    of_route = np.unique(number) * 5 % 12 == np.arange(12)[:, None]
    assert (found.table[of_route] > 2).all() and (found.table[~of_route] < -3).all()


def test_what_rows_of_one_parent_are_like_is_counted_however_few_its_levels_and_chance_is_not() -> None:
    """Students of six kinds get other grades; what else is said of as many levels is the network's to learn."""
    rng = np.random.default_rng(3)
    kind, chance = rng.integers(0, 6, 4000), rng.integers(0, 6, 4000)
    grade = np.where(rng.random(4000) < 0.3, kind % 4, rng.integers(0, 4, 4000))
    table = EncodedTable(np.zeros((4000, 0, 2), np.float32), grade[:, None].astype(np.int32))
    said = [(6, lambda: chance), (6, lambda: kind), (6, lambda: kind)]
    layout = TableLayout((), (CategoricalField("grade", 4),))
    found, ahead = affinities(layout, table, np.arange(4000), said, kin=[0, 1])
    assert [(one.known, one.asked) for one in found] == [(2, 0)] and ahead == []
    assert 0.05 < found[0].told < 0.15 and (found[0].table.argmax(1) == np.arange(6) % 4).all()
    assert affinities(layout, table, np.arange(4000) % 4, said, kin=[0, 1]) == ([], [])


def test_counts_reach_what_keys_and_ancestors_say() -> None:
    """Fields 3 and 4 are keys, field 5 is the colour of the parent."""
    made = shaken(network(told_by=[(0, 2), (4, 2), (5, 2)], keys=[2, 3], ancestors=True))
    colour = EncodedBatch(torch.zeros(2, 1), torch.tensor([[1], [2]]))
    keys = torch.tensor([[0, 2], [1, -1], [0, 0]])
    around = Around(torch.zeros(3, 0), [(colour, torch.tensor([1, 0, -1]))], torch.zeros(3), torch.ones(3), keys=keys)
    context = made.context(around, None)
    assert context.said.tolist() == [[2, 2], [-1, 1], [0, -1]]
    assert context.take(torch.tensor([1])).said.tolist() == [[-1, 1]]
    table = torch.arange(40.0).view(10, 4)  # levels of field 0, then of the second key, then of the colour
    getattr(made.affinities, "table_2").copy_(table)  # noqa: B009 - a buffer, which types do not know
    told = made.affinities.known(torch.tensor([[3, 0, 0]] * 3), torch.zeros(3, 3, dtype=torch.bool), context.said)
    found = made.affinities(2, torch.full((3, 3), 0.5), *told)
    assert torch.equal(found, torch.stack([table[4 + 2] + table[7 + 2], table[7 + 1], table[4 + 0]]))


def test_what_rows_are_not_told_no_count_tells_them() -> None:
    condition = RowConditions(torch.zeros(60, 0), torch.arange(60).view(60, 1) % 3, torch.zeros(60, 0), (3,))
    around = replace(surrounded(60, parents=4), condition=condition)
    told = torch.tensor([True, False] * 30)
    taken = around.take(torch.arange(60), torch.zeros(60), torch.ones(60), torch.Generator(), told)
    key, colour = said_fields([3], [PARENT])
    assert torch.equal(key.rows(taken), key.table(around).where(told, torch.tensor(-1)))
    assert torch.equal(colour.rows(taken), colour.table(around).where(told, torch.tensor(-1)))
    assert (colour.table(around) < 0).any() and (key.levels, colour.levels) == (3, 3)


def test_counts_reach_the_levels_of_known_fields_alone() -> None:
    told = Affinities(told_by=[(0, 1), (2, 1)], levels=[3, 4, 2])
    table = torch.arange(20.0).view(5, 4)
    told.load_state_dict({"table_1": table})
    levels = torch.tensor([[2, 0, 0], [2, 0, 1], [2, 0, 0], [0, 0, 1]])
    known = torch.tensor([[True, False, True], [True, False, True], [True, False, False], [False, False, True]])
    found = told(1, torch.full((4, 2), 0.5), levels, known)
    assert torch.equal(found, torch.stack([table[2] + table[3], table[2] + table[4], table[2], table[4]]))


def test_levels_are_drawn_as_likely_as_they_are_in_training_and_the_leading_field_first() -> None:
    made = shaken(network(told_by=[(0, 2), (1, 2), (2, 0), (3, 2)], ahead=[2], ancestors=True))
    for asked in (0, 2):
        getattr(made.affinities, f"table_{asked}").normal_()
    around = surrounded(200, parents=7).take(torch.arange(200), torch.zeros(200), torch.ones(200), torch.Generator())
    making = _Making(Stepper(made), made.context(around, None), torch.Generator().manual_seed(2))
    assert len(making.context.said.unique()) == 4
    order = made.order.drawn(torch.Generator().manual_seed(0))
    assert UNITS.groups[order[0]][0].field == 2
    for group in (UNITS.groups[place] for place in [*order[1:], order[0]]):
        hidden, known = making._hidden(), making.is_known.clone()
        shares = making._shares(group[0], hidden) if group[0].levels else None
        making.draw(group)
        if shares is None:
            continue
        draft = replace(made.draft(making.rows, known), is_known=known)
        surprise = made.surprises(draft, making.context)[:, UNITS.all.index(group[0])]
        likely = shares.gather(1, draft.codes[:, [UNITS.tokens.index(group[0])]])[:, 0]
        torch.testing.assert_close(surprise, -likely.log(), atol=2e-4, rtol=2e-4)


def test_counts_of_what_is_masked_move_nothing() -> None:
    made, batch, known = shaken(network(told_by=[(0, 2), (2, 0)])), rows(64), masks(64)
    getattr(made.affinities, "table_2").normal_()  # noqa: B009 - a buffer, which types do not know
    known[:, made.level_unit[0]] = False
    other = EncodedBatch(batch.numerical, batch.categorical.clone())
    other.categorical[:, 0] = (other.categorical[:, 0] + 1) % 4
    context, column = context_of(made, 64), int(made.level_unit[2])
    one, two = (made.surprises(made.draft(each, known), context)[:, column] for each in (batch, other))
    assert torch.equal(one, two)
