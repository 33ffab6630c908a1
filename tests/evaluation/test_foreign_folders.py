"""Folders without the tables that were asked for: a wrong folder is refused, a table that is missing is scored."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tabgraphsyn.data.schema import Column, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.evaluation.sides.other_generators import read_database
from tabgraphsyn.verbs import cli

SHOPS = TableSchema("shops", (Column("size", "numerical"),))
SALES = TableSchema("sales", (Column("price", "numerical"),))
SCHEMA = Schema((SHOPS, SALES))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "made"
    found.mkdir()
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    found = tmp_path / "scratch"
    found.mkdir()
    return found


def test_an_empty_folder_is_refused(folder: Path, scratch: Path):
    (folder / "metadata.json").write_text("{}")
    with pytest.raises(DataError, match=r"no tables there. Give the folder that holds 'shops.csv', 'sales.csv'"):
        read_database(folder, SCHEMA, scratch)


def test_a_folder_of_other_tables_is_refused(folder: Path, scratch: Path):
    for name in ("a", "b"):
        pd.DataFrame({"size": [1, 2]}).to_csv(folder / f"{name}.csv", index=False)
    with pytest.raises(DataError, match=r"none of the tables 'shops', 'sales' is there, found 'a', 'b'\. Give the"):
        read_database(folder, SCHEMA, scratch)


def test_one_missing_table_is_noted(folder: Path, scratch: Path):
    pd.DataFrame({"size": [1, 2]}).to_csv(folder / "shops.csv", index=False)
    read = read_database(folder, SCHEMA, scratch)
    assert read.problems == [f"{folder}: no table 'sales'."]
    assert read.database["sales"].num_rows == 0


def test_a_table_alone_may_have_any_name(folder: Path, scratch: Path):
    pd.DataFrame({"size": [1, 2]}).to_csv(folder / "made.csv", index=False)
    read = read_database(folder, Schema((SHOPS,)), scratch)
    assert read.problems == []
    assert read.database["shops"].num_rows == 2


@pytest.mark.parametrize("content", ["", "other"])
def test_the_command_ends_with_2_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], content: str
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    for name in ("real", "made"):
        (tmp_path / name).mkdir()
    for name in ("shops", "sales"):
        pd.DataFrame({"size": range(40), "price": range(40)}).to_csv(tmp_path / "real" / f"{name}.csv", index=False)
    if content:
        pd.DataFrame({"size": range(40)}).to_csv(tmp_path / "made" / f"{content}.csv", index=False)
    assert cli.main(["ingest", "real"]) == 0
    capfd.readouterr()
    code = cli.main(["evaluate", "--real", "real", "--synthetic", "made", "--protocol", "quick", "--out", "scores"])
    captured = capfd.readouterr()
    assert code == 2, captured.out + captured.err
    assert "made" in captured.err and "'shops.csv'" in captured.err and "Traceback" not in captured.err
    assert not (tmp_path / "scores").exists()
