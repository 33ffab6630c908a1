"""One finished sweep point for all tests of exports: a pipeline run costs seconds, a copy of its folder nothing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # machine_words
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))  # tiny_database, user_commands

from tiny_database import tiny_tables, write_csv, write_metadata
from user_commands import FEW_STEPS, LIGHT_EVALUATION


@dataclass(frozen=True)
class Finished:
    """Where a finished launch lies."""

    data: Path
    out: Path

    @property
    def point(self) -> Path:
        return self.out / "campaigns" / "tiny" / "default"


def launched(*arguments: str, code: int = 0) -> None:
    from tabgraphsyn.launch import main

    found = main(list(arguments))
    assert found == code


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished point on four small tables; nobody changes it."""
    home = tmp_path_factory.mktemp("somebodys_home")
    data = write_metadata(write_csv(tiny_tables(), home / "tiny"))
    out = home / "out"
    launched(
        *("dataset=folder", f"dataset.path={data}", f"output_dir={out}", "campaign=tiny", "cluster=inline"),
        *("cluster.threads=1", *FEW_STEPS, *LIGHT_EVALUATION, "gnn=gin", "training.gnn.steps=4"),
        *("training.autoencoder.steps=4", "autoencoder=vae"),
    )
    return Finished(data, out)


@pytest.fixture
def finished(original: Finished, tmp_path: Path) -> Finished:
    """A copy of it to change."""
    shutil.copytree(original.out, tmp_path / "out")
    return Finished(original.data, tmp_path / "out")


@pytest.fixture(scope="session")
def exported(original: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished point as a crate's folder; nobody changes it."""
    from tabgraphsyn.exports.export import export
    from tabgraphsyn.exports.point import find_point

    out = tmp_path_factory.mktemp("crates") / "tiny"
    export(find_point(str(original.point), Path()), out)
    return out


@pytest.fixture
def crate(exported: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(exported, tmp_path / "crate"))
