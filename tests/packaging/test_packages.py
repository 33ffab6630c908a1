from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tabgraphsyn.config.top_level import config_dir

ROOT = Path(__file__).resolve().parents[2]


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
def test_a_wheel_carries_the_yaml_and_launches(tmp_path: Path):
    """Built from a copy, so that no build folder is left in the checkout; no network, no dependencies."""
    copy = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        source = ROOT / name
        if source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(source.read_bytes())
    (copy / "README.md").touch()
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        ".",
    ]
    subprocess.run(command, cwd=copy, check=True, timeout=280)
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
