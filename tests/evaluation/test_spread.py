"""The spread of a score: it is what redrawing the entities would show, and every fidelity score of size has one."""

import math

import numpy as np
import pytest
from privacy_cases import chosen, evaluated, people

from tabgraphsyn.evaluation.column_metric import ColumnMetric
from tabgraphsyn.evaluation.metric.c2st import C2ST
from tabgraphsyn.evaluation.metric.cardinality import Cardinality
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.jaccard import Jaccard
from tabgraphsyn.evaluation.metric.keys import Keys
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.ks import KS
from tabgraphsyn.evaluation.metric.nndr import NNDR
from tabgraphsyn.evaluation.metric.null_rates import NullRates
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.metric.sdmetrics_diagnostic import SDMetricsDiagnostic
from tabgraphsyn.evaluation.metric.sdmetrics_quality import SDMetricsQuality
from tabgraphsyn.evaluation.metric.wasserstein import Wasserstein
from tabgraphsyn.evaluation.score import Score
from tabgraphsyn.evaluation.sides.entity_groups import entity_groups
from tabgraphsyn.evaluation.statistics.pairs import pair_trend, prepared
from tabgraphsyn.evaluation.statistics.spread import (
    GROUPS,
    Groups,
    entity_draws,
    interval,
    joined,
    mean_influences,
    standard_error,
)
from tabgraphsyn.evaluation.statistics.statistics import ks_distance

METRICS = [ColumnShapes(), PairTrends(), KHopTrends(), Cardinality(), NullRates(), KS(), Wasserstein(), Jaccard()]


def by_buyer(real):
    """Customers are held out with the orders that they buy: orders follow the split along one of their two keys."""
    customer = np.arange(real["customer"].num_rows) % 5 == 0
    buyer = real["orders"].read(["buyer"]).column(0).to_numpy()
    number = {name: row for row, name in enumerate(real["orders"].read(["number"]).column(0).to_pylist())}
    tagged = [number[name] for name in real["tag"].read(["order"]).column(0).to_pylist()]
    return {"customer": customer, "orders": customer[buyer], "tag": customer[buyer][tagged]}


def shifted(rows):
    rows["orders"]["amount"] = np.asarray(rows["orders"]["amount"]) + 4.0


