"""Column pictures: bins, categories, facts and reasons."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tabgraphsyn.data.schema import Column
from tabgraphsyn.evaluation.report.column_panels import _binned, column_panel, grid_step, make_bins
from tabgraphsyn.evaluation.report.columns import ColumnSide, ColumnView, plain_values
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.worst import reason

OPTIONS = ReportOptions()
FINITE = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e12, 1e12))


def numbers(real: list[float] | np.ndarray, synthetic: list[float] | np.ndarray, rows: int | None = None) -> ColumnView:
    sides = [np.asarray(side, dtype=float) for side in (real, synthetic)]
    column = Column("c", "numerical")
    return ColumnView("t", column, "number", *(ColumnSide(side, rows or len(side)) for side in sides))


def categories(real: dict[str, int], synthetic: dict[str, int]) -> ColumnView:
    sides = [np.array([n for n, k in side.items() for _ in range(k)], dtype=object) for side in (real, synthetic)]
    return ColumnView("t", Column("c", "categorical"), "category", *(ColumnSide(side, len(side)) for side in sides))


@given(real=FINITE, synthetic=FINITE, bins=st.integers(2, 50))
@example(real=np.array([5e-324]), synthetic=np.array([0.0]), bins=2)
def test_bins_hold_every_value_and_stay_few(real: np.ndarray, synthetic: np.ndarray, bins: int) -> None:
    found = make_bins(real, synthetic, bins)
    assert len(found.edges) <= bins + 2
    assert np.all(np.diff(found.edges) > 0)
    for side in (real, synthetic):
        assert _binned(side, found.edges).sum() == pytest.approx(1)


def test_whole_numbers_get_bins_of_whole_numbers() -> None:
    found = make_bins(np.arange(18.0, 80.0), np.arange(18.0, 80.0), 36)
    assert np.allclose(np.diff(found.edges), 2)
    assert found.edges[0] == 17.5
    assert found.first[0] == 18
    assert found.last[0] == 19


def test_days_get_bins_of_days() -> None:
    days = np.arange(31) * 86_400e6
    found = make_bins(days, days, 36)
    assert len(found.edges) == 32
    assert grid_step(days + 3_600e6) == 3_600e6
    assert grid_step(np.array([0.5])) is None


def test_one_wild_value_does_not_squeeze_the_real_shape() -> None:
    real = np.linspace(0, 1.01, 1000)
    found = make_bins(real, np.full(1000, 1e9), 36)
    assert found.edges[-1] <= 2.1


def test_rare_categories_are_not_named_and_invented_ones_are_counted() -> None:
    panel = column_panel(categories({"often": 90, "seldom": 4}, {"often": 50, "new": 44}), OPTIONS)
    assert "often" in panel.picture
    assert "seldom" not in panel.picture
    assert "1 other" in panel.picture
    assert "not in real" in panel.picture
    assert "new" not in panel.picture


def test_column_of_names_shows_none() -> None:
    panel = column_panel(categories({f"person {i}": 1 for i in range(30)}, {"person 1": 30}), OPTIONS)
    assert "person" not in panel.picture
    assert "none is named" in panel.note


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_side_without_values_says_so(side: str) -> None:
    view = numbers([], [1.0], rows=5) if side == "real" else numbers([1.0], [], rows=5)
    assert f"every {side} value is missing" in column_panel(view, OPTIONS).note


def test_facts_are_the_moments_of_both_sides() -> None:
    facts = {fact.name: fact for fact in column_panel(numbers([1, 2, 3], [2, 4, 6]), OPTIONS).facts}
    assert (facts["mean"].real, facts["mean"].synthetic) == ("2", "4")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (numbers(np.linspace(0, 10, 101), np.linspace(5, 15, 101)), "the middle lies 5 too high"),
        (numbers(np.linspace(0, 10, 101), np.linspace(4.5, 5.5, 101)), "too narrow"),
        (numbers(np.zeros(100), np.linspace(-1, 1, 100)), "the value 0 comes too rarely"),
        (numbers(np.linspace(0, 1, 90), np.linspace(0, 1, 50), rows=100), "too many missing values"),
        (categories({"a": 50, "b": 50}, {"a": 90, "b": 10}), "'a' comes too often (90"),
        (categories({"a": 50, "b": 50}, {"a": 50, "c": 50}), "the real data does not have"),
        (numbers(np.linspace(0, 1, 100), np.linspace(0, 1, 100)), "no single difference"),
    ],
)
def test_reason_names_the_largest_difference(view: ColumnView, words: str) -> None:
    assert words.lower() in reason(view).lower().replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(("rows", "is_named"), [(4, False), (5, True)])
def test_a_real_value_of_fewer_than_five_rows_is_not_named(rows: int, is_named: bool) -> None:
    real = np.r_[np.linspace(0, 1, 40), np.full(rows - 1, 1.0)]
    assert ("the value 1 " in reason(numbers(real, np.linspace(0, 0.99, 40))).lower()) is is_named
    held = categories({"a": 40, "c": 40, "b": rows}, {"a": 42, "c": 38 + rows})
    assert ("'b'" in reason(held)) is is_named


def test_values_are_read_like_the_real_type() -> None:
    stamps = pa.chunked_array([pa.array([0, None, 86_400], pa.timestamp("s"))])
    assert plain_values(stamps, "date").tolist() == [0.0, 86_400e6]
    assert plain_values(pa.chunked_array([["ab", None]]), "length").tolist() == [2.0]
    assert plain_values(pa.chunked_array([[True, False]]), "category").tolist() == ["true", "false"]
    encoded = pa.chunked_array([pa.array(["x", "y"]).dictionary_encode()])
    assert plain_values(encoded, "category").tolist() == ["x", "y"]
