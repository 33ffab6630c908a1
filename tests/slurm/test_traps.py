"""Traps of Slurm and submitit that no other file holds; ``README.md`` lists them all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import psutil
import pytest
from cluster_kit import DevCluster, Launches, is_installed, wait_until, write_conf

from tabgraphsyn.orchestration.computing.compute import visible_gpus

ONE = ("dataset=single",)


def with_gpus(launches: Launches) -> str:
    """Add a site with a GPU partition; return the override that chooses it."""
    base = (launches.conf / "cluster" / "dev.yaml").read_text()
    (launches.conf / "cluster" / "gpus.yaml").write_text(f"{base.strip()}\ngpu_partition: gpu\n")
    return "cluster=gpus"


def scripts(launches: Launches) -> dict[str, str]:
    """Batch script by stage kind."""
    return {each["name"].rsplit("-", 2)[1]: Path(each["script"]).read_text() for each in launches.ledger()}


@pytest.mark.slurm
def test_scripts_say_what_submitit_leaves_out(launches: Launches):
    launches.run("fake.prepare=hold", *ONE)
    for text in scripts(launches).values():
        assert "#SBATCH --requeue" in text and "#SBATCH --open-mode=append" in text
        assert "wckey" not in text and "--kill-on-invalid-dep=yes" in text


@pytest.mark.slurm
def test_scripts_run_a_step_that_gets_the_signal(launches: Launches):
    """Without srun, ``--signal`` needs ``B:`` and SIGTERM comes when the grace time is over."""
    launches.run("fake.prepare=hold", *ONE)
    for text in scripts(launches).values():
        assert "#SBATCH --signal=USR2@30" in text and "\nsrun " in text


@pytest.mark.slurm
def test_jobs_carry_paths_and_no_pickles(launches: Launches):
    gone = {**launches.environment, "TMPDIR": str(launches.folder / "of-the-login-node")}  # jobs inherit it
    Launches(launches.folder, launches.conf, gone).run(*ONE)
    launches.wait_done(6)
    wait_until(lambda: not list(launches.out.glob("slurm/launches/*/*.out")), 30, "nothing was said")
    names = [path.name for path in (launches.out / "slurm" / "launches").rglob("*") if path.is_file()]
    assert names and not [name for name in names if name.endswith((".pkl", ".pickle", ".save_tmp"))]
    assert all(each.endswith((".sh", ".list", ".json", "run.py")) for each in names), names


@pytest.mark.slurm
def test_without_the_user_signal_sigterm_is_enough(tmp_path: Path):
    """Slurm's default: a preempted step gets SIGTERM and SIGCONT, and nothing else until it is killed."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        cluster.up("--no-user-signal", "--grace", "20")
        try:
            launches = Launches(tmp_path, write_conf(tmp_path / "conf"), cluster.environment)
            launches.run(*ONE, "fake.gnn=train:900:0.1", "cluster.cpu_partition=low")
            metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
            wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
            high = cluster.call(
                "sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "5", "-o", "/dev/null", "--wrap",
                "sleep 300",
            )  # fmt: skip
            wait_until(lambda: cluster.queue().get(high) == "RUNNING", 30, "the high job")
            (path,) = launches.out.glob("stages/gnn/*/attempts/*.json")
            assert json.loads(path.read_text())["outcome"] == "interrupted", "the grace time's end leaves no word"
            cluster.call("scancel", high)
            launches.hurry()
            launches.wait_done(6)
            assert [entry["kind"] for entry in launches.requeues()] == ["preempted"]
        finally:
            cluster.down()


@pytest.mark.slurm
def test_a_small_max_array_size_is_kept(tmp_path: Path):
    """MaxArraySize caps the index, not the count: 5 means indices up to 4."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        cluster.up("--max-array-size", "5")
        try:
            launches = Launches(tmp_path, write_conf(tmp_path / "conf"), cluster.environment)
            launches.run("-m", "seed=range(0,6)", *ONE)
            gnns = [each for each in launches.ledger() if "-gnn-" in each["name"]]
            assert [sorted(map(int, each["elements"])) for each in gnns] == [[0, 1, 2, 3], [0, 1]]
            launches.wait_done(2 + 4 * 6)
        finally:
            cluster.down()


@pytest.mark.slurm
def test_a_launch_exits_and_leaves_no_process(launches: Launches):
    before = {process.pid for process in psutil.process_iter()}
    process = launches.start("fake.prepare=hold", *ONE)
    text, _ = process.communicate(timeout=280)
    assert process.returncode == 0, text
    left = [each for each in psutil.process_iter() if each.pid not in before and each.ppid() == process.pid]
    assert not left
    assert launches.done() == 1  # the queue has the rest


@pytest.mark.slurm
def test_a_step_has_the_cpus_of_its_job(launches: Launches):
    launches.run(*ONE, "resources.gnn.threads=2")
    text = scripts(launches)["gnn"]
    assert "#SBATCH --cpus-per-task=2" in text and "--cpus-per-task=2 --open-mode=append" in text


@pytest.mark.slurm
def test_a_requeue_appends_to_the_log(launches: Launches, cluster: DevCluster):
    launches.run(*ONE, "fake.gnn=kill_once")
    launches.wait_done(6)
    (job,) = (each["job"] for each in launches.ledger() if "-gnn-" in each["name"])
    (log,) = launches.out.glob(f"slurm/launches/*/{job}_0_log.out")
    assert "SIGKILL" in log.read_text() and f"requeued job {job}" in log.read_text()


@pytest.mark.slurm
def test_stages_on_cpu_ask_for_no_gpu(launches: Launches):
    launches.run("fake.prepare=hold", *ONE, with_gpus(launches), "resources.gnn.device=auto")
    found = scripts(launches)
    assert "#SBATCH --gres=gpu:1" in found["gnn"] and "--partition=gpu" in found["gnn"]
    assert all("gres" not in text for kind, text in found.items() if kind != "gnn")


def test_gpus_may_be_named_by_uuid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-3a1c7e2b-0000-5000-8000-000000000001")
    assert visible_gpus() == ["MIG-3a1c7e2b-0000-5000-8000-000000000001"]
