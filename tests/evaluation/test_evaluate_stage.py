"""The evaluate stage on real folders, and ``evaluate`` on the tables of any generator."""

import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.given import write_given
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.errors import ConfigError, DataError, StageError
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.stages.evaluate import built_metrics, run
from tabgraphsyn.stages.outside_sweep import all_metrics, composed_protocol, described_table, evaluate_folders

FAST = ("evaluation.metrics.c2st.rounds=5", "evaluation.metrics.c2st_agg.rounds=5")


class Recorded:
    requested = False

    def __init__(self):
        self.lines = []

    def log(self, metrics, step):
        self.lines.append((step, dict(metrics)))


@pytest.fixture
def context(tmp_path, shop):
    real, synthetic = shop(0), shop(1)
    for folder, made in (("ingest/tables", real), ("sample/synthetic", synthetic)):
        (tmp_path / folder).mkdir(parents=True)
        for name in real.schema.table_names:
            pq.write_table(made[name].read(), tmp_path / folder / f"{name}.parquet")
    write_json(tmp_path / "ingest" / "schema.json", real.schema.to_dict())
    made = Prepared(tmp_path / "prepare")
    made.keep_holdout({name: np.arange(real[name].num_rows) % 5 == 0 for name in real.schema.table_names})
    made.keep_plan(Plan((), {}, ("tag",), {}, {}))
    rule = Fixed(table="orders", determinant=(Operand("buyer"),), dependent=Operand("kind"), strength=0.99, by_key=True)
    made.keep_rules([rule])
    return StageContext(
        stage="evaluate",
        table=None,
        signature="0" * 16,
        folder=tmp_path / "evaluate",
        config={"evaluation": composed_protocol("quick", FAST)},
        inputs={role: tmp_path / role for role in ("ingest", "prepare", "sample")},
        resources=Resources(threads=2),
        tracker=Recorded(),
        interrupt=Recorded(),
    )


def test_the_stage_writes_finite_scores_privacy_first(context):
    run(context)
    text = (context.artifacts / "metrics.json").read_text()
    scored = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in metrics.json"))
    metrics = [score["metric"] for score in scored["scores"]]
    assert metrics[0] == "copies" and metrics.index("dcr") < metrics.index("column_shapes")
    assert {score["comparison"] for score in scored["scores"]} == {"synthetic", "real_real"}
    assert {note["where"] for note in scored["unscored"] if note["metric"] == "copies"} == {"tag"}
    assert scored["versions"]["sdmetrics"]
    assert scored["rows"]["orders"] == {"real": 900, "training": 720, "holdout": 180, "synthetic": 900}
    # Times go to metrics.jsonl: what is hashed does not depend on the clock.
    assert "timing" not in scored
    *lines, (last, timing) = context.tracker.lines
    assert [step for step, _ in lines] == list(range(1, len(scored["metrics"]) + 1))
    assert last == len(lines) and 0 < timing["reading_s"] <= timing["total_s"]
    assert {"seconds/c2st", "seconds/copies"} <= {name for _, line in lines for name in line}
    assert described_table(scored)[0][0] == "Exact copies"


def test_the_gate_stands_in_a_small_file_of_its_own_and_fails_no_stage(context, shop):
    for name in shop().schema.table_names:  # a copy of everything
        pq.write_table(shop(0)[name].read(), context.inputs["sample"] / "synthetic" / f"{name}.parquet")
    context.config["evaluation"]["gate"]["action"] = "fail"
    run(context)
    block = read_json(context.artifacts / "gate.json")
    assert block == read_json(context.artifacts / "metrics.json")["gate"]
    assert block["verdict"] == "fail" and "equal a training row" in block["text"]
    assert "action" not in block


def test_the_stage_gives_the_same_scores_on_any_number_of_threads(context):
    from dataclasses import replace

    run(context)
    first = read_json(context.artifacts / "metrics.json")["scores"]
    run(replace(context, resources=Resources(threads=1)))
    assert read_json(context.artifacts / "metrics.json")["scores"] == first


