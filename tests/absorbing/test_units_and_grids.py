"""Which units a table has, and the cells of rough numbers."""

from __future__ import annotations

import numpy as np
from small_table import LAYOUT, UNITS, encoded

from tabgraphsyn.models.absorbing.columns.grids import FINE, grids
from tabgraphsyn.models.absorbing.columns.units import Units


def timetable(rows: int, values: int, seed: int = 0) -> np.ndarray:
    """Numbers of which some occur far more often than their neighbours."""
    rng = np.random.default_rng(seed)
    shares = rng.gamma(0.5, 1, values) + 0.02
    return np.asarray(rng.choice(np.sort(rng.choice(5 * values, values, replace=False)), rows, p=shares / shares.sum()))


def test_a_gate_comes_before_what_it_gates_and_digits_in_order() -> None:
    for group in UNITS.groups:
        digits = [unit.digit for unit in group if unit.kind == "digit" and unit.field == 1]
        assert digits == sorted(digits)
    gated = next(group for group in UNITS.groups if len(group) > 2)
    assert gated[0].kind == "level" and gated[0].field == 1 and {unit.field for unit in gated[1:]} == {0, 2}
    assert sorted(unit.field for unit in UNITS.all if unit.kind == "level") == [0, 1, 2]
    assert Units.from_dict(UNITS.to_dict(), LAYOUT) == UNITS


def test_arbitrary_repeats_are_rough_and_smooth_numbers_are_not() -> None:
    rng = np.random.default_rng(0)
    minutes = np.rint(rng.gamma(2, 15, 6000))  # repeated, as delays are
    for values, is_rough in ((timetable(6000, 150), True), (minutes, False), (rng.normal(size=6000), False)):
        found = grids(encoded(values), [None], np.arange(6000))
        assert (found[0] is not None) is is_rough


def test_every_cell_is_held_by_enough_entities_and_holds_its_values() -> None:
    values = timetable(6000, 250)
    entities = np.arange(6000) // 40  # a few entities hold a rare value
    table = encoded(values)
    grid = grids(table, [None], entities)[0]
    assert grid is not None
    codes = grid.codes(table.numerical[:, 0].mean(axis=1))
    for code in np.unique(codes, axis=0):
        assert len(np.unique(entities[(codes == code).all(axis=1)])) >= 5
    cell = grid.edges[codes[:, 0], codes[:, 1]]
    inside = (cell[:, 0] <= table.numerical[:, 0, 0] + 1e-6) & (table.numerical[:, 0, 1] <= cell[:, 1] + 1e-6)
    assert inside.mean() > 0.9
    assert (codes[:, 1] < grid.parts[codes[:, 0]]).all()
    counted = np.zeros_like(grid.rows)
    np.add.at(counted, tuple(codes.T), 1)
    assert np.abs(grid.rows - counted).sum() < 60 and grid.rows.sum() == 6000  # a value half-way rounds either way


def test_many_levels_are_two_digits_and_a_small_table_has_none() -> None:
    many = grids(encoded(timetable(40_000, 1500)), [None], np.arange(40_000))[0]
    assert many is not None and many.digits.coarse <= 64 and 1 < many.digits.fine <= FINE
    assert grids(encoded(timetable(300, 60)), [None], np.arange(300))[0] is None
