"""Trained stages on several tasks of a real Slurm: srun starts the ranks, and they end where ranks elsewhere end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest
from cluster_kit import ROOT, DevCluster, Launches, write_conf

pytestmark = pytest.mark.slurm

TRAIN = ("dataset=single", "fake.autoencoder=ranked:0.05", "resources.autoencoder.mem_gb=0.5")
SPREADS = {"one node": ("tasks_per_node=2",), "two nodes": ("nodes=2",)}


def launches_in(folder: Path, cluster: DevCluster) -> Launches:
    """Launches whose stages may train with the real loop."""
    environment = dict(cluster.environment)
    environment["PYTHONPATH"] += os.pathsep + str(ROOT / "tests" / "orchestration")
    return Launches(folder, write_conf(folder / "conf"), environment)


@pytest.fixture
def ranked(tmp_path: Path, cluster: DevCluster) -> Launches:
    return launches_in(tmp_path, cluster)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, cluster: DevCluster) -> dict[str, str]:
    """Hashes of two ranks that this machine's own runner starts."""
    here = launches_in(tmp_path_factory.mktemp("here"), cluster)
    here.run(*TRAIN, "resources.autoencoder.tasks_per_node=2", "cluster=here")
    return here.hashes()


def trained(launches: Launches) -> dict:
    (path,) = launches.out.glob("stages/autoencoder/*/done.json")
    return json.loads(path.read_text())


def test_ranks_of_a_job_end_like_ranks_of_one_machine(ranked: Launches, expected: dict[str, str]):
    for name, spread in SPREADS.items():
        launches = Launches(ranked.folder / name.replace(" ", "-"), ranked.conf, ranked.environment)
        text = launches.run(*TRAIN, *(f"resources.autoencoder.{each}" for each in spread))
        assert ("x 2 tasks" if name == "one node" else "x 2 nodes") in text, text
        launches.wait_done(6, timeout_s=180)
        assert trained(launches)["ranks"] == 2
        assert launches.hashes() == expected
        assert not list(launches.out.rglob(".ranks-*"))


def test_requeued_in_mid_training_all_ranks_resume(ranked: Launches, expected: dict[str, str], cluster: DevCluster):
    ranked.run(*TRAIN, "resources.autoencoder.tasks_per_node=2")
    ranked.wait_for("stages/autoencoder/*/checkpoints/step-*", 120)
    (job,) = {each["job"] for each in ranked.ledger() if "-autoencoder-" in each["name"]}
    cluster.call("scontrol", "requeue", job)
    ranked.wait_done(6, timeout_s=240)
    attempts = sorted(ranked.out.glob("stages/autoencoder/*/attempts/*.json"))
    assert [json.loads(path.read_text())["outcome"] for path in attempts] == ["interrupted", "done"]
    assert ranked.hashes() == expected


def test_a_killed_rank_is_retried(ranked: Launches, expected: dict[str, str]):
    ranked.run(*TRAIN, "resources.autoencoder.tasks_per_node=2")
    ranked.wait_for("stages/autoencoder/*/checkpoints/step-*", 120)
    (job,) = {each["job"] for each in ranked.ledger() if "-autoencoder-" in each["name"]}
    other_rank(job).kill()
    ranked.wait_done(6, timeout_s=240)
    attempts = sorted(ranked.out.glob("stages/autoencoder/*/attempts/*.json"))
    assert "lost another rank" in json.loads(attempts[0].read_text())["error"]
    assert [each["kind"] for each in ranked.requeues()] == ["died"]
    assert ranked.hashes() == expected


def other_rank(job: str) -> psutil.Process:
    """Return the process of rank 1 of a job on this machine."""
    found = []
    for process in psutil.process_iter():
        try:
            environment, command = process.environ(), process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        is_task = any(word.endswith("/run.py") for word in command) and "srun" not in Path(command[0]).name
        if is_task and environment.get("SLURM_JOB_ID") == job and environment.get("SLURM_PROCID") == "1":
            found.append(process)
    # The reader of what a rank prints is its child.
    (process,) = (each for each in found if each.ppid() not in {other.pid for other in found})
    return process
