"""The ingest stage, its content key, the embedded data sets, the verb, and the shared data sets."""

from __future__ import annotations

import doctest
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.stages.ingest import content_key, run
from tabgraphsyn.verbs.ingest_write import write_dataset

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data sets beside the checkout")
EMBEDDED = ("nycflights13", "nycflights13_quick", "breast_cancer")
OPTIONS = {"orphans": None, "all_null": "error", "max_columns": 1000, "delimiter": None, "encoding": None}


def dataset(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "conf" / "dataset" / f"{name}.yaml").read_text())


def context(folder: Path, config: dict[str, Any]) -> StageContext:
    tracker: Any = SimpleNamespace(log=print, rewind=print, close=print)
    interrupt: Any = SimpleNamespace(requested=False)
    return StageContext("ingest", None, "s", folder, {"dataset": config}, {}, Resources(), tracker, interrupt,
                        log=logging.getLogger("test"))  # fmt: skip


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_data_sets_are_ingested_by_the_stage(tmp_path: Path, name: str) -> None:
    stage = context(tmp_path / "stage", dataset(name))
    run(stage)
    profile = json.loads((stage.artifacts / "profile.json").read_text())
    rows = {table: found["rows"] for table, found in profile["tables"].items()}
    assert rows == {table: pq.read_metadata(stage.artifacts / "tables" / f"{table}.parquet").num_rows for table in rows}
    if name == "breast_cancer":
        assert rows == {"breast_cancer": 569}
        return
    assert len(profile["relations"]) == 6
    nulls = {relation["child_columns"][0]: relation["null_share"] for relation in profile["relations"]}
    assert 0.15 < nulls["tailnum"] < 0.19 and 0.02 < nulls["dest"] < 0.03, "a part keeps the shares of null keys"
    assert rows["flights"] == 27_004 if name == "nycflights13" else 3_000 <= rows["flights"] <= 5_000


def test_every_dataset_yaml_spells_every_key() -> None:
    shared = set(yaml.safe_load((ROOT / "conf" / "reading" / "default.yaml").read_text()))
    spelled = {path.stem: set(yaml.safe_load(path.read_text())) for path in (ROOT / "conf" / "dataset").glob("*.yaml")}
    keys = set(DatasetOptions.__dataclass_fields__)
    assert {name: keys - found - shared for name, found in spelled.items() if name in (*EMBEDDED, "folder")} == {
        name: set() for name in (*EMBEDDED, "folder")
    }
    with pytest.raises(ConfigError, match="Set dataset"):
        DatasetOptions.from_mapping(dataset("folder"))


def test_content_key_follows_contents_and_options_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("k\n1\n2\n")
    key = content_key({"path": str(data)})
    shutil.copytree(data, tmp_path / "moved")
    (tmp_path / "moved" / "README.md").write_text("not a table")
    limits = {"max_columns": 5, "max_cells": 100, "max_expansion": 3.0, "name": "other"}
    assert content_key({"path": str(tmp_path / "moved"), **limits}) == key
    assert content_key({"path": str(data), "header": True}) != key
    assert content_key({"path": str(data), "orphans": "drop"}) != key
    assert content_key({"path": str(data), "limit": {"table": "a", "rows": 2}}) != key
    (data / "metadata.json").write_text("{}")
    assert content_key({"path": str(data)}) != key
    (data / "metadata.json").unlink()
    (data / "a.csv").write_text("k\n1\n3\n")
    assert content_key({"path": str(data)}) != key
    with pytest.raises(DataError, match="does not exist"):
        content_key({"path": str(tmp_path / "none")})