def test_a_failed_metric_fails_the_stage_by_name(shop, evaluation):
    class Broken(Metric):
        name = "broken"

        def compute(self, data):
            raise ZeroDivisionError("no")

    with pytest.raises(StageError, match="'broken' failed: ZeroDivisionError"):
        run_metrics({"broken": Broken()}, evaluation(shop(), shop()), logging.getLogger("test"))


def test_settings_that_cannot_be_are_refused(shop, evaluation):
    with pytest.raises(ConfigError, match="at least one metric"):
        built_metrics({})
    with pytest.raises(ConfigError, match="is no"):
        built_metrics(
            {
                "x": {
                    "_target_": "tabgraphsyn.evaluation.sides.other_generators.ReadDatabase",
                    "database": 1,
                    "problems": [],
                }
            }
        )
    with pytest.raises(ConfigError, match="Did you mean 'quick'"):
        composed_protocol("quik")
    with pytest.raises(ConfigError, match=r"evaluation\."):
        composed_protocol("quick", ("evaluation.no_such_key=1",))
    with pytest.raises(DataError, match="comparisons"):
        evaluation(shop(), shop(), wanted=("synthetic", "nonsense"))
    with pytest.raises(DataError, match="holdout of customer"):
        evaluation(shop(), shop(), is_holdout={"customer": np.zeros(3, bool)})


def test_every_metric_is_listed():
    listed = all_metrics()
    assert {"copies", "c2st", "c2st_agg", "khop_trends", "sdmetrics_quality", "rules"} <= set(listed)
    order = [metric.is_privacy for metric in listed.values()]
    assert order == sorted(order, reverse=True)


def as_csv(database, folder, change=lambda name, rows: rows):
    folder.mkdir()
    for name in database.schema.table_names:
        rows = change(name, database[name].read())
        if rows is not None:
            pa_csv.write_csv(rows, folder / f"{name}.csv")
    return folder


@pytest.fixture
def folders(tmp_path, shop):
    def make(change=lambda name, rows: rows):
        real = as_csv(shop(0), tmp_path / "real")
        write_json(real / "metadata.json", metadata_dict(shop(0).schema))
        return {
            "real": real,
            "synthetic": as_csv(shop(1), tmp_path / "synthetic", change),
            "metadata": real / "metadata.json",
            "out": tmp_path / "out",
            "protocol": "quick",
            "overrides": FAST,
        }

    return make


def values(scored, metric, where, comparison="synthetic"):
    return next(
        score["value"]
        for score in scored["scores"]
        if (score["metric"], score["where"], score["comparison"]) == (metric, where, comparison)
    )


def test_any_generators_csv_are_scored(folders):
    settings = folders()
    scored = evaluate_folders(**settings)
    assert scored == read_json(settings["out"] / "metrics.json")
    assert scored["problems"] == []
    assert values(scored, "column_shapes", "database") > 0.9
    assert values(scored, "keys", "database") == 1.0
    assert values(scored, "copies", "orders") == 0.0
    assert any("no holdout is known" in note["reason"] for note in scored["unscored"])


def test_tables_held_back_by_hand_are_a_holdout(folders, shop, tmp_path):
    scored = evaluate_folders(**folders(), holdout=as_csv(shop(8, customers=80, orders=200), tmp_path / "holdout"))
    # The held-out shop counts its keys from 0 as the real one does: those rows are the same entities.
    assert scored["rows"]["customer"]["holdout"] == 0
    assert scored["rows"]["tag"]["holdout"] == 100


