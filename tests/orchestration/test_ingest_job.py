"""Large data are read by a job on a cluster; what needs no rows is checked by the launch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tabgraphsyn.config.catalog import STAGES as PROJECT
from tabgraphsyn.errors import DataError
from tabgraphsyn.generators.kinds import Catalog, catalog
from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.launching.source import read_source
from tabgraphsyn.orchestration.launching.submit import ingest_job_mb
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.stages import ingest

KEYS = {
    "parents": {"columns": {"id": {"sdtype": "id"}, "x": {"sdtype": "numerical"}}, "primary_key": "id"},
    "children": {"columns": {"id": {"sdtype": "id"}, "parent": {"sdtype": "id"}}, "primary_key": "id"},
}
RELATION = {
    "parent_table_name": "parents",
    "child_table_name": "children",
    "parent_primary_key": "id",
    "child_foreign_key": "parent",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "data"
    found.mkdir()
    (found / "parents.csv").write_text("id,x\n" + "".join(f"{n},{n * 2}\n" for n in range(30)))
    (found / "children.csv").write_text("id,parent\n" + "".join(f"{n},{n % 30}\n" for n in range(90)))
    metadata = {"METADATA_SPEC_VERSION": "V1", "tables": KEYS, "relationships": [RELATION]}
    (found / "metadata.json").write_text(json.dumps(metadata))
    return found


def only_ingest() -> Catalog:
    return catalog("ingest", PROJECT.kinds["ingest"])


def source(folder: Path, output_dir: Path, above_mb: float) -> Any:
    config = {"dataset": {"name": "d", "path": str(folder)}}
    runtime = Runtime("tabgraphsyn.stages.ingest", place_keys=PROJECT.kinds["ingest"].place_keys)
    store = Store(output_dir / "stages")
    return read_source(config, only_ingest(), store, runtime, lambda: None, keep=True, job_above_mb=above_mb)


def test_a_launch_reads_no_rows_of_large_data(folder: Path, tmp_path: Path):
    found = source(folder, tmp_path / "out", 0.0)
    assert set(found.tables) == {"parents", "children"} and found.job_mb > 0 and not found.was_done
    assert not (tmp_path / "out").exists()
    small = source(folder, tmp_path / "out", 20.0)
    assert small.job_mb == 0 and Store(tmp_path / "out" / "stages").done(small.stage.id) is not None


def test_a_launch_hashes_no_large_data(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with (folder / "children.csv").open("a") as handle:
        handle.writelines(f"{n},{n % 30}\n" for n in range(90, 500_000))
    read = []
    monkeypatch.setattr(ingest, "_file_hash", lambda path: read.append(path.name) or "hash")
    found = source(folder, tmp_path / "out", 1.0)
    assert read == ["metadata.json"] and found.content.startswith("quick-")


@pytest.mark.parametrize("first", ["here", "in a job"])
def test_what_one_has_read_the_other_finds(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str):
    """A launch on one machine names large data by their content, one on a cluster by their marks."""
    monkeypatch.setattr("tabgraphsyn.orchestration.launching.source._LARGE_MB", 0.0)
    if first == "here":
        made = source(folder, tmp_path / "out", float("inf"))
        found = source(folder, tmp_path / "out", 0.0)
    else:
        assert run_stage(_spec(folder, tmp_path / "out")) == 0
        made = source(folder, tmp_path / "out", 0.0)
        found = source(folder, tmp_path / "out", float("inf"))
    assert found.was_done and found.stage.id == made.stage.id and found.job_mb == 0


@pytest.mark.parametrize("kept", ["size", "size and time"])
def test_whatever_is_written_to_a_file_changes_its_marks(folder: Path, kept: str):
    path, dataset = folder / "children.csv", {"name": "d", "path": str(folder)}
    before, known = path.stat(), ingest.quick_key(dataset)
    assert ingest.quick_key(dataset) == known and ingest.is_same_content(dataset, known)
    text = path.read_text()
    path.write_text(text.replace("45,15", "45,16"))
    if kept == "size and time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size and not ingest.is_same_content(dataset, known)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "children.csv").write_text("id,id\n1,2\n"), "stands more than once"),
        (lambda folder: (folder / "parents.csv").unlink(), "the metadata names a table 'parents'"),
        (lambda folder: (folder / "metadata.json").write_text("{"), "metadata.json"),
    ],
)
def test_what_needs_no_rows_ends_the_launch(folder: Path, tmp_path: Path, change: Any, said: str):
    change(folder)
    with pytest.raises(DataError, match=said):
        source(folder, tmp_path / "out", 0.0)


def test_the_job_says_what_is_wrong_in_the_rows_as_a_launch_would(folder: Path, tmp_path: Path):
    (folder / "children.csv").write_text("id,parent\n1,99\n1,3\n")
    spec = _spec(folder, tmp_path / "out")
    assert run_stage(spec) == 2
    (attempt,) = (spec.parent / "attempts").glob("*.json")
    error = json.loads(attempt.read_text())["error"]
    with pytest.raises(DataError) as here:
        source(folder, tmp_path / "elsewhere", 20.0)
    assert error == str(here.value) and "children" in error


def test_data_that_changed_since_the_launch_are_refused(folder: Path, tmp_path: Path):
    spec = _spec(folder, tmp_path / "out")
    (folder / "children.csv").write_text("id,parent\n1,3\n2,3\n")
    assert run_stage(spec) == 2
    (attempt,) = (spec.parent / "attempts").glob("*.json")
    assert "Launch again" in json.loads(attempt.read_text())["error"]


def _spec(folder: Path, output_dir: Path) -> Path:
    found = source(folder, output_dir, 0.0)
    runtime = Runtime("tabgraphsyn.stages.ingest", place_keys=PROJECT.kinds["ingest"].place_keys, checks_content=True)
    return save_spec(output_dir / "stages" / found.stage.id, found.stage, runtime)


def test_the_size_is_the_launchs_or_the_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert ingest_job_mb({"executor": "local"}) == float("inf")
    assert ingest_job_mb({"executor": "slurm", "ingest_job_mb": None}) == 20
    assert ingest_job_mb({"executor": "slurm", "ingest_job_mb": 100}) == 100
    (tmp_path / "site.yaml").write_text("ingest_job_mb: 5\n")
    monkeypatch.setenv("TABGRAPHSYN_SITE", str(tmp_path / "site.yaml"))
    assert ingest_job_mb({"executor": "slurm", "ingest_job_mb": 100}) == 5
    assert ingest_job_mb({"executor": "slurm", "ingest_job_mb": 0}) == 0