@pytest.mark.parametrize(
    ("metric", "where"),
    [(ColumnShapes(), "orders.amount"), (KHopTrends(longest=1), "1-hop"), (Wasserstein(), "orders.amount")],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_error_is_that_of_redrawing_customers_with_their_orders(metric, where, shop, evaluation):
    values, errors, of_rows = [], [], []
    for seed in range(20):
        real, other = shop(1000 + seed), shop(5000 + seed, change=shifted)
        data = evaluation(real, other, wanted=("synthetic",), is_holdout=by_buyer(real))
        found = next(r for r in metric.compute(data) if r.where == where)
        values.append(found.value)
        errors.append(found.detail["sd"])
        plain = evaluation(real, other, wanted=("synthetic",))  # rows split one by one: no entities
        of_rows.append(next(r for r in metric.compute(plain) if r.where == where).detail["sd"])
    assert 0.65 < np.mean(errors) / np.std(values, ddof=1) < 1.6
    assert np.mean(of_rows) < 0.85 * np.mean(errors)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_comparison_has_an_interval_around_the_value(metric, shop, evaluation):
    data = evaluation(shop(0), shop(1), wanted=("synthetic", "real_real", "independent", "copy"))
    found = [r for r in metric.compute(data) if isinstance(r, Score)]
    assert {score.comparison for score in found} == {"synthetic", "real_real", "independent", "copy"}
    for score in found:
        assert score.detail["spread"] == "entities"
        low, high = score.detail["interval"]
        assert low - 1e-6 <= score.value <= high + 1e-6
        assert score.detail["sd"] < 0.2
    assert all("influences" not in score.to_dict() for score in found)


@pytest.mark.parametrize("metric", [KS(), Wasserstein()], ids=lambda metric: metric.name)
def test_influences_add_up_to_what_leaving_groups_out_shows(metric, shop, evaluation):
    """Both metrics left out 64 groups one by one, at seventy times the cost of their value."""
    data = evaluation(shop(0), shop(1, change=shifted), wanted=("synthetic",))
    groups = entity_groups(data, data.comparisons[0], "orders")
    for real, other in data.comparisons[0].feature_pairs("orders"):
        if real.kind == "numerical":
            influences, left_out = (
                metric.influences(real, other, groups),
                ColumnMetric.influences(metric, real, other, groups),
            )
            assert standard_error(influences) == pytest.approx(standard_error(left_out), rel=0.25)
            assert np.corrcoef(influences.ravel(), left_out.ravel())[0, 1] > 0.9


def test_real_against_itself_has_no_spread_and_more_rows_have_less(shop, evaluation):
    def error(customers, orders):
        sides = [shop(seed, customers=customers, orders=orders) for seed in (0, 1)]
        found = ColumnShapes().compute(evaluation(*sides, wanted=("synthetic",)))
        return next(r for r in found if r.where == "database").detail["sd"]

    same = ColumnShapes().compute(evaluation(shop(), shop(), wanted=("synthetic",)))
    assert all(r.detail["sd"] == 0 for r in same if isinstance(r, Score))
    assert error(1_200, 3_600) == pytest.approx(error(300, 900) / 2, rel=0.35)


def test_folds_give_the_spread_of_a_classifier_and_the_worst_table_that_of_the_database(shop, evaluation):
    found = {r.where: r for r in C2ST(rounds=10).compute(evaluation(shop(0), shop(1), wanted=("synthetic",)))}
    orders, database = found["orders"], found["database"]
    assert orders.detail["spread"] == "folds"
    assert orders.detail["sd"] == pytest.approx(
        orders.detail["std"] * math.sqrt(1 / (5 * orders.detail["repeats"]) + 1 / 4), abs=1e-6
    )
    assert database.detail["interval"] == found[database.detail["worst"]].detail["interval"]


def test_too_few_entities_are_no_spread():
    groups = Groups.of(entity_draws(np.arange(3), 0))
    assert joined(1.0, np.ones(3), np.ones(3), (groups, groups)) is None
    assert mean_influences([None, None]) is None


def test_many_rows_are_thinned_by_whole_entities_and_the_error_stays():
    generator = np.random.default_rng(0)
    entity = np.repeat(np.arange(20_000), 5)
    values = np.repeat(generator.normal(size=20_000), 5)  # five equal rows an entity
    draws = entity_draws(entity, 1)
    true = 1 / math.sqrt(20_000)
    for most in (1_000_000, 10_000):
        groups = Groups.of(draws, most)
        assert len(groups.rows) == pytest.approx(min(most, 100_000), rel=0.05)
        assert set(np.unique(entity[groups.rows], return_counts=True)[1]) == {5}
        error = math.sqrt((groups.mean_influences(values[groups.rows]) ** 2).sum())
        assert error == pytest.approx(true, rel=0.4)


def test_draws_are_even_equal_within_an_entity_and_change_with_the_seed():
    draws = entity_draws(np.repeat(np.arange(10_000), 2), 5)
    assert (draws[::2] == draws[1::2]).all()
    assert np.histogram(draws, GROUPS, (0, 1))[0].std() < 50
    assert not np.array_equal(draws, entity_draws(np.repeat(np.arange(10_000), 2), 6))


def test_moves_add_up_over_correlated_columns(one_table, evaluation):
    """Two equal columns are one piece of evidence: their mean is no surer than either."""
    rng = np.random.default_rng(0)

    def twice(values):
        return one_table({"x": ("numerical", values), "y": ("numerical", values)})

    data = evaluation(twice(rng.normal(size=400)), twice(rng.normal(0.3, 1, 400)), wanted=("synthetic",))
    found = {r.where: r for r in ColumnShapes().compute(data)}
    assert found["t"].detail["sd"] == found["t.x"].detail["sd"] == found["t.y"].detail["sd"]
    assert standard_error(found["t"].influences) == pytest.approx(found["t"].detail["sd"], abs=1e-6)


def test_intervals_stay_where_scores_can_be():
    assert interval(0.99, 0.02) == (pytest.approx(0.949, abs=1e-3), 1.0)
    assert interval(0.01, 0.02)[0] == 0.0
    assert interval(3.0, 1.0)[1] > 4.0


def test_a_pair_without_groups_has_no_influences(shop, evaluation):
    comparison = evaluation(shop(0), shop(1), wanted=("synthetic",)).comparisons[0]
    columns = prepared(comparison.selected_pairs("orders"), 10, False)
    assert pair_trend(columns[0], columns[1]).influences is None
    assert ks_distance(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])) == pytest.approx(1 / 3)


