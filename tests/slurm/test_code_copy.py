"""Queued jobs run the code of their launch: a copy of a checkout, or a note in the manifest that it is another one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import ROOT, DevCluster, Launches, wait_until

from tabgraphsyn.orchestration import code_copy, snapshot

ONE = ("dataset=single",)


def test_the_copy_is_made_once_and_is_the_same_code(tmp_path: Path):
    first = code_copy.code_copy(tmp_path)
    assert first is not None and first.name == snapshot.source_hash()
    stamp = first.stat().st_mtime_ns
    assert code_copy.code_copy(tmp_path) == first and first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    code = "from tabgraphsyn.orchestration import snapshot; print(snapshot.source_hash(), snapshot.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(first)}, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, where = done.stdout.split()
    assert found == first.name and where.startswith(str(first))


def test_an_installed_package_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(code_copy, "is_checkout", lambda: False)
    assert code_copy.code_copy(tmp_path) is None and not list(tmp_path.iterdir())


def test_a_manifest_names_the_code_that_ran():
    planned = {"package": "0", "source": "another", "commit": "x"}
    found = snapshot.running_code(planned)
    assert found["source"] == snapshot.source_hash() and found["planned"] == "another"
    same = {"package": "0", "source": snapshot.source_hash()}
    assert snapshot.running_code(same) == same


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that a test may edit."""
    folder = tmp_path / "checkout"
    leave = shutil.ignore_patterns("__pycache__", "embedded")
    shutil.copytree(ROOT / "tabgraphsyn", folder / "tabgraphsyn", ignore=leave)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def edit(checkout: Path) -> None:
    """What every stage runs now fails."""
    path = checkout / "tabgraphsyn" / "orchestration" / "worker.py"
    text = path.read_text()
    assert "    module = importlib.import_module(spec.runtime.module)\n" in text
    path.write_text(text.replace("    module = importlib", "    raise StageError('edited')\n    module = importlib"))


@pytest.mark.slurm
@pytest.mark.parametrize(
    ("code", "further"), [("snapshot", ()), ("snapshot", ("+cluster.sbatch.export=NONE",)), ("live", ())]
)
def test_code_edited_after_submission(
    launches: Launches, cluster: DevCluster, checkout: Path, code: str, further: tuple[str, ...]
):
    """Modules are imported when a job starts: without a copy, an edit changes half of a sweep."""
    paths = cluster.environment["PYTHONPATH"].split(":")
    environment = {**launches.environment, "PYTHONPATH": ":".join([str(checkout), *paths[1:]])}
    own = Launches(launches.folder, launches.conf, environment)
    own.run("campaign=c", "fake.prepare=hold", f"cluster.code={code}", *further, *ONE)
    own.wait_for("stages/prepare/*/attempts/1.json")
    edit(checkout)
    (own.out / "release").touch()
    copies = list((own.out / "slurm" / "code").glob("*")) if code == "snapshot" else []
    if code == "live":
        wait_until(lambda: not cluster.queue(), 60, "queue empty")
        assert own.done("autoencoder") == 0
        return
    own.wait_done(6)
    (copy,) = copies
    for path in own.out.glob("stages/*/*/done.json"):
        found = json.loads(path.read_text())["code"]
        assert found["source"] == copy.name and "planned" not in found
    record = json.loads((own.out / "campaigns" / "c" / "campaign.json").read_text())
    assert record["code"]["source"] == copy.name
