from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tiny_database import METADATA, tiny_tables, write_csv

import tabgraphsyn as tgs
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.errors import ConfigError, DataError, TabGraphSynError
from tabgraphsyn.python.frames import arrow_tables, pandas_frame
from tabgraphsyn.python.overrides import overrides
from tabgraphsyn.stages.ingest import content_key


def content(database: tgs.Database) -> str:
    return content_key({"orphans": "error", **{k: v for k, v in database.settings.items() if k != "group"}})


def test_what_pandas_holds_comes_back() -> None:
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None, 2**62 + 1], dtype="Int64"),
            "real": [0.5, np.nan, -1.0],
            "flag": pd.array([True, None, False], dtype="boolean"),
            "word": pd.Categorical(["b", None, "a"]),
            "day": pd.to_datetime(["2024-02-29", None, "1970-01-01"]),
            "é ü": ["x", "y", None],
        },
        index=[7, 3, 9],
    )
    back = pandas_frame(arrow_tables({"t": frame})["t"])
    assert list(back.columns) == list(frame.columns) and list(back.index) == [0, 1, 2]
    assert back["whole"].tolist() == [1, pd.NA, 2**62 + 1]
    assert back["flag"].tolist() == [True, pd.NA, False]
    assert back["word"].astype(object).where(back["word"].notna(), None).tolist() == ["b", None, "a"]
    assert back["day"].isna().tolist() == [False, True, False]


def test_an_index_with_a_name_is_a_column() -> None:
    frame = pd.DataFrame({"id": [5, 6], "v": [1.0, 2.0]}).set_index("id")
    assert arrow_tables({"t": frame})["t"].column_names == ["id", "v"]


NO_TABLES: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "at least one"),
    "a path as a name": ({"../x": pd.DataFrame({"a": [1]})}, "../x"),
    "a number as a name": ({3: pd.DataFrame({"a": [1]})}, "a table's name"),
    "a list": ({"t": [1, 2]}, "t: a data frame"),
    "two columns of a name": ({"t": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "several columns"),
    "numbers as names": ({"t": pd.DataFrame([[1, 2]])}, "names of columns"),
    "a column of anything": ({"t": pd.DataFrame({"a": [1, "x", object()]})}, "t.a"),
    "a series": ({"t": pd.Series([1, 2])}, "t: a data frame"),
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table(name: str) -> None:
    data, words = NO_TABLES[name]
    with pytest.raises(DataError) as raised:
        tgs.load(data)
    assert words in str(raised.value)


def test_the_same_rows_are_the_same_data_whoever_holds_them() -> None:
    frames = tiny_tables()
    arrow = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    of_pandas, of_arrow = tgs.load(frames, metadata=METADATA), tgs.load(arrow, metadata=METADATA)
    assert content(of_pandas) == content(of_arrow)
    changed = {**frames, "clerks": frames["clerks"].assign(pay=1.0)}
    assert content(tgs.load(changed, metadata=METADATA)) != content(of_pandas)


def test_metadata_of_sdv_and_of_a_file(tmp_path: Path) -> None:
    class OfSdv:
        def to_dict(self) -> dict[str, Any]:
            return METADATA

    (tmp_path / "sdv.json").write_text(json.dumps(METADATA))
    found = [
        tgs.load(tiny_tables(), metadata=given).ingested().schema
        for given in (OfSdv(), METADATA, tmp_path / "sdv.json")
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0].relations) == 5
    for wrong, kind in ((7, ConfigError), ({"x": {1, 2}}, ConfigError), (tmp_path / "none.json", DataError)):
        with pytest.raises(kind):
            tgs.load(tiny_tables(), metadata=wrong)


def test_rows_in_memory_go_with_the_object(tmp_path: Path) -> None:
    database = tgs.load(tiny_tables())
    folder = database.folder
    assert (folder / "tables" / "orders.parquet").is_file() and folder.stat().st_mode & 0o077 == 0
    del database
    gc.collect()
    assert not folder.exists()


def test_a_folder_a_data_set_and_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv({"clerks": tiny_tables()["clerks"]}, tmp_path / "it's {a} folder, $x")
    database = tgs.load("it's {a} folder, $x", name="mine", orphans="null")
    assert database.tables == ("clerks",) and database.name == "mine"
    assert tgs.load("nycflights13_quick").overrides == ["dataset='nycflights13_quick'"]
    with pytest.raises(DataError, match=r"nycflights13_quick"):
        tgs.load("nycflights13_quik")
    with pytest.raises(DataError, match=r"load\(\{'its name': table\}\)"):
        tgs.load(tiny_tables()["clerks"])  # type: ignore[arg-type]


def test_settings_reach_the_config_as_they_are() -> None:
    rules = [{"kind": "order", "table": "t", "columns": ["a b", "it's"]}, {"é x": 1}]
    said = {"seed": np.int64(3), "gnn": "gat", "training": {"absorbing": {"steps": 7}}, "report": "quick"}
    path = "C:\\a' b\\"
    lines = [*overrides({"dataset": "folder", **said}), *overrides({"dataset.path": path, "dataset.rules": rules})]
    composed = compose_points(lines, multirun=False)
    assert composed.problems == []
    config = composed.points[0].config
    assert (config["seed"], config["training"]["absorbing"]["steps"]) == (3, 7)
    assert config["gnn"]["_target_"].lower().endswith("gat")
    assert config["dataset"]["path"] == path and config["dataset"]["rules"] == rules
    for wrong in ({"seed": float("nan")}, {"a b": 1}, {"seed": object()}, {"seed": {1, 2}}):
        with pytest.raises(ConfigError):
            overrides(wrong)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gnn": "gni"}, "gin"),
        ({"training": {"absorbing": {"stepps": 1}}}, "steps"),
        ({"seed": "x"}, "seed"),
        ({"experiment": "quikstart"}, "quickstart"),
    ],
)
def test_wrong_settings_are_the_projects_own_errors(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(TabGraphSynError, match=words):
        tgs.fit(tgs.load(tiny_tables()), output_dir=tmp_path / "out", progress=False, **settings)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"tabgraphsyn\.load"):
        tgs.fit("folder", progress=False)  # type: ignore[arg-type]
