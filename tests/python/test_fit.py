"""The five lines, in a script's process and in a notebook."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tiny_database import METADATA, tiny_tables

import tabgraphsyn as tgs
from tabgraphsyn.errors import ConfigError, DataError, StageError

FEW = {
    "training": {"absorbing": {"steps": 4}},
    "evaluation": "quick",
    "experiment": "quickstart",
    "progress": False,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("store") / "out"


@pytest.fixture(scope="module")
def database() -> tgs.Database:
    return tgs.load(tiny_tables(), metadata=METADATA)


@pytest.fixture(scope="module")
def model(database: tgs.Database, store: Path) -> tgs.Model:
    before = (os.environ.get("OMP_NUM_THREADS"), os.umask(0o022))
    os.umask(before[1])
    made = tgs.fit(database, output_dir=store, **FEW)
    mask = os.umask(before[1])
    os.umask(before[1])
    assert (os.environ.get("OMP_NUM_THREADS"), mask) == before, "fit changed the process that called it"
    return made


@pytest.mark.slow
def test_the_same_data_and_settings_compute_nothing_again(model: tgs.Model, store: Path) -> None:
    assert model.computed == 10 and model.report.is_file()
    again = tgs.fit(tgs.load(tiny_tables(), metadata=METADATA), output_dir=store, **FEW)
    assert again.computed == 0 and again.folder == model.folder
    other = tgs.fit(tgs.load(tiny_tables(), metadata=METADATA), output_dir=store, **FEW, report="default")
    assert other.computed == 1 and other.folder != model.folder


@pytest.mark.slow
def test_a_sample_is_pandas_and_arrow_and_keeps_keys(model: tgs.Model) -> None:
    tables = model.sample(scale=2)
    assert set(tables) == set(METADATA["tables"])
    assert len(tables["clerks"]) == 2 * len(tiny_tables()["clerks"])
    assert set(tables["orders"]["clerk_id"].dropna()) <= set(tables["clerks"]["clerk_id"])
    assert isinstance(tables.arrow("orders"), pa.Table)
    assert list(tables["orders"].columns) == list(tiny_tables()["orders"].columns)
    assert model.sample(scale=1, seed=5)["orders"].equals(model.sample(scale=1, seed=5)["orders"])
    assert set(model.sample(scale=1, where="customers.segment=firm")["customers"]["segment"]) == {"firm"}
    filled = model.impute(tiny_tables())
    assert filled["orders"]["amount"].notna().all() and tiny_tables()["orders"]["amount"].isna().any()
    with pytest.raises(ConfigError, match="order"):
        tables.arrow("order")


@pytest.mark.slow
def test_scores_know_the_holdout_of_the_model(
    model: tgs.Model, database: tgs.Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tables = model.sample()
    own = tgs.evaluate(database, tables, protocol="quick", progress=False)
    own.report()
    assert capsys.readouterr().out.startswith("privacy gate: ")
    assert 0 <= own.value("column_shapes") <= 1 and len(own.frame()) == len(own.found["scores"])
    assert {row["comparison"] for row in own.found["scores"] if row["metric"] == "copies"} == {"synthetic", "real_real"}
    foreign = tgs.evaluate(database, dict(tables), protocol="quick", progress=False)
    assert foreign.verdict == "not judged"
    by_folder = tgs.evaluate(database, tables.write(tmp_path / "them"), protocol="quick", progress=False)
    assert by_folder.value("column_shapes") == foreign.value("column_shapes")
    with pytest.raises(ConfigError, match="column_shapes"):
        own.value("column_shape")
    other = tgs.load({name: frame.head(25) for name, frame in tiny_tables().items()}, orphans="null")
    with pytest.raises(DataError, match="other data"):
        tgs.evaluate(other, tables, protocol="quick", progress=False)


@pytest.mark.slow
def test_a_saved_model_needs_no_store(model: tgs.Model, tmp_path: Path) -> None:
    saved = model.save(tmp_path / "kept")
    with pytest.raises(ConfigError, match="exists"):
        model.save(saved)
    shutil.move(saved, tmp_path / "elsewhere")
    opened = tgs.load_model(tmp_path / "elsewhere")
    assert opened.sample(seed=3)["orders"].equals(model.sample(seed=3)["orders"])
    with pytest.raises(StageError, match=r"report\.html"):
        _ = opened.report
    assert tgs.load_model(model.folder).stages == model.stages  # type: ignore[arg-type]
    (tmp_path / "elsewhere" / "schema.json").write_text("{}")
    with pytest.raises(DataError):
        tgs.load_model(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"bundle\.json"):
        tgs.load_model(tmp_path)


@pytest.mark.slow
def test_a_fit_beside_the_main_thread_and_one_that_fails(
    database: tgs.Database, model: tgs.Model, store: Path, tmp_path: Path
) -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(tgs.fit(database, output_dir=store, **FEW))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].cached == 10 and found[0].bundle == model.bundle
    stage = next((store / "stages" / "sample").iterdir())
    shutil.copytree(store, tmp_path / "out")
    (tmp_path / "out" / "stages" / "sample" / stage.name / "artifacts" / "synthetic" / "orders.parquet").write_bytes(
        b""
    )
    (tmp_path / "out" / "stages" / "sample" / stage.name / "done.json").unlink()
    made = tgs.fit(database, output_dir=tmp_path / "out", **FEW)
    assert made.computed >= 1, "a damaged stage was taken for done"


@pytest.mark.slow
def test_the_five_lines_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(tgs.__file__).resolve().parents[1]))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    cells = [
        "import tabgraphsyn as tgs\nimport pandas as pd\n"
        "people = pd.DataFrame({'id': range(150), 'pay': [100.0 + n % 17 for n in range(150)]})",
        "db = tgs.load({'people': people})",
        "model = tgs.fit(db, experiment='quickstart', training={'absorbing': {'steps': 4}})",
        "tables = model.sample(scale=2, given=None)",
        "scores = tgs.evaluate(db, tables, protocol='quick')",
        "scores.report()",
        "tables['people'].head()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    nbclient.NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    fitted, reported = notebook.cells[2].outputs, notebook.cells[5].outputs
    shown = [each["data"]["text/html"] for each in fitted if each["output_type"] == "display_data"]
    assert len(shown) == 1 and "7 of 7 stages" in shown[0] and "privacy gate" in shown[0]
    assert not [each for each in fitted if each["output_type"] == "stream"], fitted
    assert "Exact copies" in "".join(each.get("text", "") + str(each.get("data", "")) for each in reported)
