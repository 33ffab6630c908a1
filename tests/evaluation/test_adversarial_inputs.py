"""Whatever a generator delivers: every metric scores it as the failure it is or says why it cannot, never NaN."""

from __future__ import annotations

import json
import logging
import math

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.schema import Database, Table
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.stages.build import build

CUSTOMERS, ORDERS = 90, 240
SIZES = {"customers": CUSTOMERS, "orders": ORDERS}
# SDMetrics' own reports take seconds each; test_metric_contract feeds them bad data one by one.
SLOW = ("sdmetrics_quality", "sdmetrics_diagnostic")
SMALL = {"rounds": 3, "folds": 2, "trees": 3, "steps": 3}


def every_metric():
    made = {}
    for path in sorted((config_dir() / "evaluation" / "metric").glob("*.yaml")):
        if path.stem not in SLOW:
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
            made[path.stem] = build({key: SMALL.get(key, value) for key, value in config.items()}, Metric)
    return made


def columns_are_missing(rows):
    del rows["customer"]["city"], rows["customer"]["age"], rows["orders"]["amount"], rows["tag"]["order"]


def columns_are_added_and_reordered(rows):
    rows["customer"] = {"extra": pa.array(np.arange(CUSTOMERS)), **dict(reversed(rows["customer"].items()))}


def keys_are_of_another_type(rows):
    rows["orders"]["buyer"] = pa.array([f"k{key}" for key in rows["orders"]["buyer"].to_pylist()])
    rows["orders"]["payer"] = rows["orders"]["payer"].cast(pa.float64())


def keys_are_null(rows):
    for name in ("buyer", "payer"):
        rows["orders"][name] = pa.nulls(ORDERS, pa.int64())
    rows["customer"]["id"] = pa.nulls(CUSTOMERS, pa.int64())


def keys_repeat_and_dangle(rows):
    rows["customer"]["id"] = pa.array(np.zeros(CUSTOMERS, np.int64))
    rows["orders"]["payer"] = pa.array(np.arange(ORDERS) + 10**9)


def dates_are_words(rows):
    rows["orders"]["at"] = pa.array(["yesterday"] * ORDERS)


def numbers_are_text(rows):
    rows["orders"]["amount"] = rows["orders"]["amount"].cast(pa.string())
    rows["customer"]["age"] = pa.array(["old"] * CUSTOMERS)


