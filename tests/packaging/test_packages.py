from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tabgraphsyn.config.top_level import config_dir

ROOT = Path(__file__).resolve().parents[2]

# No `if __name__ == "__main__"`: people's scripts have none, and workers must not run them again.
FIVE_LINES = """
import pandas as pd
import tabgraphsyn as tgs
people = pd.DataFrame({"id": range(200), "pay": [100.0 + n % 17 for n in range(200)]})
db = tgs.load({"people": people})
model = tgs.fit(db, experiment="quickstart", training={"absorbing": {"steps": 4}})
tables = model.sample(scale=2)
scores = tgs.evaluate(db, tables, protocol="quick")
scores.report()
assert len(tables["people"]) == 400 and tables["people"]["id"].is_unique
"""


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_list_of_packages_is_the_tree():
    listed = set(pyproject()["tool"]["setuptools"]["packages"])
    folders = {path.parent for path in (ROOT / "tabgraphsyn").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert listed == found | {"tabgraphsyn.conf"}


def test_every_package_has_an_init():
    folders = {path.parent for path in (ROOT / "tabgraphsyn").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_checkout_finds_its_yaml():
    assert (config_dir() / "config.yaml").is_file()


@pytest.mark.slow
def test_a_wheel_of_the_sdist_carries_the_yaml_launches_and_fits(tmp_path: Path):
    """Built from a copy, so that no build folder is left in the checkout; no network, no dependencies."""
    copy = tmp_path / "source"
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("what belongs to the project is asked of git, and this is no checkout")
    # A checkout of another user's is asked too: only names are read.
    asked = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    tracked = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        source = ROOT / name
        if source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(source.read_bytes())
    (copy / "README.md").touch()
    packed = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "-o", str(tmp_path), "."]
    subprocess.run(packed, cwd=copy, check=True, timeout=280, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run([*command, str(sdist)], check=True, timeout=280)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    yaml = {f"tabgraphsyn/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert yaml <= names
    code = (
        "from tabgraphsyn import launch; from tabgraphsyn.config.top_level import config_dir;"
        "print(config_dir()); launch.main(['--cfg', 'job'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path / "installed" / "tabgraphsyn" / "conf"))
    assert "training:" in done.stdout
    script = tmp_path / "five_lines.py"
    script.write_text(FIVE_LINES)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exact copies" in done.stdout and done.stdout.count("start   absorbing/people") == 1
