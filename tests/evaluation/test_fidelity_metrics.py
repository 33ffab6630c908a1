"""Fidelity metrics: hand-computed values, agreement with SDMetrics' reports, and what must hold of any data."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.evaluation.metric.c2st import C2ST
from tabgraphsyn.evaluation.metric.c2st_agg import C2STAgg
from tabgraphsyn.evaluation.metric.cardinality import Cardinality
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.detection_rf import DetectionRF
from tabgraphsyn.evaluation.metric.jaccard import Jaccard
from tabgraphsyn.evaluation.metric.keys import Keys
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.ks import KS
from tabgraphsyn.evaluation.metric.marginal_mae import MarginalMAE
from tabgraphsyn.evaluation.metric.marginal_rmse import MarginalRMSE
from tabgraphsyn.evaluation.metric.newrow import NewRow
from tabgraphsyn.evaluation.metric.null_rates import NullRates
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.metric.sdmetrics_diagnostic import SDMetricsDiagnostic
from tabgraphsyn.evaluation.metric.sdmetrics_quality import SDMetricsQuality
from tabgraphsyn.evaluation.metric.wasserstein import Wasserstein
from tabgraphsyn.evaluation.score import Score, Unscored
from tabgraphsyn.evaluation.sides.relatives import with_aggregates

EXACT = [ColumnShapes(), PairTrends(), KHopTrends(), Cardinality(), NullRates(), KS(), Wasserstein(), Jaccard()]
ALL = ("synthetic", "real_real", "independent", "copy")


def named(metrics):
    return pytest.mark.parametrize("metric", metrics, ids=lambda metric: metric.name)


def scores(results):
    return [result for result in results if isinstance(result, Score)]


def permuted(rows, seed=0):
    """The same rows of every table in another order."""
    rng = np.random.default_rng(seed)
    for name, columns in rows.items():
        order = pa.array(rng.permutation(len(next(iter(columns.values())))))
        rows[name] = {column: values.take(order) for column, values in columns.items()}


@named([*EXACT, MarginalMAE(), MarginalRMSE()])
def test_real_against_itself_is_perfect(metric, shop, evaluation):
    found = scores(metric.compute(evaluation(shop(), shop(), wanted=("synthetic",))))
    assert found
    best = 0.0 if metric.direction == "lower" else 1.0
    assert all(score.value == pytest.approx(best, abs=1e-12) for score in found)


@named(EXACT)
def test_the_order_of_rows_does_not_matter(metric, shop, evaluation):
    plain = metric.compute(evaluation(shop(), shop(1), wanted=("synthetic",)))
    other = metric.compute(evaluation(shop(change=permuted), shop(1, change=permuted), wanted=("synthetic",)))
    assert [(r.where, getattr(r, "value", None)) for r in plain] == [
        (r.where, pytest.approx(r.value, abs=1e-9) if isinstance(r, Score) else None) for r in other
    ]


def test_column_shapes_by_hand(one_table, evaluation, value):
    real = one_table(
        {"x": ("numerical", pa.array([1.0, 2, 3, 4])), "c": ("categorical", pa.array(["a", "a", "b", "b"]))}
    )
    other = one_table(
        {"x": ("numerical", pa.array([3.0, 4, 5, 6])), "c": ("categorical", pa.array(["a", "b", "b", "z"]))}
    )
    found = ColumnShapes().compute(evaluation(real, other, wanted=("synthetic",)))
    assert value(found, "t.x") == 0.5
    assert value(found, "t.c") == 0.75
    assert value(found, "t") == value(found, "database") == 0.625


def test_marginals_wasserstein_jaccard_by_hand(one_table, evaluation, value):
    real = one_table(
        {"x": ("numerical", pa.array([0.0, 2, 0, 2])), "c": ("categorical", pa.array(["a", "a", "b", "b"]))}
    )
    other = one_table(
        {"x": ("numerical", pa.array([1.0, 3, 1, 3])), "c": ("categorical", pa.array(["a", "b", "b", "z"]))}
    )
    data = evaluation(real, other, wanted=("synthetic",))
    assert value(Wasserstein().compute(data), "t.x") == 1.0  # moved by 1, and the real deviation is 1
    assert value(Jaccard().compute(data), "t.c") == pytest.approx(2 / 3)
    # shares .5 .5 0 and none missing against .25 .5 .25
    assert value(MarginalMAE().compute(data), "t.c") == pytest.approx(0.5 / 4)
    assert value(MarginalRMSE().compute(data), "t.c") == pytest.approx((2 * 0.25**2 / 4) ** 0.5)
    assert value(KS().compute(data), "t.x") == 0.5


def test_trends_and_shapes_agree_with_sdmetrics(shop, evaluation, value):
    data = evaluation(shop(0), shop(5), wanted=("synthetic",))
    report = SDMetricsQuality().compute(data)
    assert value(ColumnShapes().compute(data), "database") == pytest.approx(value(report, "Column Shapes"), abs=1e-5)
    assert value(Cardinality().compute(data), "database") == pytest.approx(value(report, "Cardinality"), abs=1e-12)
    # SDMetrics leaves constant columns out only where two numbers meet, as we do.
    pairs = PairTrends(own_edges=True).compute(data)
    assert value(pairs, "database") == pytest.approx(value(report, "Column Pair Trends"), abs=1e-9)
    hops = KHopTrends(own_edges=True).compute(data)
    assert value(hops, "1-hop") == pytest.approx(value(report, "Intertable Trends"), abs=1e-9)
    assert value(report, "database") > 0.9


def test_diagnostic_is_one_for_real_rows_and_not_for_broken_keys(shop, evaluation, value):
    def orphans(rows):
        rows["orders"]["buyer"] = pa.array(np.arange(900) + 10_000)

    whole = SDMetricsDiagnostic().compute(evaluation(shop(), shop(1)))
    broken = SDMetricsDiagnostic().compute(evaluation(shop(), shop(1, change=orphans)))
    assert value(broken, "Relationship Validity") < 0.95 < 0.99 < value(whole, "Relationship Validity")


def test_a_shuffled_column_loses_its_trends_but_not_its_shape(shop, evaluation, value):
    def shuffled(rows):
        order = pa.array(np.random.default_rng(0).permutation(900))
        rows["orders"]["amount"] = rows["orders"]["amount"].take(order)

    data = evaluation(shop(), shop(change=shuffled), wanted=("synthetic",))
    assert value(ColumnShapes().compute(data), "orders.amount") == 1.0
    assert value(PairTrends().compute(data), "orders.amount ~ orders.kind") < 0.8
    hops = {score.where: score for score in scores(KHopTrends().compute(data))}
    assert hops["orders.buyer--customer"].value < 0.93
    assert "orders.amount" in hops["orders.buyer--customer"].detail["worst"][0]["where"]


def test_two_keys_to_one_parent_are_scored_apart(shop, evaluation, value):
    def shuffled_buyers(rows):
        rows["orders"]["buyer"] = rows["orders"]["buyer"].take(pa.array(np.random.default_rng(0).permutation(900)))

    data = evaluation(shop(), shop(change=shuffled_buyers), wanted=("synthetic",))
    found = KHopTrends().compute(data)
    assert value(found, "orders.buyer--customer") < 0.95
    assert value(found, "orders.payer--customer") == pytest.approx(1.0)
    names = {feature.name for feature in with_aggregates(data.comparisons[0].candidate, "customer")}
    assert {"count(orders.buyer)", "count(orders.payer)", "mean(orders.payer: amount)"} <= names


def test_aggregates_by_hand(shop, evaluation):
    def few(rows):
        rows["orders"] |= {
            "buyer": pa.array([0, 0, 0] + [None] * 897, pa.int64()),
            "amount": pa.array([1.0, None, 5.0] + [9.0] * 897),
            "kind": pa.array(["a", "b", "a"] + ["c"] * 897),
        }

    side = evaluation(shop(change=few), shop()).comparisons[0].reference
    made = {feature.name: feature.values for feature in with_aggregates(side, "customer")}
    assert made["count(orders.buyer)"][:2].tolist() == [3.0, 0.0]
    assert made["mean(orders.buyer: amount)"][0] == 3.0 and np.isnan(made["mean(orders.buyer: amount)"][1])
    assert made["nunique(orders.buyer: kind)"][:2].tolist() == [2.0, 0.0]


def test_classifiers_tell_independent_columns_and_not_fresh_rows(shop, evaluation, value):
    found = C2ST(rounds=20).compute(evaluation(shop(0), shop(7), wanted=ALL))
    assert 0.4 < value(found, "orders") < 0.58
    assert 0.35 < value(found, "orders", "real_real") < 0.62
    assert value(found, "orders", "independent") > 0.7
    assert value(found, "customer", "copy") < 0.5  # rows repeat across the sides
    forest = DetectionRF(trees=15).compute(evaluation(shop(0), shop(7), wanted=("synthetic", "independent")))
    assert value(forest, "orders") > 0.8 > 0.6 > value(forest, "orders", "independent")


def test_families_give_independent_columns_away(shop, evaluation, value):
    found = C2STAgg(rounds=20).compute(evaluation(shop(0), shop(7), wanted=("synthetic", "real_real", "independent")))
    assert value(found, "customer") < 0.6
    assert value(found, "customer", "independent") > 0.8
    worst = max(score.value for score in scores(found) if score.level == "table" and score.comparison == "independent")
    assert value(found, "database", "independent") == worst


def test_scores_come_again_with_the_same_seed(shop, evaluation):
    first, second, other = (
        C2ST(rounds=2, folds=2).compute(evaluation(shop(), shop(1), seed=seed, wanted=ALL)) for seed in (0, 0, 1)
    )
    assert [r.to_dict() for r in first] == [r.to_dict() for r in second]
    assert [r.to_dict() for r in first] != [r.to_dict() for r in other]


def test_new_rows_agree_with_sdmetrics(one_table, evaluation, value):
    from sdmetrics.single_table import NewRowSynthesis

    rng = np.random.default_rng(0)

    def rows(seed):
        rng = np.random.default_rng(seed)
        return {
            "x": ("numerical", pa.array(rng.integers(1, 30, 150).astype(float), mask=rng.random(150) < 0.2)),
            "c": ("categorical", pa.array([f"c{v}" for v in rng.integers(0, 3, 150)])),
        }

    real, other = one_table(rows(1)), one_table(rows(2))
    metadata = {"columns": {"x": {"sdtype": "numerical"}, "c": {"sdtype": "categorical"}}}
    expected = NewRowSynthesis.compute(real["t"].read().to_pandas(), other["t"].read().to_pandas(), metadata)
    found = NewRow().compute(evaluation(real, other, wanted=("synthetic",)))
    assert value(found, "t") == pytest.approx(expected)
    assert 0 < expected < 1 and rng is not None


def test_broken_keys_are_scored_as_failures(shop, evaluation, value):
    def broken(rows):
        rows["orders"]["payer"] = pa.array([0] * 450 + [99_999] * 450)
        rows["customer"]["id"] = pa.array([0] * 30 + list(range(30, 300)))

    found = Keys().compute(evaluation(shop(), shop(change=broken), wanted=("synthetic",)))
    assert value(found, "orders.payer--customer") == 0.5
    assert value(found, "customer") == pytest.approx(1 - 29 / 300)
    assert value(found, "database") == 0.5


def test_null_keys_are_scored(shop, evaluation, value):
    def all_given(rows):
        rows["orders"]["payer"] = rows["orders"]["buyer"]

    found = NullRates().compute(evaluation(shop(), shop(change=all_given), wanted=("synthetic",)))
    share = shop()["orders"].column("payer").null_count / 900
    assert value(found, "orders.payer--customer") == pytest.approx(1 - share)


def test_columns_that_real_data_leaves_empty_are_unscored_with_a_reason(shop, evaluation):
    found = ColumnShapes().compute(evaluation(shop(), shop(1), wanted=("synthetic",)))
    unscored = [result for result in found if isinstance(result, Unscored)]
    assert [result.where for result in unscored] == ["customer.empty"]
    pairs = [
        r for r in PairTrends().compute(evaluation(shop(), shop(1), wanted=("synthetic",))) if isinstance(r, Unscored)
    ]
    assert {r.where for r in pairs} == {
        "customer.age ~ customer.empty",
        "customer.age ~ customer.constant",
        "customer.empty ~ customer.constant",
    }