def booleans_are_words(rows):
    rows["customer"]["member"] = pa.array(["yes", "no"] * (CUSTOMERS // 2))


def everything_is_null(rows):
    for table in ("customer", "orders"):
        for name, values in rows[table].items():
            rows[table][name] = pa.nulls(len(values), values.type)


def columns_of_no_type(rows):
    rows["orders"]["amount"] = pa.nulls(ORDERS)
    rows["orders"]["kind"] = pa.nulls(ORDERS)
    rows["customer"]["member"] = pa.nulls(CUSTOMERS)


def everything_is_constant(rows):
    for table, sizes in (("customer", CUSTOMERS), ("orders", ORDERS)):
        for name in ("city", "age", "member", "amount", "kind", "at"):
            if name in rows[table]:
                rows[table][name] = rows[table][name].take(pa.array(np.zeros(sizes, np.int64)))


def categories_are_new(rows):
    rows["customer"]["city"] = pa.array([f"Atlantis{i}" for i in range(CUSTOMERS)])
    rows["orders"]["kind"] = pa.array(["none of these"] * ORDERS)


def one_row_each(rows):
    for table, columns in rows.items():
        rows[table] = {name: values.slice(0, 1) for name, values in columns.items()}


def no_rows_at_all(rows):
    for table, columns in rows.items():
        rows[table] = {name: values.slice(0, 0) for name, values in columns.items()}


def numbers_are_huge(rows):
    rows["orders"]["amount"] = pa.array(np.full(ORDERS, 1e308) * np.where(np.arange(ORDERS) % 2, 1, -1))
    rows["customer"]["age"] = pa.array([np.nan, np.inf, -np.inf] * (CUSTOMERS // 3))


def unchanged(rows):
    del rows


SYNTHETIC = [
    *(columns_are_missing, columns_are_added_and_reordered, keys_are_of_another_type, keys_are_null),
    *(keys_repeat_and_dangle, dates_are_words, numbers_are_text, booleans_are_words, everything_is_null),
    *(columns_of_no_type, everything_is_constant, categories_are_new, one_row_each, no_rows_at_all, numbers_are_huge),
]
REAL = [
    *(unchanged, everything_is_null),
    *(
        pytest.param(change, marks=pytest.mark.slow)
        for change in (everything_is_constant, categories_are_new, keys_are_null, numbers_are_huge)
    ),
]


def scored(data):
    """Every metric on ``data``, as metrics.json has it: nothing in it is NaN, and every gap has a reason."""
    found = run_metrics(every_metric(), data, logging.getLogger("test"))
    text = json.dumps(found, allow_nan=False)
    for score in found["scores"]:
        assert math.isfinite(score["value"])
        if score["metric"] in UNIT:
            assert -1e-9 <= score["value"] <= 1 + 1e-9, score
    assert all(len(note["reason"]) > 3 for note in found["unscored"])
    told = {entry["metric"] for part in ("scores", "unscored") for entry in found[part]}
    # The structure of keys has nothing to say where no comparison but the real one asks for it.
    assert told >= set(every_metric()) - {"dcr"}, sorted(set(every_metric()) - told)
    return {(score["metric"], score["where"]): score["value"] for score in found["scores"]}, text


UNIT = (
    *("column_shapes", "pair_trends", "khop_trends", "cardinality", "null_rates"),
    *("c2st", "c2st_agg", "utility", "utility_relational", "utility_graph", "keys"),
)


@pytest.mark.parametrize("change", SYNTHETIC, ids=lambda change: change.__name__)
def test_any_synthetic_data_are_scored_or_explained(change, shop, evaluation):
    values, _ = scored(evaluation(shop(**SIZES), shop(1, change=change, **SIZES), wanted=("synthetic",)))
    for metric, where, low, high in EXPECTED.get(change, ()):
        assert low <= values[metric, where] <= high, (metric, where, values[metric, where])


# What must come out as the failure it is: metric, where, lowest and highest value.
EXPECTED = {
    columns_are_missing: [
        ("column_shapes", "customer.city", 0, 0),
        ("column_shapes", "orders.amount", 0, 0),
        ("null_rates", "customer.city", 0, 0),
        ("c2st", "customer", 0.95, 1),
    ],
    columns_are_added_and_reordered: [("column_shapes", "customer", 0.8, 1), ("keys", "database", 1, 1)],
    keys_are_of_another_type: [("keys", "orders.buyer--customer", 0, 0), ("keys", "orders.payer--customer", 1, 1)],
    keys_are_null: [("keys", "customer", 0, 0), ("null_rates", "orders.buyer--customer", 0, 0)],
    keys_repeat_and_dangle: [("keys", "orders.payer--customer", 0, 0), ("keys", "customer", 0, 0.02)],
    dates_are_words: [("column_shapes", "orders.at", 0, 0), ("null_rates", "orders.at", 0, 0)],
    numbers_are_text: [("column_shapes", "customer.age", 0, 0), ("column_shapes", "orders.amount", 0.8, 1)],
    booleans_are_words: [("column_shapes", "customer.member", 0, 0)],
    everything_is_null: [("column_shapes", "database", 0, 0), ("c2st", "orders", 0.95, 1)],
    columns_of_no_type: [("column_shapes", "orders.amount", 0, 0), ("column_shapes", "customer.member", 0, 0)],
    everything_is_constant: [("column_shapes", "orders.amount", 0, 0.6), ("c2st", "orders", 0.95, 1)],
    categories_are_new: [("column_shapes", "customer.city", 0, 0), ("column_shapes", "orders.kind", 0, 0)],
    no_rows_at_all: [("column_shapes", "database", 0, 0), ("c2st", "orders", 1, 1), ("c2st", "customer", 1, 1)],
    numbers_are_huge: [("column_shapes", "orders.amount", 0, 0.55), ("c2st", "orders", 0.95, 1)],
}


@pytest.mark.parametrize("change", REAL, ids=lambda change: change.__name__)
def test_odd_real_data_are_scored_or_explained_beside_all_baselines(change, shop, evaluation):
    real = shop(change=change, **SIZES)
    wanted = ("synthetic", "real_real", "independent", "copy")
    scored(evaluation(real, shop(1, **SIZES), wanted=wanted))


@pytest.mark.parametrize("part", ["nothing held out", "nothing trained on"])
def test_a_split_with_an_empty_part_is_explained(part, shop, evaluation):
    real = shop(**SIZES)
    held = {name: np.full(real[name].num_rows, part == "nothing trained on") for name in real.schema.table_names}
    data = evaluation(real, shop(1, **SIZES), is_holdout=held, wanted=("synthetic", "real_real", "independent", "copy"))
    scored(data)


def test_a_whole_table_is_missing(shop, evaluation):
    real, made = shop(**SIZES), shop(1, **SIZES)
    table = made.schema.table("orders")
    empty = Table(table, pa.table({column.name: pa.nulls(0) for column in table.columns}))
    data = evaluation(real, Database(made.schema, {**made.tables, "orders": empty}), wanted=("synthetic",))
    values, _ = scored(data)
    assert values["column_shapes", "orders"] == 0 and values["c2st", "orders"] == 1
    assert values["column_shapes", "customer"] > 0.8


def test_the_same_real_rows_twice_are_no_failure(shop, evaluation):
    real = shop(**SIZES)
    values, _ = scored(evaluation(real, real, wanted=("synthetic",)))
    assert values["column_shapes", "database"] == values["keys", "database"] == 1
