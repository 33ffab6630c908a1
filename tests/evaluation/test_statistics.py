"""Own statistics: hand-computed values, and agreement with SDMetrics and SciPy."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.single_column import KSComplement, TVComplement

from tabgraphsyn.evaluation.metric.ks import KS
from tabgraphsyn.evaluation.metric.wasserstein import Wasserstein
from tabgraphsyn.evaluation.score import Score
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.joint import Aligned, Selected, contingency, pearson
from tabgraphsyn.evaluation.statistics.statistics import (
    binned,
    known,
    ks_distance,
    tv_distance,
    wasserstein,
)

numbers = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=60).map(np.array)
codes = st.lists(st.integers(-1, 4), min_size=1, max_size=60).map(lambda v: np.array(v, np.int32))


def number(values, name="x"):
    return Feature(name, "numerical", np.asarray(values, np.float64))


def category(values, levels=5, name="c"):
    return Feature(name, "categorical", np.asarray(values, np.int32), levels)


def aligned(left, right):
    return Aligned(Selected(left), Selected(right))


def correlation(left, right):
    return pearson(aligned(number(left), number(right)))


def as_series(values):
    return pd.Series([None if v < 0 else f"level{v}" for v in values], dtype=object)


def test_ks_by_hand():
    assert ks_distance(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])) == 0.5
    assert ks_distance(np.array([1.0]), np.array([])) == 1.0
    assert ks_distance(np.array([]), np.array([])) == 0.0


@settings(max_examples=40, deadline=None)
@given(numbers, numbers)
def test_ks_is_that_of_sdmetrics(left, right):
    assert 1 - ks_distance(left, right) == pytest.approx(KSComplement.compute(pd.Series(left), pd.Series(right)))


def test_total_variation_by_hand():
    # shares 2/3 1/3 of what is given against 1/4 3/4
    assert tv_distance(category([0, 0, 1, -1], 2), category([0, 1, 1, 1], 2)) == pytest.approx(5 / 12)
    assert tv_distance(category([0, 0], 2), category([-1], 2)) == 1.0


@settings(max_examples=40, deadline=None)
@given(codes, codes)
def test_total_variation_is_that_of_sdmetrics(left, right):
    left, right = np.append(left, 0), np.append(right, 1)  # SDMetrics refuses columns without values
    expected = TVComplement.compute(as_series(left), as_series(right))
    # SDMetrics adds 1e-6 to a share of zero.
    assert 1 - tv_distance(category(left), category(right)) == pytest.approx(expected, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(codes, codes, st.randoms(use_true_random=False))
def test_contingency_is_that_of_sdmetrics(left, right, random):
    def shuffled(values):
        return np.array(random.sample(list(values), len(values)), np.int32)

    real, other = (left, shuffled(left)), (right, shuffled(right))
    frames = [pd.DataFrame({"a": as_series(side[0]), "b": as_series(side[1])}) for side in (real, other)]
    expected = ContingencySimilarity.compute(*frames)
    ours = contingency(aligned(*map(category, real)), aligned(*map(category, other))).similarity
    assert ours == pytest.approx(expected)


def test_contingency_of_large_tables_is_counted_alike(monkeypatch):
    rng = np.random.default_rng(0)
    pairs = [aligned(*(category(rng.integers(-1, 5, 200)) for _ in range(2))) for _ in range(2)]
    dense = contingency(*pairs).similarity
    monkeypatch.setattr("tabgraphsyn.evaluation.statistics.joint.LARGEST_TABLE", 3)
    assert contingency(*pairs).similarity == pytest.approx(dense)


def test_numbers_meet_categories_in_the_bins_of_the_real_column():
    rng = np.random.default_rng(1)
    real, other = rng.normal(0, 1, 300), rng.normal(0.5, 2, 200)
    kinds = [rng.integers(0, 3, len(side)) for side in (real, other)]
    frames = [pd.DataFrame({"x": side, "k": as_series(kind)}) for side, kind in zip((real, other), kinds, strict=True)]
    expected = ContingencySimilarity.compute(*frames, continuous_column_names=["x"])
    left, right = binned(number(real), number(other), bins=10, own_edges=False)
    sides = aligned(left, category(kinds[0])), aligned(right, category(kinds[1]))
    assert contingency(*sides).similarity == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(numbers)
def test_pearson_is_that_of_scipy(left):
    right = np.roll(left, 1) + np.arange(len(left))
    ours = correlation(left, right)
    if ours is None:
        assert np.ptp(left) == 0 or np.ptp(right) == 0
    else:
        assert ours == pytest.approx(scipy.stats.pearsonr(left, right).statistic, abs=1e-9)


def test_pearson_of_timestamps_keeps_its_digits():
    seconds = 1.7e9 + np.arange(1000.0)
    assert correlation(seconds, np.arange(1000.0)) == pytest.approx(1.0, abs=1e-12)


def test_pearson_leaves_out_rows_with_a_missing_part():
    left, right = np.array([1, 2, 3, np.nan, 5]), np.array([2, 4, 6, 8, np.nan])
    assert correlation(left, right) == pytest.approx(1.0)
    assert correlation(np.array([1.0, np.nan]), np.array([1.0, 2.0])) is None


def test_correlation_similarity_is_that_of_sdmetrics():
    rng = np.random.default_rng(2)
    real, other = rng.normal(size=(100, 2)), rng.normal(size=(80, 2)) @ np.array([[1, 0.7], [0, 1]])
    expected = CorrelationSimilarity.compute(pd.DataFrame(real), pd.DataFrame(other))
    gap = abs(correlation(*real.T) - correlation(*other.T))
    assert 1 - gap / 2 == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(numbers, numbers)
def test_wasserstein_is_that_of_scipy(left, right):
    assert wasserstein(left, right) == pytest.approx(scipy.stats.wasserstein_distance(left, right))


@pytest.mark.parametrize("metric", [KS(), Wasserstein()], ids=lambda metric: metric.name)
def test_scores_of_columns_are_those_of_scipy(metric, shop, evaluation):
    """Of whole metrics, with missing values, ties and dates."""
    data = evaluation(shop(0), shop(1, orders=700), wanted=("synthetic",))
    scores = {result.where: result.value for result in metric.compute(data) if isinstance(result, Score)}
    compared = 0
    for table in ("customer", "orders"):
        for real, other in data.comparisons[0].feature_pairs(table):
            if f"{table}.{real.name}" in scores:
                left, right = known(real), known(other)
                expected = {
                    "ks": lambda left, right: scipy.stats.ks_2samp(left, right, method="asymp").statistic,
                    "wasserstein": lambda left, right: scipy.stats.wasserstein_distance(left, right) / left.std(),
                }[metric.name](left, right)
                assert scores[f"{table}.{real.name}"] == pytest.approx(expected, rel=1e-9)
                compared += 1
    assert compared >= 3
