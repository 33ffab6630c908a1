from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))  # workers import fake_stages by name

CONFIG = {
    "config.yaml": """
        defaults:
          - schema
          - dataset: small
          - gnn: gin
          - tracking: jsonl
          - cluster: fast
          - _self_
        codec: {}
        holdout: {}
        structure: {}
        autoencoder: {}
        denoiser: {}
        diffusion: {}
        sampler: {}
        training: {}
        sampling: {}
        evaluation: {}
        report: {}
        fake: {prepare: "", autoencoder: "", gnn: "", sample: "", evaluate: ""}
    """,
    "dataset/small.yaml": "name: small\ntables: [a, b]\npath: ???\n",
    "gnn/gin.yaml": "name: gin\n",
    "gnn/gat.yaml": "name: gat\n",
    "tracking/jsonl.yaml": "_target_: tabgraphsyn.tracking.none.NoTracker\n",
    "cluster/fast.yaml": """
        executor: local
        workers: 2
        threads: 2
        gpus: 0
        heartbeat_s: 0.2
        lease_timeout_s: 3
        grace_s: 10
    """,
}


@pytest.fixture(scope="session")
def fake_conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conf")
    for name, text in CONFIG.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def environment(fake_conf: Path) -> dict[str, str]:
    """For a process of its own that runs ``fake_launch.py``."""
    paths = [str(ROOT), str(HERE)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "FAKE_CONF": str(fake_conf), "OMP_NUM_THREADS": "1"}
