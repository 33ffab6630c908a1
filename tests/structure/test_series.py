"""Rows of published parents in periods: new rows stand in periods of their own and have the keys of like ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import Skeleton, Topology
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.series import Series
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure

SHIFTS, DAYS = 6, 28


def wards() -> Topology:
    """Shifts of two published wards, six a day; two admissions in each second shift of a day, one row in nine held."""
    rng = np.random.default_rng(0)
    every = np.arange(SHIFTS * DAYS)
    kept = [np.sort(rng.choice(every, len(every) * 8 // 9, replace=False)) for _ in range(2)]
    place, ward = np.concatenate(kept), np.repeat([0, 1], [len(one) for one in kept])
    admitted = np.repeat(np.arange(len(place)), np.where(place % SHIFTS == 2, 2, 0))
    columns = {"wards": ("id",), "shifts": ("id", "ward"), "admissions": ("shift",)}
    tables = [TableSchema(name, tuple(Column(one, "id") for one in own), own[:1]) for name, own in columns.items()]
    links = (
        Relation("shifts", ("ward",), "wards", ("id",)),
        Relation("admissions", ("shift",), "shifts", ("id",)),
    )
    tables[2] = replace(tables[2], primary_key=())
    rows = {"wards": 2, "shifts": len(place), "admissions": len(admitted)}
    names = [one.name for one in links]
    plan = {
        "order": list(rows),
        "driver": {"wards": None, "shifts": names[0], "admissions": names[1]},
        "reference_tables": ["wards"],
        "real_rows": {**rows, "shifts": 2 * len(every)},
        "training_rows": rows,
    }
    pointers = dict(zip(names, (ward, admitted), strict=True))
    keys = learn_rules(Schema(tuple(tables), links), Plan.from_dict(plan), pointers)
    series = Series(names[0], len(every), (7 * SHIFTS, SHIFTS), place)
    return Topology(keys, rows, pointers, {"shifts": series})


def by_shift(grown: Skeleton) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shift_ward, admission = grown.pointers.values()
    return shift_ward, grown.places["shifts"], np.bincount(admission, minlength=grown.rows["shifts"])


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_numbers_of_children_stand_at_their_hours(scale: float) -> None:
    model = SkeletonStructure()
    model.fit(wards())
    grown = model.grow(scale=scale, rows=None, seed=4)
    ward, place, admissions = by_shift(grown)
    rounds = max(1, round(scale))
    assert len(place) == round(scale * 2 * SHIFTS * DAYS)
    assert np.bincount(ward * SHIFTS * DAYS + place).max() == rounds
    # Held-out shifts have the numbers of the same hour: none has admissions at another one.
    assert admissions[place % SHIFTS != 2].sum() == 0
    assert (admissions[place % SHIFTS == 2] > 0).mean() > 0.95


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_counts_alone_say_when_rows_stand_and_what_they_have(scale: float) -> None:
    fitted, model = DegreesStructure(), DegreesStructure()
    fitted.fit(wards())
    arrays, state = fitted.to_arrays()
    assert all(array.size < SHIFTS * DAYS + 1 or "kinds" in name for name, array in arrays.items())
    model.from_arrays(arrays, json.loads(json.dumps(state)))
    ward, place, admissions = by_shift(model.grow(scale=scale, rows=None, seed=4))
    assert len(place) == round(scale * 2 * SHIFTS * DAYS)
    assert np.bincount(ward * SHIFTS * DAYS + place).max() == max(1, round(scale))
    assert admissions[place % SHIFTS != 2].sum() == 0
    assert (admissions[place % SHIFTS == 2] > 0).mean() > 0.95
    for damaged in (
        {**arrays, "shifts/periods": -arrays["shifts/periods"]},
        {**arrays, "wards/periods": arrays["shifts/periods"]},
    ):
        with pytest.raises(DataError):
            DegreesStructure().from_arrays(damaged, state)
    with pytest.raises(DataError):
        DegreesStructure().from_arrays(arrays, {**state, "standing": {}})


def test_whole_grids_are_filled_and_in_order() -> None:
    model = SkeletonStructure()
    model.fit(wards())
    ward, place, _ = by_shift(model.grow(scale=1, rows=None, seed=0))
    for one in range(2):
        assert place[ward == one].tolist() == list(range(SHIFTS * DAYS))


def test_no_row_has_the_keys_of_its_own_period() -> None:
    series = wards().series["shifts"]
    whole = np.arange(series.periods)
    full = replace(series, place=np.tile(whole, 2))
    row, place = full.drawn(np.repeat([0, 1], len(whole)), 2 * len(whole), 1.0, np.random.default_rng(1))
    behind = full.place[row]
    assert (behind != place).all() and ((behind - place) % (7 * SHIFTS) == 0).all()
    assert len(np.unique(row)) == len(row)
    # Four weeks: the first two change places, and the last two.
    assert (np.abs(behind - place) == 7 * SHIFTS).all()


@pytest.mark.parametrize("cycles", [7, 9, 11, 52])
def test_cycles_change_places_with_near_ones_and_every_turn_with_others(cycles: int) -> None:
    """A season has the keys of that season, also where the last cycle is a part of one."""
    periods = cycles * 24 - 10
    series = Series("r", periods, (24,), np.arange(periods))
    moved = [series._moved(np.arange(periods), turn) for turn in range(cycles - 2)]
    for turn, found in enumerate(moved):
        assert (np.sort(found) == np.arange(periods)).all() and (found % 24 == np.arange(periods) % 24).all()
        assert (found != np.arange(periods)).all()
        assert np.abs(found - np.arange(periods)).max() <= 3 * (turn + 1) * 24
    assert np.abs(moved[0] - np.arange(periods)).max() <= 2 * 24
    assert len({found.tobytes() for found in moved}) == len(moved)


def test_places_travel_and_damaged_ones_are_refused() -> None:
    model, again = SkeletonStructure(), SkeletonStructure()
    model.fit(wards())
    arrays, state = model.to_arrays()
    again.from_arrays(arrays, state)
    grown = [one.grow(scale=1, rows=None, seed=2) for one in (model, again)]
    assert (grown[0].places["shifts"] == grown[1].places["shifts"]).all()
    name = next(name for name in arrays if name.startswith("place of "))
    for damaged in ({**arrays, name: arrays[name] + 10_000}, {**arrays, name: arrays[name][:-1]}):
        with pytest.raises(DataError):
            SkeletonStructure().from_arrays(damaged, state)
    with pytest.raises(DataError):
        SkeletonStructure().from_arrays(arrays, {**state, "series": {}})
