"""Successors on a real Slurm: nodes without scontrol, preemptions, deaths, several elements in a lane."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, wait_until

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)
ON_NODES = ("bash", "sh", "env", "srun", "squeue", "scancel", "mktemp", "rm", "date", "hostname", "sleep", "scontrol")


def node_path(folder: Path, *without: str) -> Path:
    """A folder of the commands that a node has, as the PATH of jobs."""
    folder.mkdir(parents=True)
    for name in ON_NODES:
        found = shutil.which(name)
        if found and name not in without:
            (folder / name).symlink_to(found)
    return folder


def refusing_scontrol(folder: Path) -> None:
    """The real scontrol, but for requeue: what a site that forbids it answers."""
    real = shutil.which("scontrol")
    (folder / "scontrol").unlink()
    refusal = "slurm_requeue error: Access/permission denied"
    text = f'#!/bin/bash\n[ "$1" = requeue ] && {{ echo "{refusal}" >&2; exit 1; }}\nexec {real} "$@"\n'
    (folder / "scontrol").write_text(text)
    (folder / "scontrol").chmod(0o755)


def on_nodes_with(launches: Launches, path: Path, settings: str = "on_interrupt: successor\n") -> str:
    """Add a site whose nodes have that PATH; return the override that chooses it."""
    base = (launches.conf / "cluster" / "dev.yaml").read_text()
    text = f"{base.strip()}\nsetup: ['export PATH={path}']\n{settings}"
    (launches.conf / "cluster" / "strict.yaml").write_text(text)
    return "cluster=strict"


def kinds(launches: Launches) -> list[str]:
    return [entry["kind"] for entry in launches.requeues()]


def preempt(cluster: DevCluster, launches: Launches, count: int) -> None:
    """Take all nodes once more attempts run than before, give them back when the stage left."""
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    seen = metrics.read_text().count("\n")
    wait_until(lambda: metrics.read_text().count("\n") > seen, 60, "further steps")
    command = ["sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "5", "-o", "/dev/null", "--wrap"]
    high = cluster.call(*command, "sleep 300")
    wait_until(lambda: cluster.queue().get(high) == "RUNNING", 60, "the high job")
    cluster.call("scancel", high)
    wait_until(lambda: len(kinds(launches)) == count, 30, f"{count} interruptions")


def test_ten_preemptions_without_scontrol_are_fine(launches: Launches, cluster: DevCluster, tmp_path: Path):
    """The nodes have no scontrol: nothing can requeue itself, spare tasks of the lane go on; same bits."""
    site = on_nodes_with(launches, node_path(tmp_path / "bin", "scontrol"))
    arguments = (*ONE, "fake.gnn=train:9000:0.1")
    launches.run(*arguments, site, "cluster.cpu_partition=low", "campaign=c")
    sample = next(each for each in launches.ledger() if "-sample-" in each["name"])
    assert sample["dependency"].startswith("afterany:")
    started = time.monotonic()
    for count in range(1, 11):
        preempt(cluster, launches, count)
        assert launches.done("sample") == 0
    print(f"ten preemptions in {time.monotonic() - started:.0f} s")
    launches.hurry()
    launches.wait_done(6, timeout_s=120)
    wait_until(lambda: not cluster.queue(), 30, "spare tasks leave the queue")
    (path,) = launches.out.glob("stages/gnn/*/metrics.jsonl")
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == list(range(1, 9001))
    assert kinds(launches) == ["signalled"] * 10  # without scontrol nobody says why
    starts = launches.marks("started")
    assert sum(count for name, count in starts.items() if "started-sample" in name) == 1, "dependents wait for the end"
    here = Launches(launches.folder / "here", launches.conf, launches.environment)
    here.hurry()
    here.run(*arguments, "cluster=here")
    assert launches.hashes() == here.hashes()


def test_failures_in_a_row_end_a_lane(launches: Launches, cluster: DevCluster, tmp_path: Path):
    """Killed again and again at one step: given up long before the spare tasks are used; nothing false follows."""
    site = on_nodes_with(launches, node_path(tmp_path / "bin", "scontrol"))
    launches.run(*ONE, "fake.gnn=kill_always", site, "cluster.max_failures=2", "campaign=c")
    wait_until(lambda: kinds(launches)[-1:] == ["gave up"], 90, "giving up")
    assert kinds(launches) == ["died"] * 3 + ["gave up"]
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    assert launches.done() == 3
    assert not any("started-sample" in name for name in launches.marks("started"))
    stages = {stage["label"]: stage for stage in launches.states("c").values()}
    assert stages["gnn"]["state"] == "failed" and "given up (cluster.max_failures)" in stages["gnn"]["reason"]


def test_a_job_killed_with_its_batch_script_goes_on(launches: Launches, cluster: DevCluster, tmp_path: Path):
    """No handler, no batch script, no record: the next task of the lane finds the files."""
    site = on_nodes_with(launches, node_path(tmp_path / "bin", "scontrol"))
    launches.run(*ONE, "fake.gnn=train:600:0.1", site)
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    (job,) = [element for element, state in cluster.queue().items() if state == "RUNNING"]
    cluster.call("scancel", "--signal=KILL", "--full", job)
    wait_until(lambda: len(list(launches.out.glob("stages/gnn/*/attempts/*.json"))) == 2, 60, "a second attempt")
    launches.hurry()
    launches.wait_done(6)
    (path,) = launches.out.glob("stages/gnn/*/metrics.jsonl")
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == list(range(1, 601))


def test_a_lane_runs_several_elements_and_leaves_the_failed_one(
    launches: Launches, cluster: DevCluster, tmp_path: Path
):
    site = on_nodes_with(launches, node_path(tmp_path / "bin"))
    sweep = ("-m", "fake.gnn='',fail", "seed=0,1", *ONE)
    launches.run(*sweep, site, "cluster.lanes=2", "cluster.successors=3", "campaign=c")
    lanes = [each for each in launches.ledger() if "-gnn-" in each["name"]]
    assert [len(each["elements"]) for each in lanes] == [2, 2] and all(each["is_lane"] for each in lanes)
    assert "#SBATCH --array=0-4%1" in Path(lanes[0]["script"]).read_text()
    wait_until(lambda: launches.done("evaluate") == 2 and not cluster.queue(), 90, "two good points")
    words = [stage["state"] for stage in launches.states("c").values()]
    assert words.count("failed") == 2
    assert set(launches.marks("computed").values()) == {1}
    text = launches.verb("repair", "c")
    assert "6 submitted as 6 elements" in text, text
    launches.verb("cancel", "c")


def test_a_second_launch_waits_for_the_end_of_a_lane(launches: Launches, cluster: DevCluster, tmp_path: Path):
    """A normal array that joins a lane's stage starts after the lane, not after its first task."""
    site = on_nodes_with(launches, node_path(tmp_path / "bin"))
    launches.run("campaign=one", "fake.gnn=train:900:0.1", *ONE, site)
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    text = launches.run("campaign=two", "fake.gnn=train:900:0.1", "fake.evaluate=train:2", *ONE)
    assert "3 joined" in text or "2 joined" in text, text
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    (path,) = launches.out.glob("stages/gnn/*/attempts/1.json")
    os.kill(json.loads(path.read_text())["owner"]["pid"], signal.SIGUSR2)
    launches.wait_for("stages/gnn/*/attempts/2.json")
    launches.hurry()
    launches.wait_done(7)
    assert set(launches.marks("computed").values()) == {1}


