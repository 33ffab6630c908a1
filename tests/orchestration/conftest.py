from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from stage_conf import stage_conf, write_files

from tabgraphsyn.orchestration.stored.trust import VARIABLE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))  # workers import fake_stages by name


@pytest.fixture(autouse=True)
def own_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages of these tests are not the package's: a launch says so to its workers."""
    monkeypatch.setenv(VARIABLE, "fake_stages,ranked_stages")


CONFIG = stage_conf(
    cluster="fast",
    path="???",
    more="resources: {prepare: {}, autoencoder: {}, gnn: {}, sample: {}, evaluate: {}}\n",
    files={
        "cluster/fast.yaml": """
            executor: local
            workers: 2
            threads: 2
            gpus: 0
            heartbeat_s: 0.2
            lease_timeout_s: 3
            grace_s: 10
        """,
    },
)


@pytest.fixture(scope="session")
def fake_conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("conf"), CONFIG)


@pytest.fixture
def environment(fake_conf: Path) -> dict[str, str]:
    """For a process of its own that runs ``fake_launch.py``."""
    paths = [str(ROOT), str(HERE)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "FAKE_CONF": str(fake_conf), "OMP_NUM_THREADS": "1"}