def scores(metric, data):
    return {r.where: r for r in metric.compute(data) if isinstance(r, Score)}


def test_the_ratio_of_neighbours_is_a_mean_over_the_rows_looked_up(one_table, evaluation):
    """Training rows at 0, 1, 2, ...; a row at k + x has the ratio x / (1 - x) of ranks."""
    rng = np.random.default_rng(0)
    place = rng.uniform(0, 0.5, 400)
    real, made = np.arange(1_000.0), rng.integers(100, 900, 400) + place
    is_holdout = {"t": np.arange(1_000) >= 980}
    data = evaluation(
        one_table({"x": ("numerical", real)}),
        one_table({"x": ("numerical", made)}),
        wanted=("synthetic",),
        is_holdout=is_holdout,
    )
    found = scores(NNDR(), data)["t"]
    ratio = place / (1 - place)
    assert found.value == pytest.approx(ratio.mean(), abs=1e-3)
    assert found.detail["sd"] == pytest.approx(ratio.std() / 20, rel=0.35)
    is_real = rng.random(400) < 0.25
    exact = evaluation(
        one_table({"x": ("numerical", real)}),
        one_table({"x": ("numerical", np.where(is_real, np.round(made), made))}),
        wanted=("synthetic",),
        is_holdout=is_holdout,
    )
    found = scores(NNDR(), exact)["t"]
    ratio = np.where(is_real, 0.0, ratio)
    assert found.value == pytest.approx(ratio.mean(), abs=1e-3)
    assert found.detail["sd"] == pytest.approx(ratio.std() / 20, rel=0.35)
    low, high = found.detail["holdout_interval"]
    assert low <= found.detail["holdout"] <= high


def test_rows_of_one_person_are_one_draw_of_the_ratio():
    real = people(0)
    few = people(1, 40)
    data = evaluated(real, chosen(few, np.repeat(np.arange(40), 10)))  # every person ten times, each an entity
    apart = scores(NNDR(), data)["visit"].detail["sd"]
    owner = few["visit"]["person"]
    order = np.tile(np.arange(len(owner)), 10)
    visits = {name: values[order] for name, values in few["visit"].items()} | {"id": np.arange(len(order))}
    together = scores(NNDR(), evaluated(real, {"person": few["person"], "visit": visits}))["visit"].detail["sd"]
    assert together > 2 * apart  # the same visits under a tenth of the persons


def test_keys_have_wilsons_interval_over_entities(shop, evaluation):
    def faults(rows):
        keys = np.arange(300)
        keys[[5, 6, 7]] = 0
        rows["customer"]["id"] = keys

    data = evaluation(shop(0), shop(0, change=faults), wanted=("synthetic",))
    found = scores(Keys(), data)
    customer = found["customer"]
    assert customer.value == pytest.approx(0.99) and customer.detail["repeated"] == 3
    assert customer.detail["interval"] == pytest.approx([0.9710, 0.9966], abs=1e-4)  # Wilson's of 297 in 300
    assert found["orders"].detail["interval"] == pytest.approx([1 / (1 + 1.959964**2 / 900), 1.0], abs=1e-6)
    worst = min((score for where, score in found.items() if where != "database"), key=lambda score: score.value)
    assert found["database"].detail["worst"] == worst.where
    assert found["database"].detail["interval"] == worst.detail["interval"]


