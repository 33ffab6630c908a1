from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # jobs import slurm_stages by name

from cluster_kit import DevCluster, Launches, is_installed, write_conf  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test on a real Slurm waits for it; the limit of each is for one that hangs."""
    for item in items:
        if item.get_closest_marker("slurm") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(autouse=True)
def own_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages of these tests are not the package's: a launch says so to its workers."""
    monkeypatch.setenv("TABGRAPHSYN_ALLOW_TARGETS", "slurm_stages,slow_copy")


@pytest.fixture(scope="session")
def cluster() -> Iterator[DevCluster]:
    """A devcluster without accounting; its folder is short because sockets lie in it."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    folder = Path(tempfile.mkdtemp(prefix="tgs-"))
    found = DevCluster(folder)
    found.up("--grace", "20")
    yield found
    found.down()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def launches(tmp_path: Path, cluster: DevCluster) -> Iterator[Launches]:
    found = Launches(tmp_path, write_conf(tmp_path / "conf"), cluster.environment)
    yield found
    ids = [each["job"] for each in found.ledger() if each["job"]]
    if ids:
        cluster.call("scancel", *ids, check=False)
