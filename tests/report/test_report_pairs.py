"""Associations between columns: hand-computed values and properties."""

from __future__ import annotations

import numpy as np
import pytest

from tabgraphsyn.evaluation.report.associations import association, association_view, associations
from tabgraphsyn.evaluation.report.gather import largest_gap
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.sources import ReportSources
from tabgraphsyn.evaluation.statistics.feature import Feature


def number(values: list[float]) -> Feature:
    return Feature("n", "numerical", np.array(values, dtype=float))


def category(codes: list[int]) -> Feature:
    return Feature("c", "categorical", np.array(codes, dtype=np.int32), max(codes) + 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (number([1, 2, 3, 4]), number([2, 4, 6, 8]), 1.0),
        (number([1, 2, 3, 4]), number([8, 6, 4, 2]), -1.0),
        (number([1, 2, 3, np.nan]), number([1, 3, 2, 9]), 0.5),
        (category([0, 0, 1, 1]), category([0, 0, 1, 1]), 1.0),
        (category([0, 0, 1, 1]), category([0, 1, 0, 1]), 0.0),
        # chi squared of [[3, 1], [1, 3]] is 2 of 8 rows: V = sqrt(2 / 8)
        (category([0, 0, 0, 0, 1, 1, 1, 1]), category([0, 0, 0, 1, 0, 1, 1, 1]), 0.5),
        # means 1 and 3, values 0 2 2 4: between 4 of 8 in all
        (category([0, 0, 1, 1]), number([0, 2, 2, 4]), 0.5**0.5),
        (category([0, 0, -1, 1, 1]), number([0, 2, 99, 2, 4]), 0.5**0.5),
    ],
)
def test_values_computed_by_hand(first: Feature, second: Feature, expected: float) -> None:
    assert association(first, second) == pytest.approx(expected)
    assert association(second, first) == pytest.approx(expected)


def test_constant_column_has_no_association() -> None:
    assert np.isnan(association(number([1, 1, 1]), number([1, 2, 3])))
    assert np.isnan(association(category([0, 0, 0]), category([0, 1, 0])))


def test_many_levels_are_pooled() -> None:
    codes = category(list(range(1000)))
    assert association(codes, number(list(map(float, range(1000))))) < 0.5


def test_matrix_is_symmetric(sources: ReportSources) -> None:
    view = association_view(sources, "customers", ReportOptions())
    assert view is not None
    assert view.rows == 600
    assert np.array_equal(view.real, view.real.T, equal_nan=True)
    assert "age" in view.columns
    assert "remark" not in view.columns
    assert "real " in largest_gap(view)


def test_equal_matrices_have_no_gap(sources: ReportSources) -> None:
    matrix = associations([number([1, 2, 3]), number([3, 1, 2])])
    view = association_view(sources, "customers", ReportOptions())
    assert view is not None
    same = type(view)("t", ("a", "b"), matrix, matrix, 0, 3)
    assert largest_gap(same) == ""