def test_the_verb_says_the_gate_first_and_ends_with_3_where_asked(folders, capsys):
    from tabgraphsyn.verbs.cli import main

    given = folders()
    options = ["--real", str(given["real"]), "--synthetic", str(given["real"]), "--out", str(given["out"])]
    options += ["--protocol", "quick", "--threads", "1"]
    for setting in FAST:
        options += ["--set", setting]
    assert main(["evaluate", *options]) == 0
    text = capsys.readouterr().out
    assert text.startswith("privacy gate: fail:") and text.index("only exact copies") < text.index("C2ST")
    assert main(["evaluate", *options, "--set", "evaluation.gate.action=fail"]) == 3
    assert "All scores:" in capsys.readouterr().err
    assert read_json(given["out"] / "metrics.json")["gate"]["action"] == "fail"
    assert main(["evaluate", *options, "--set", "evaluation.gate.action=off"]) == 0
    assert "privacy gate" not in capsys.readouterr().out


def test_what_does_not_fit_the_metadata_is_scored_as_the_failure_it_is(folders):
    def change(name, rows):
        if name == "tag":
            return None
        if name == "orders":
            rows = rows.set_column(3, "amount", [["a lot"] * 900]).drop_columns(["kind"])
        return rows

    scored = evaluate_folders(**folders(change))
    problems = "\n".join(scored["problems"])
    assert "no table 'tag'" in problems and "orders.kind: no such column" in problems and "orders.amount" in problems
    assert values(scored, "column_shapes", "orders.kind") == values(scored, "column_shapes", "orders.amount") == 0.0
    assert values(scored, "c2st", "orders") > 0.99


def test_real_tables_that_do_not_fit_are_refused_all_at_once(folders):
    settings = folders()
    (settings["real"] / "tag.csv").unlink()
    (settings["real"] / "orders.csv").write_text("number,buyer\no1,1\n")
    with pytest.raises(DataError) as caught:
        evaluate_folders(**settings)
    assert "no table 'tag'" in str(caught.value) and "orders.amount" in str(caught.value)
    assert not settings["out"].exists()


def test_dates_in_another_format_and_numbers_with_fractions_are_read(folders):
    def change(name, rows):
        if name != "orders":
            return rows
        dates = [[value.strftime("%d/%m/%Y %H:%M:%S") for value in rows.column("at").to_pylist()]]
        return rows.set_column(5, "at", dates)

    scored = evaluate_folders(**folders(change))
    assert values(scored, "column_shapes", "orders.at") > 0.9


def test_our_own_results_stand_there_twice_and_are_read_once(folders, shop):
    settings = folders()
    for name in shop(1).schema.table_names:
        pq.write_table(shop(1)[name].read(), settings["synthetic"] / f"{name}.parquet")
    assert evaluate_folders(**settings)["problems"] == []


def test_rows_that_a_user_gave_are_no_copies(folders, shop, tmp_path):
    real = shop(0)
    held = tmp_path / "holdout"

    def change(name, rows):
        # The first forty customers are given: real ones as they are.
        return pa.concat_tables([real[name].read().slice(0, 40), rows.slice(40)]) if name == "customer" else rows

    settings = folders(change) | {"holdout": as_csv(shop(8, customers=80, orders=200), held)}
    before = evaluate_folders(**settings)
    assert values(before, "copies", "customer") > 0.17
    write_given(settings["synthetic"], {"customer": np.arange(40)})
    after = evaluate_folders(**settings)
    # One in ten is of a city and of no age: such customers are alike without being copied.
    assert values(after, "copies", "customer") < 0.11 and values(after, "keys", "database") == 1.0
    assert any("customer: 40 of 300 rows are said to be given" in text for text in after["problems"])
    # Tables that were changed since do not have such rows, and a stranger's file has one form.
    write_given(settings["synthetic"], {"customer": np.array([300])})
    with pytest.raises(DataError, match="not those that it was written with"):
        evaluate_folders(**settings)
    (settings["synthetic"] / "given.json").write_text('{"given": {"customer": [-1]}}')
    with pytest.raises(DataError):
        evaluate_folders(**settings)
