"""Intervals, tests and corrections against hand-computed values and scipy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tabgraphsyn.evaluation.campaign.inference import contrast, holm, mean_interval


def test_mean_interval_is_students() -> None:
    values = [0.61, 0.64, 0.66, 0.60]
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.seeds == 4


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6]])
def test_below_three_seeds_there_is_no_interval(values: list[float]) -> None:
    found = mean_interval(values)
    assert found.low is None
    assert found.high is None
    assert found.mean == pytest.approx(np.mean(values))


def test_common_seeds_are_paired() -> None:
    first = {"0": 0.60, "1": 0.72, "2": 0.65, "9": 0.1}
    second = {"0": 0.58, "1": 0.69, "2": 0.64, "8": 0.9}
    found = contrast(first, second)
    expected = stats.ttest_rel([0.60, 0.72, 0.65], [0.58, 0.69, 0.64])
    assert found.is_paired
    assert found.seeds == 3
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_other_seeds_are_two_samples() -> None:
    first, second = {"0": 0.60, "1": 0.72, "2": 0.65}, {"3": 0.58, "4": 0.50, "5": 0.66, "6": 0.61}
    found = contrast(first, second)
    expected = stats.ttest_ind(list(first.values()), list(second.values()), equal_var=False)
    assert not found.is_paired
    assert found.p == pytest.approx(expected.pvalue)


def test_two_seeds_make_no_statement() -> None:
    found = contrast({"0": 0.1, "1": 0.2}, {"0": 0.9, "1": 0.8})
    assert found.p is None
    assert found.low is None
    assert "no statement is possible" in found.note
    assert found.difference == pytest.approx(-0.7)


def test_what_seeds_do_not_touch_is_not_tested() -> None:
    """A t test of no spread at all would call any difference certain."""
    assert contrast(dict.fromkeys("012", 0.9), dict.fromkeys("012", 0.9)).note == "equal in every seed"
    found = contrast(dict.fromkeys("012", 0.9), dict.fromkeys("012", 0.8))
    assert found.p is None
    assert found.difference == pytest.approx(0.1)
    assert "nothing about chance" in found.note


def test_holm_by_hand_never_below_plain_and_in_order() -> None:
    assert holm([0.01, 0.02, 0.03]) == [0.03, 0.04, 0.04]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([None, 0.04]) == [None, 0.04]
    assert holm([]) == []


def test_false_findings_are_rare_among_equal_models() -> None:
    """Five equal models, three seeds, 300 campaigns: some pair is called significant in about one of twenty."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        values = rng.normal(size=(5, 3))
        pairs = [(a, b) for a in range(5) for b in range(a)]
        found = [contrast(*({str(i): v for i, v in enumerate(values[each])} for each in pair)) for pair in pairs]
        alarms += any(p is not None and p < 0.05 for p in holm([each.p for each in found]))
    assert alarms / 300 < 0.08
