"""Queued jobs run the code of their launch: a copy of a checkout, or a note in the manifest that it is another one."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster_kit import ROOT, DevCluster, Launches, wait_until

from tabgraphsyn.orchestration.code import code_copy, snapshot, tree_digest

ONE = ("dataset=single",)


def test_the_copy_is_made_once_and_is_the_same_code(tmp_path: Path):
    first = code_copy.code_copy(tmp_path)
    assert first is not None and first.name == code_copy.copy_digest()[:16]
    stamp = first.stat().st_mtime_ns
    assert code_copy.code_copy(tmp_path) == first and first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]
    code = "from tabgraphsyn.orchestration.code import snapshot; print(snapshot.source_hash(), snapshot.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-c", code],
        env={"PYTHONPATH": str(first)}, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, where = done.stdout.split()
    assert found == snapshot.source_hash() and where.startswith(str(first))


def added_line(copy: Path) -> None:
    path = copy / "tabgraphsyn" / "__init__.py"
    path.chmod(0o600)
    path.write_text(path.read_text() + "\nprint('run as somebody else')\n")


def removed_file(copy: Path) -> None:
    (copy / "tabgraphsyn" / "errors.py").unlink()


def compiled_twin(copy: Path) -> None:
    """Python takes an extension module, or a compiled file, before the source beside it."""
    (copy / "tabgraphsyn" / "errors.abi3.so").write_bytes(b"\x7fELF")


def module_beside(copy: Path) -> None:
    """The copy comes first on the path, so what lies beside the package hides libraries."""
    (copy / "numpy.py").write_text("print('not numpy')\n")


def linked_file(copy: Path) -> None:
    path = copy / "tabgraphsyn" / "errors.py"
    other = copy.parent / "elsewhere.py"
    other.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("harm", [added_line, removed_file, compiled_twin, module_beside, linked_file])
def test_a_copy_that_somebody_changed_is_made_anew_and_runs_nowhere(
    tmp_path: Path, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
):
    copy = code_copy.code_copy(tmp_path)
    assert copy is not None
    harm(copy)
    with pytest.raises(SystemExit) as ended:
        tree_digest.require_tree(str(copy), code_copy.copy_digest())
    assert ended.value.code == 3 and "somebody changed it" in capsys.readouterr().err
    assert code_copy.code_copy(tmp_path) == copy
    tree_digest.require_tree(str(copy), code_copy.copy_digest())


@pytest.mark.parametrize("shared", [False, True])
def test_nobody_else_may_change_a_copy_whatever_the_umask(tmp_path: Path, shared: bool):
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(0o2775 if shared else 0o777)
    former = os.umask(0o000)
    try:
        copy = code_copy.code_copy(store / "slurm")
    finally:
        os.umask(former)
    assert copy is not None
    for path in (copy, *copy.rglob("*")):
        wanted = (0o750 if shared else 0o700) if path.is_dir() else (0o440 if shared else 0o400)
        assert stat.S_IMODE(path.stat().st_mode) & 0o777 == wanted, path


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
    path = checkout / "tabgraphsyn" / "orchestration" / "computing" / "worker.py"
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
    assert len(copies) == 1
    record = json.loads((own.out / "campaigns" / "c" / "campaign.json").read_text())
    for path in own.out.glob("stages/*/*/done.json"):
        found = json.loads(path.read_text())["code"]
        assert found["source"] == record["code"]["source"] and "planned" not in found
