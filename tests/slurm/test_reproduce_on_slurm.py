"""A crate that is computed again on a cluster: submitted, judged by the same command once its jobs are done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import DevCluster, wait_until
from test_study_on_slurm import SMALL, STAGES, write_people

pytestmark = pytest.mark.slurm


@pytest.mark.timeout(600)
def test_a_crate_is_reproduced_by_jobs(tmp_path: Path, cluster: DevCluster) -> None:
    write_people(tmp_path)

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *words],
            env=cluster.environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    here = [word for word in SMALL if not word.startswith("cluster")]
    made = ran("tabgraphsyn.launch", *here, "cluster=inline", "cluster.threads=1", "campaign=c")
    assert made.returncode == 0, made.stdout + made.stderr
    assert ran("tabgraphsyn", "export", "c", "--out", "crate").returncode == 0
    again = ("tabgraphsyn", "reproduce", "crate", "--data", "data", "--cluster", "devcluster")
    again = (*again, "--set", f"cluster.fuse=[{STAGES}]", "--output-dir", "again")
    first = ran(*again)
    assert first.returncode == 75 and "give the same command again" in first.stdout, first.stdout + first.stderr
    wait_until(lambda: len(list(tmp_path.glob("again/stages/report/*/done.json"))) == 1, 300, "the report")
    wait_until(lambda: not cluster.queue(), 60, "an empty queue")
    judged = ran(*again)
    assert judged.returncode == 0 and "reproduced" in judged.stdout, judged.stdout + judged.stderr
    assert "matches     stage absorbing/people" in judged.stdout
    assert ran("tabgraphsyn", "verify", "crate").returncode == 0