def test_a_node_that_refuses_is_remembered(launches: Launches, cluster: DevCluster, tmp_path: Path):
    """auto: requeue until a node refuses it; then the stage waits, and the next launch knows before."""
    path = node_path(tmp_path / "bin")
    refusing_scontrol(path)
    site = on_nodes_with(launches, path, "on_interrupt: auto\n")
    assert "not tried yet" in launches.run("dry_run=true", site, *ONE)
    launches.run(*ONE, "fake.gnn=train:900:0.1", site, "cluster.cpu_partition=low")
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 2, 30, "some steps")
    high = cluster.call(
        "sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "5", "-o", "/dev/null", "--wrap", "sleep 300"
    )
    launches.wait_for("slurm/findings.json")
    wait_until(lambda: cluster.queue().get(high) == "RUNNING", 60, "the high job")
    cluster.call("scancel", high)
    launches.hurry()
    launches.wait_done(6)
    (found,) = json.loads((launches.out / "slurm" / "findings.json").read_text()).values()
    assert found["can_requeue"] is False and "denied" in found["why"]
    text = launches.run("dry_run=true", site, "seed=7", *ONE)
    assert "on an interruption: wait" in text and "denied" in text


def test_doctor_leaves_what_it_found_where_launch_reads_it(launches: Launches, cluster: DevCluster, tmp_path: Path):
    path = node_path(tmp_path / "bin")
    refusing_scontrol(path)
    # Jobs inherit the environment that submits them.
    inherited = {**launches.environment, "PATH": f"{path}:{os.environ['PATH']}"}
    strict = Launches(launches.folder, launches.conf, inherited)
    found = {each["what"]: each for each in json.loads(strict.verb("doctor", "--test", "-p", "low", "--json"))}
    assert "denied" in found["requeue"]["found"]
    assert "on an interruption: wait" in launches.run("dry_run=true", *ONE)
    found = {each["what"]: each for each in json.loads(launches.verb("doctor", "--json"))}
    assert found["on preemption and time limit"]["found"].startswith("chosen: wait")
    again = {each["what"]: each for each in json.loads(launches.verb("doctor", "--test", "-p", "low", "--json"))}
    assert "ran again" in again["requeue"]["found"]
    assert "on an interruption: requeue" in launches.run("dry_run=true", *ONE)
