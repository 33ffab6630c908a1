"""SyntheRela's folders: read as they are, written as its benchmark expects them, and round."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow.csv as pa_csv
import pytest

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.keys import Keys
from tabgraphsyn.evaluation.run import Part, run_metrics
from tabgraphsyn.evaluation.sides.syntherela import SampleFolder, sample_folders
from tabgraphsyn.generation.writer import write_table
from tabgraphsyn.verbs.cli import main
from tabgraphsyn.verbs.evaluate_progress import progress_bar
from tabgraphsyn.verbs.evaluate_sources import sources
from tabgraphsyn.verbs.sample_command import sample_places


def write_csv(database, folder):
    folder.mkdir(parents=True)
    for table in database.schema.tables:
        write_table(table, [database[table.name].read()], folder, ["csv"])


@pytest.fixture
def root(tmp_path, shop):
    """``original`` and two samples of one method and one of another, as SyntheRela lays them out."""
    root = tmp_path / "data"
    write_csv(shop(0), root / "original" / "shop")
    write_json(root / "original" / "shop" / "metadata.json", metadata_dict(shop(0).schema))
    for seed, place in enumerate(["SDV/1/sample1", "SDV/1/sample2", "OURS/7/sample1"]):
        write_csv(shop(seed + 1), root / "synthetic" / "shop" / place)
    return root


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("", ["shop/OURS/7/sample1", "shop/SDV/1/sample1", "shop/SDV/1/sample2"]),
        ("synthetic", ["shop/OURS/7/sample1", "shop/SDV/1/sample1", "shop/SDV/1/sample2"]),
        ("synthetic/shop/SDV", ["shop/SDV/1/sample1", "shop/SDV/1/sample2"]),
        ("synthetic/shop/SDV/1", ["shop/SDV/1/sample1", "shop/SDV/1/sample2"]),
        ("synthetic/shop/SDV/1/sample2", ["shop/SDV/1/sample2"]),
        ("original", []),
        ("original/shop", []),
    ],
)
def test_samples_are_found_from_any_folder_of_the_layout(root, start, names):
    found = sample_folders(root / start)
    assert [sample.name for sample in found] == names
    assert all(sample.tables.is_dir() and sample.original == root / "original" / "shop" for sample in found)


def test_folders_that_only_look_alike_are_no_samples(tmp_path):
    (tmp_path / "synthetic" / "shop" / "SDV" / "1" / "sample_a").mkdir(parents=True)
    (tmp_path / "somewhere" / "shop" / "SDV" / "1" / "sample1").mkdir(parents=True)
    assert sample_folders(tmp_path) == []


def test_each_sample_has_its_own_real_tables_and_its_own_results(root, tmp_path):
    found = sources(None, root / "synthetic" / "shop" / "SDV", None, tmp_path / "out")
    assert [(each.real, each.out) for each in found] == [
        (root / "original" / "shop", tmp_path / "out" / "shop" / "SDV" / "1" / f"sample{number}") for number in (1, 2)
    ]
    (only,) = sources(root / "original", root / "synthetic" / "shop" / "OURS", None, tmp_path / "out")
    assert only.out == tmp_path / "out" and only.real == root / "original" / "shop"
    assert only.metadata == root / "original" / "shop" / "metadata.json"


def test_what_is_missing_is_said_all_at_once(root, tmp_path):
    with pytest.raises(ConfigError) as caught:
        sources(tmp_path / "nowhere", tmp_path / "neither", tmp_path / "none.json", tmp_path)
    assert all(text in str(caught.value) for text in ("--real", "--synthetic", "--metadata"))
    with pytest.raises(ConfigError, match="--real: the tables that the generator was trained on"):
        sources(None, root / "original" / "shop", None, tmp_path)
    (root / "original" / "shop" / "metadata.json").unlink()
    with pytest.raises(ConfigError, match="metadata") as caught:
        sources(None, root, None, tmp_path)
    assert len(caught.value.problems) == 1  # said once, not once a sample


def test_a_written_layout_is_read_back(tmp_path):
    places = sample_places("syntherela", tmp_path, dataset="shop", method="OURS", run="3", samples=2)
    for place in places:
        place.mkdir(parents=True)
    found = sample_folders(tmp_path)
    assert found == [SampleFolder("shop", "OURS", "3", number, tmp_path) for number in (1, 2)]
    assert [sample.tables for sample in found] == places


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"layout": "synterela"}, "Did you mean 'syntherela'"),
        ({"layout": "plain", "samples": 2}, "--layout syntherela"),
        ({"layout": "syntherela", "dataset": ""}, "--dataset"),
        ({"layout": "syntherela", "method": "a/b"}, "method: the name of a folder"),
        ({"layout": "syntherela", "run": ".."}, "run: the name of a folder"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(tmp_path, settings, text):
    wanted = {"dataset": "shop", "method": "OURS", "run": "1", "samples": 1, **settings}
    with pytest.raises(ConfigError, match=text):
        sample_places(wanted.pop("layout"), tmp_path, **wanted)


def test_the_command_scores_every_sample_of_the_layout(root, tmp_path, capsys):
    out = tmp_path / "out"
    settings = [f"evaluation.metrics.{name}.rounds=2" for name in ("c2st", "c2st_agg")]
    arguments = [
        "evaluate",
        "--synthetic",
        str(root / "synthetic" / "shop" / "SDV"),
        "--out",
        str(out),
        "--protocol",
        "fidelity",
        "--threads",
        "1",
    ]
    arguments += [part for text in (*settings, "evaluation.comparisons=[synthetic]") for part in ("--set", text)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for name in ("shop/SDV/1/sample1", "shop/SDV/1/sample2"):
        assert name in printed
        scored = read_json(out / name / "metrics.json")
        assert scored["problems"] == []
        shapes = {score["where"]: score["value"] for score in scored["scores"] if score["metric"] == "column_shapes"}
        assert shapes["orders.at"] > 0.9


def test_progress_counts_metrics_times_comparisons(shop, evaluation):
    parts: list[Part] = []
    metrics = {"keys": Keys(), "column_shapes": ColumnShapes()}
    data = evaluation(shop(), shop(1), wanted=("synthetic", "copy"))
    run_metrics(metrics, data, logging.getLogger("test"), begins=parts.append)
    assert [(part.done, part.total) for part in parts] == [(0, 0), (0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert parts[2].name == "keys (copy)"
    with progress_bar("shop") as begins:  # not a terminal here: nothing is drawn, nothing fails
        for part in parts:
            begins(part)


def test_the_csv_of_a_sample_reads_like_the_original(shop, tmp_path):
    write_csv(shop(0), tmp_path / "orders")
    read = pa_csv.read_csv(tmp_path / "orders" / "orders.csv")
    assert read.column_names == ["number", "buyer", "payer", "amount", "kind", "at", "note"]
    assert read.column("payer").null_count == shop(0)["orders"].column("payer").null_count
    assert np.allclose(read.column("amount"), shop(0)["orders"].column("amount"))