def test_content_key_loads_no_reader() -> None:
    code = (
        "import sys; from tabgraphsyn.stages.ingest import content_key;"
        "content_key({'path': 'embedded:breast_cancer'});"
        "print([name for name in ('torch', 'pandas', 'pyarrow', 'duckdb', 'numpy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_ingestion_loads_no_torch() -> None:
    code = (
        "import sys; import tabgraphsyn.data.ingest.ingestion; print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert found.stdout.strip() == "False False"


def test_verb_writes_metadata_and_yaml_that_ingest_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    data = tmp_path / "my ${shop}"
    data.mkdir()
    (data / "customers.csv").write_text("customer_id,name\n1,a\n2,b\n3,a\n")
    (data / "orders.csv").write_text("order_id,customer_id\n1,1\n2,9\n3,3\n")
    written = write_dataset(data, None, None, OPTIONS)
    assert (written.name, written.orphans) == ("my_shop", 1)
    assert written.metadata == data / "metadata.json" and written.yaml == tmp_path / "conf" / "dataset" / "my_shop.yaml"
    from omegaconf import OmegaConf

    config = OmegaConf.to_container(OmegaConf.load(written.yaml), resolve=True)
    assert isinstance(config, dict) and config["path"] == str(data) and config["orphans"] == "null"
    profile = ingest_database(DatasetOptions.from_mapping(config), tmp_path / "out")
    assert profile["relations"][0]["null_share"] == pytest.approx(1 / 3)
    with pytest.raises(ConfigError, match="--overwrite"):
        write_dataset(data, None, None, OPTIONS)
    assert write_dataset(data, None, None, OPTIONS, overwrite=True).metadata == written.metadata


def test_verb_leaves_metadata_alone_and_read_only_folders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("k,v\n1,x\n2,y\n")
    monkeypatch.setattr(os, "access", lambda *_: False)
    written = write_dataset(data, "one", None, OPTIONS)
    assert [path.name for path in data.iterdir()] == ["a.csv"]
    assert yaml.safe_load(written.yaml.read_text())["metadata"] == str(written.metadata)
    shutil.copy(written.metadata, data / "metadata.json")
    before = (data / "metadata.json").stat().st_mtime_ns
    assert write_dataset(data, "two", None, OPTIONS).metadata == data / "metadata.json"
    assert (data / "metadata.json").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="letters, digits"):
        write_dataset(data, "a b", None, OPTIONS)


def test_verb_shows_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from tabgraphsyn.verbs.ingest import ingest

    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    (tmp_path / "a[red].csv").write_text("k\n")
    (tmp_path / "a.csv").write_text("id,[b]v\n1,x\n2,y\n")
    ingest(tmp_path / "a.csv")
    shown = capsys.readouterr().out
    assert "primary key: id" in shown and "[b]v" in shown and "launch dataset=a" in shown
    assert (tmp_path / "a.metadata.json").is_file() and (tmp_path / "a.profile.json").is_file()


@needs_shared
def test_embedded_flights_are_the_shared_ones(tmp_path: Path) -> None:
    ingest_database(DatasetOptions.from_mapping({"path": "embedded:nycflights13"}), tmp_path / "a")
    ingest_database(DatasetOptions.from_mapping({"path": str(SHARED / "nycflights13_jan")}), tmp_path / "b")
    for file in sorted((tmp_path / "a").rglob("*.*")):
        other = tmp_path / "b" / file.relative_to(tmp_path / "a")
        if file.suffix == ".parquet":
            assert pq.read_table(file).equals(pq.read_table(other)), file.name
        elif file.name == "metadata.json":
            ours, theirs = json.loads(file.read_text()), json.loads(other.read_text())
            kept = {name for name, table in ours["tables"].items() if table.pop("reference", False)}
            assert (ours, kept) == (theirs, {"airlines", "airports"}), "only the embedded copy says what it publishes"


# What the metadata knows and the values do not tell: primary keys that inference adds to junction tables.
_SMALL = ("walmart", "cora", "mutagenesis", "pbc", "school", "single_aids", "rossmann_v1")
_LARGE = ("airbnb", "imdb_movielens", "movielens100k", "nycflights13_jan", "single_adult", "single_beijing",
          "single_default")  # fmt: skip


@needs_shared
@pytest.mark.parametrize("name", [*_SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in _LARGE)])
def test_shared_data_sets_with_metadata_and_without(tmp_path: Path, name: str) -> None:
    ingest_database(DatasetOptions.from_mapping({"path": str(SHARED / name)}), tmp_path / "declared")
    declared = json.loads((tmp_path / "declared" / "metadata.json").read_text())
    assert declared == json.loads((SHARED / name / "metadata.json").read_text())
    (tmp_path / "data").mkdir()
    for file in (SHARED / name).glob("*.csv"):
        shutil.copy(file, tmp_path / "data")
    ingest_database(DatasetOptions.from_mapping({"path": str(tmp_path / "data")}), tmp_path / "inferred")
    inferred = json.loads((tmp_path / "inferred" / "metadata.json").read_text())

    def keys(metadata: dict) -> set[tuple]:
        return {tuple(sorted(relation.items())) for relation in metadata["relationships"]}

    assert keys(inferred) == keys(declared)
    for table, found in declared["tables"].items():
        if "primary_key" in found:
            assert inferred["tables"][table]["primary_key"] == found["primary_key"]
        for column, spec in found["columns"].items():
            guess = inferred["tables"][table]["columns"][column]["sdtype"]
            if spec["sdtype"] in ("id", "datetime", "boolean"):
                assert guess == spec["sdtype"], (table, column)


MODULES = ("ingest.infer_keys", "ingest.convert", "options", "reading.csv_file", "reading.csv_faults", "reading.cells",
           "reading.csv_text", "reading.layout", "reading.names", "reading.suffixes")  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"tabgraphsyn.data.{name}"))
    assert result.attempted > 0 or name == "options"
    assert result.failed == 0
