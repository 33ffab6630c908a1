"""Utility: what synthetic rows teach about unseen real ones, and which columns are worth asking for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.evaluation.metric.utility import Utility
from tabgraphsyn.evaluation.metric.utility_graph import UtilityGraph
from tabgraphsyn.evaluation.metric.utility_relational import UtilityRelational
from tabgraphsyn.evaluation.score import Score, Unscored
from tabgraphsyn.evaluation.sides.relatives import related_features
from tabgraphsyn.evaluation.sides.row_graph import around
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.graph_predictor import graph_predictions
from tabgraphsyn.evaluation.statistics.predictors import MODELS, Rows, ranks, skill
from tabgraphsyn.evaluation.statistics.utility_targets import chosen_targets, why_no_target

ALL = ("synthetic", "real_real", "independent", "copy")


def results(metric, data, comparison="synthetic"):
    return {result.where: result for result in metric.compute(data) if result.comparison == comparison}


def test_fresh_rows_teach_as_real_ones_and_independent_columns_nothing(shop, evaluation):
    data = evaluation(shop(0), shop(7), wanted=ALL)
    metric = Utility(targets=["customer.city", "orders.kind"])
    found = results(metric, data)
    assert set(found) == {"database", "customer", "orders", "customer.city", "orders.kind"}
    assert all(result.value > 0.8 for result in found.values())
    assert found["customer.city"].detail["boosting"]["skill_real"] > 0.8
    assert results(metric, data, "real_real")["database"].value > 0.9
    assert results(metric, data, "independent")["database"].value < 0.3
    assert results(metric, data, "copy")["database"].value > 0.9


def test_families_that_are_drawn_row_by_row_teach_nothing_across_tables(shop, evaluation):
    data = evaluation(shop(0), shop(7), wanted=ALL)
    metric = UtilityRelational(targets=["orders.amount"])
    assert results(metric, data)["orders.amount"].value > 0.9
    # A copy of rows under other keys passes every test within a table, and none across tables.
    assert results(metric, data, "copy")["orders.amount"].value < 0.3
    own = UtilityRelational(targets=["orders.amount"], own_columns=True)
    features = own.features(data.comparisons[0].reference.whole, "orders")
    names = {feature.name for feature in features}
    assert {"kind", "customer by buyer: city", "customer by payer: city", "count(tag.order)"} <= names


def test_parents_columns_stand_beside_the_rows_that_refer_to_them(shop, evaluation):
    whole = evaluation(shop(0), shop(0)).comparisons[0].reference.whole
    made = {feature.name: feature for feature in related_features(whole, "orders")}
    age, nobody = made["customer by payer: age"].values, whole.pointers["orders.payer--customer"] < 0
    assert np.isnan(age[nobody]).all() and nobody.any()
    rows = whole.pointers["orders.payer--customer"][~nobody]
    assert np.array_equal(age[~nobody], whole.features["customer"]["age"].values[rows], equal_nan=True)
    assert (made["customer by payer: city"].values[nobody] == -1).all()


def test_automatic_targets_leave_out_what_cannot_be_predicted(shop, evaluation):
    found = results(Utility(per_table=9), evaluation(shop(0), shop(7), wanted=("synthetic",)))
    columns = {where for where in found if "." in where}
    # member is a coin, at is drawn evenly; amount needs the buyer; empty and constant say nothing; note is text.
    assert columns == {"customer.city", "customer.age", "orders.kind"}
    assert isinstance(found["tag"], Unscored)


def test_a_column_that_others_determine_is_chosen_last():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    columns = {
        "x": Feature("x", "numerical", x),
        "twice": Feature("twice", "numerical", 2 * x),
        "noisy": Feature("noisy", "numerical", x + rng.normal(size=500)),
        "coin": Feature("coin", "categorical", rng.integers(0, 2, 500), 2),
    }
    found = chosen_targets(columns, list(columns.values()), 4, seed=0)
    assert next(iter(found)) == "noisy" and found["x"] > 0.95 and found["coin"] < 0.1


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        ("numerical", np.r_[np.zeros(97), 1.0, 2, 3], "nearly constant"),
        ("numerical", np.r_[np.full(60, np.nan), np.arange(40.0)], "missing in 60%"),
        ("numerical", np.full(5, np.nan), "missing in 100%"),
        ("categorical", np.arange(100), "100 levels"),
        ("categorical", np.arange(100) % 20, ""),
        ("numerical", np.arange(100.0), ""),
    ],
)
def test_why_a_column_is_no_target(kind, values, text):
    levels = 0 if kind == "numerical" else int(values.max()) + 1
    reason = why_no_target(Feature("x", kind, values, levels))
    assert text in reason and bool(text) == bool(reason)


def test_targets_that_do_not_exist_are_named_with_the_nearest(shop, evaluation):
    data = evaluation(shop(), shop(1))
    with pytest.raises(ConfigError) as caught:
        Utility(targets=["customer.citi", "orders.buyer"]).compute(data)
    assert "Did you mean 'customer.city'" in str(caught.value) and "orders.buyer" in str(caught.value)


def test_failures_score_zero_and_lacks_are_explained(shop, evaluation):
    def no_values(rows):
        rows["customer"]["city"] = pa.nulls(300, pa.string())

    def unseen(rows):
        rows["customer"]["city"] = pa.array(["Atlantis"] * 300)

    metric = Utility(targets=["customer.city"])
    for change in (no_values, unseen):
        found = results(metric, evaluation(shop(), shop(1, change=change), wanted=("synthetic",)))
        assert found["customer.city"].value == 0.0
    few = {"customer": np.arange(300) < 10, "orders": np.arange(900) < 10, "tag": np.arange(100) < 10}
    explained = results(metric, evaluation(shop(), shop(1), is_holdout=few, wanted=("synthetic",)))
    assert explained["customer"].reason.startswith("tiny: 10 holdout rows")
    constant = results(Utility(targets=["customer.constant"]), evaluation(shop(), shop(1), wanted=("synthetic",)))
    assert "nearly constant" in constant["customer.constant"].reason


def test_scores_come_again(shop, evaluation):
    metric = Utility(targets=["customer.city"])
    first, second = (metric.compute(evaluation(shop(), shop(1), threads=threads)) for threads in (1, 2))
    assert [r.to_dict() for r in first] == [r.to_dict() for r in second]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_learns_a_line_and_a_split(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    feature = [Feature("x", "numerical", np.where(np.arange(600) % 10 == 0, np.nan, x))]
    line = Rows(feature, ranks(x, x))
    split = Rows(feature, (x > 0).astype(np.int64))
    half = np.arange(600) < 300
    for rows, classes in ((line, 0), (split, 2)):
        fit, test = rows.take(np.flatnonzero(half)), rows.take(np.flatnonzero(~half))
        assert 0.75 < skill(MODELS[name](fit, test.features, classes, 0), test.target, classes) <= 1.0


def test_a_class_that_was_never_seen_is_not_predicted():
    feature = [Feature("x", "numerical", np.arange(100.0))]
    fit = Rows(feature, np.zeros(100, np.int64))
    for model in MODELS.values():
        found = model(fit, feature, 3, 0)
        assert found.shape == (100, 3) and skill(found, np.arange(100) % 3, 3) == pytest.approx(0.0)


def test_skill_agrees_with_scikit_learn():
    from sklearn.metrics import r2_score, roc_auc_score

    rng = np.random.default_rng(0)
    target, scores = rng.integers(0, 3, 200), np.round(rng.random((200, 3)), 1)
    scores /= scores.sum(1, keepdims=True)
    area = roc_auc_score(target, scores, multi_class="ovr", average="weighted")
    assert skill(scores, target, 3) == pytest.approx(2 * area - 1)
    truth, told = rng.random(200), rng.random(200)
    assert skill(told, truth, 0) == pytest.approx(r2_score(truth, told))
    assert isinstance(Utility().score("table", "t", 0.5), Score)


def test_a_graph_network_learns_from_families_what_keys_carry(shop, evaluation):
    data = evaluation(shop(0), shop(7), wanted=("synthetic", "copy"))
    computed = list(UtilityGraph(targets=["orders.amount"], steps=30).compute(data))
    found = {each.comparison: each for each in computed if each.where == "orders.amount"}
    assert found["synthetic"].value > 0.8 and found["synthetic"].detail["graph network"]["skill_real"] > 0.5
    assert found["synthetic"].detail["fit_rows"] <= 2_000 and found["synthetic"].detail["interval"][0] > 0
    assert found["copy"].value < 0.4, "a copy of rows under other keys"


def test_a_graph_network_reads_no_column_that_it_predicts(shop, evaluation):
    data = evaluation(shop(0), shop(7), wanted=("synthetic",))
    whole = data.comparisons[0].reference.whole
    known, seeds = whole.features, np.array([5, 3, 3])
    made = [
        around(whole, "orders", seeds, known, np.random.default_rng(0), leave=leave)
        for leave in (("amount",), tuple(whole.features["orders"]))
    ]
    widths = [graph.inputs["orders"].shape[1] for graph in made]
    assert widths[0] > widths[1] == 1 + len(whole.schema.relations_of_parent("orders"))
    graph = made[0]
    assert graph.seeds.tolist()[1] == graph.seeds.tolist()[2] and len(graph.inputs["orders"]) < whole.num_rows["orders"]
    for name, (child, parent) in graph.ends.items():
        rows = graph.keys[name]
        assert rows.shape[0] == 2 and rows[0].max(initial=-1) < len(graph.inputs[child])
        assert rows[1].max(initial=-1) < len(graph.inputs[parent])
    answer = np.array([0.1, 0.5, 0.9])
    twice = [graph_predictions(graph, answer, graph, 0, 3, width=4, steps=2) for _ in range(2)]
    assert twice[0].shape == (3,) and np.array_equal(*twice), "no generator but its own"
