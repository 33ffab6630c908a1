"""Every metric of conf/evaluation/metric: documented, bound to its yaml, and never a silent NaN on bad input."""

import inspect
import json
import math

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.schema import Column, Database, Schema, Table, TableSchema
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.score import Score
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.evaluate import built_metrics

FILES = sorted((config_dir() / "evaluation" / "metric").glob("*.yaml"))
PROTOCOLS = sorted((config_dir() / "evaluation").glob("*.yaml"))
# Small budgets: the contract is about what comes back, not about its precision.
SMALL = {"rounds": 5, "folds": 2, "trees": 5, "steps": 4}


def built(path) -> Metric:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    return build({key: SMALL.get(key, value) for key, value in config.items()}, Metric)


by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@by_file
def test_a_yaml_names_every_setting_of_its_metric_and_nothing_else(path):
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    metric = build(config, Metric)
    signature = inspect.signature(type(metric).__init__).parameters
    given = {name: p for name, p in signature.items() if name not in ("self", "args", "kwargs")}
    assert set(config) - {"_target_"} == set(given)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in given.values())
    assert all(config[name] == parameter.default for name, parameter in given.items())
    assert config["_target_"].startswith(f"tabgraphsyn.evaluation.metric.{path.stem}.")


@by_file
def test_a_metric_says_what_it_measures_and_how_to_read_it(path):
    metric = built(path)
    assert metric.name == path.stem
    assert metric.direction in ("higher", "lower", "half")
    for text in (metric.title, metric.measures, metric.range, metric.reading, metric.source):
        assert isinstance(text, str) and len(text) > 3
    assert type(metric).__doc__


@pytest.mark.parametrize("path", PROTOCOLS, ids=lambda path: path.stem)
def test_a_protocol_composes_into_metrics_of_those_names(path):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = OmegaConf.to_container(compose(f"evaluation/{path.stem}"), resolve=True)["evaluation"]
    metrics = built_metrics(config["metrics"])
    assert [metric.name for metric in metrics.values()] == list(config["metrics"])
    assert config["comparisons"][0] == "synthetic"


def keys_only(rows):
    rows["customer"] = {"id": rows["customer"]["id"]}
    rows["orders"] = {name: rows["orders"][name] for name in ("number", "buyer", "payer")}


def all_null(rows):
    for name in ("age", "city", "member"):
        rows["customer"][name] = pa.nulls(300, rows["customer"][name].type)
    rows["orders"]["at"] = pa.nulls(900, pa.timestamp("us"))


def constant(rows):
    rows["orders"]["amount"] = pa.array(np.full(900, 3.0))
    rows["orders"]["kind"] = pa.array(["kind0"] * 900)


def unseen(rows):
    rows["customer"]["city"] = pa.array(["Atlantis"] * 300)


def other_types(rows):
    rows["orders"]["amount"] = pa.array(["much"] * 900)
    rows["customer"]["member"] = pa.array(np.arange(300) % 2)
    rows["orders"]["buyer"] = pa.array([str(key) for key in rows["orders"]["buyer"].to_pylist()])


def not_finite(rows):
    rows["orders"]["amount"] = pa.array([np.nan, np.inf, -np.inf] * 300)


def no_rows(rows):
    rows["orders"] = {name: values.slice(0, 0) for name, values in rows["orders"].items()}


def broken_keys(rows):
    rows["orders"]["buyer"] = pa.array(np.arange(900) + 10**6)
    rows["customer"]["id"] = pa.array(np.zeros(300, np.int64))


BAD = [keys_only, all_null, constant, unseen, other_types, not_finite, no_rows, broken_keys]


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
@by_file
def test_bad_synthetic_data_are_scored_or_explained(path, change, shop, evaluation):
    data = evaluation(shop(), shop(1, change=change), wanted=("synthetic",))
    results = built(path).compute(data)
    assert results
    json.dumps([result.to_dict() for result in results], allow_nan=False)
    for result in results:
        assert math.isfinite(result.value) if isinstance(result, Score) else result.reason


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
def test_bad_synthetic_data_of_large_tables_are_scored_or_explained(change, shop, evaluation):
    data = evaluation(shop(), shop(1, change=change), wanted=("synthetic", "copy"))
    results = NearCopies(cap_queries=50, cap_records=100).compute(data)  # tables above these caps are large
    json.dumps([result.to_dict() for result in results], allow_nan=False)
    scored = [result for result in results if isinstance(result, Score)]
    assert any(score.detail["rows"] == score.detail["rows_of"] > 50 for score in scored)  # the index was there


SHAPES = {
    no_rows: ("column_shapes", "orders.amount", 0.0),
    all_null: ("column_shapes", "orders.at", 0.0),
    other_types: ("column_shapes", "orders.amount", 0.0),
    unseen: ("column_shapes", "customer.city", 0.0),
    keys_only: ("column_shapes", "customer.city", 0.0),
    broken_keys: ("keys", "orders.buyer--customer", 0.0),
    not_finite: ("null_rates", "orders.amount", 0.0),
}


@pytest.mark.parametrize("change", SHAPES, ids=lambda change: change.__name__)
def test_a_failure_gets_the_worst_value(change, shop, evaluation, value):
    name, where, expected = SHAPES[change]
    metric = built(config_dir() / "evaluation" / "metric" / f"{name}.yaml")
    assert value(metric.compute(evaluation(shop(), shop(1, change=change), wanted=("synthetic",))), where) == expected


def test_an_empty_table_is_told_apart_with_certainty(shop, evaluation, value):
    metric = built(config_dir() / "evaluation" / "metric" / "c2st.yaml")
    assert value(metric.compute(evaluation(shop(), shop(1, change=no_rows), wanted=("synthetic",))), "orders") == 1.0


@by_file
def test_one_table_of_categories_only(path, one_table, evaluation):
    def rows(seed):
        return one_table(
            {"c": ("categorical", pa.array([f"v{v}" for v in np.random.default_rng(seed).integers(0, 4, 90)]))}
        )

    results = built(path).compute(evaluation(rows(0), rows(1)))
    assert all(math.isfinite(r.value) if isinstance(r, Score) else r.reason for r in results)


@by_file
def test_one_table_of_keys_only_is_explained(path, evaluation):
    table = TableSchema("t", (Column("id", "id"),), ("id",))
    made = Database(Schema((table,)), {"t": Table(table, pa.table({"id": pa.array(range(50))}))})
    results = built(path).compute(evaluation(made, made, wanted=("synthetic",)))
    assert all(math.isfinite(r.value) if isinstance(r, Score) else r.reason for r in results)


def test_a_score_is_finite_or_refused():
    with pytest.raises(ValueError, match="finite"):
        Score("m", "table", "t", float("nan"), "higher")