def test_keys_repeated_within_few_families_say_less_than_here_and_there():
    real, made = people(0), people(1)
    person = made["visit"]["person"]

    def repeated(where):
        visit = made["visit"] | {"id": np.where(where, -1, made["visit"]["id"])}
        return scores(Keys(), evaluated(real, {**made, "visit": visit}))["visit"]

    families, anywhere = repeated(person < 25), repeated(np.arange(len(person)) % 20 == 0)
    assert families.value == pytest.approx(anywhere.value, abs=0.02)
    assert families.detail["sd"] > 1.5 * anywhere.detail["sd"]


def test_the_quality_report_has_the_spread_of_our_own_metrics(shop, evaluation):
    data = evaluation(shop(0), shop(1), wanted=("synthetic",))
    found = scores(SDMetricsQuality(), data)
    shapes, ours = found["Column Shapes"], scores(ColumnShapes(), data)["database"]
    assert shapes.detail["own_value"] == ours.value == pytest.approx(shapes.value, abs=1e-9)
    assert shapes.detail["sd"] == ours.detail["sd"] > 0
    assert shapes.detail["interval"] == pytest.approx(ours.detail["interval"], abs=1e-6)
    parts = [found[name].detail["sd"] for name in found if name != "database"]
    assert len(parts) == 4 and max(parts) / 4 < found["database"].detail["sd"] < max(parts)


def test_pairs_left_out_of_the_report_widen_its_interval(shop, evaluation):
    data = evaluation(shop(0), shop(1), wanted=("synthetic",))
    found = scores(SDMetricsQuality(pair_threshold=0.5), data)["Column Pair Trends"]
    gap = abs(found.value - found.detail["own_value"])
    own = scores(PairTrends(own_edges=True), data)["database"].detail["sd"]
    assert gap > 0.001 and found.detail["sd"] == pytest.approx(math.hypot(gap, own), abs=1e-6)


def test_the_diagnostic_report_has_the_spread_of_shares_of_rows(one_table, evaluation):
    def rows(outside):
        return one_table({"x": ("numerical", np.r_[np.arange(100.0 - outside), np.full(outside, 500.0)])})

    found = scores(SDMetricsDiagnostic(), evaluation(rows(0), rows(4), wanted=("synthetic",)))
    validity = found["Data Validity"]
    assert validity.value == pytest.approx(0.96)
    assert validity.detail["sd"] == pytest.approx(math.sqrt(0.96 * 0.04 / 100), abs=1e-6)
    assert found["Data Structure"].detail["interval"] == [1.0, 1.0]
    assert found["database"].detail["sd"] == pytest.approx(validity.detail["sd"] / 2, abs=1e-6)
    faultless = scores(SDMetricsDiagnostic(), evaluation(rows(0), rows(0), wanted=("synthetic",)))["Data Validity"]
    assert faultless.value == 1.0 and 0.9 < faultless.detail["interval"][0] < 0.98  # a hundred rows prove no 1


@pytest.mark.parametrize(
    ("metric", "where"),
    [
        (NNDR(), "customer"),
        (Keys(), "customer"),
        (SDMetricsQuality(), "database"),
        (SDMetricsDiagnostic(), "Relationship Validity"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_fewer_entities_have_wider_intervals(metric, where, shop, evaluation):
    def error(customers):
        sides = [shop(seed, customers=customers, orders=3 * customers) for seed in (0, 1)]
        return scores(metric, evaluation(*sides, wanted=("synthetic",)))[where].detail["sd"]

    assert error(60) > 2 * error(960) > 0  # an error falls with the root of the number: four times here
