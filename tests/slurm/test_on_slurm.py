"""The real launch on a real Slurm: arrays, joins, failures, preemption. Each trap by name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from cluster_kit import ROOT, SBIN, DevCluster, Launches, wait_until, write_conf

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)  # ingest, prepare, autoencoder/a, gnn, sample, evaluate


def worker_pids(launches: Launches, kind: str) -> list[int]:
    """Processes that run a stage of this test now."""
    found = []
    for path in launches.out.glob(f"stages/{kind}/*/attempts/*.json"):
        owner = json.loads(path.read_text())["owner"]
        if psutil.pid_exists(owner["pid"]) and "outcome" not in json.loads(path.read_text()):
            found.append(owner["pid"])
    return found


def steps(launches: Launches, kind: str) -> list[int]:
    (path,) = launches.out.glob(f"stages/{kind}/*/metrics.jsonl")
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def attempts(launches: Launches, kind: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(launches.out.glob(f"stages/{kind}/*/attempts/*.json"))]


def undisturbed(launches: Launches, *arguments: str) -> dict[str, str]:
    """Hashes of the same launch on this machine, in another folder."""
    here = Launches(launches.folder / "here", launches.conf, launches.environment)
    here.hurry()
    here.run(*arguments, "cluster=here")
    return here.hashes()


def occupy(cluster: DevCluster) -> str:
    """Take all nodes in the partition that preempts."""
    command = ["sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-t", "5", "-o", "/dev/null", "--wrap"]
    return cluster.call(*command, "sleep 300")


def test_a_sweep_is_arrays_and_ends_like_a_local_one(launches: Launches):
    sweep = ("-m", "gnn=gin,gat", "seed=0,1,2")
    text = launches.run(*sweep)
    assert "submitted as 25 elements of 9 jobs" in text, text
    names = [each["name"] for each in launches.ledger()]
    assert all(name.startswith("tgs-small-") for name in names)
    launches.wait_done(26)
    assert set(launches.marks("computed").values()) == {1}
    assert launches.hashes() == undisturbed(launches, *sweep)
    points = list(launches.out.glob("campaigns/*/*/metrics.json"))
    assert len(points) == 6
    assert "0 submitted" in launches.run(*sweep)
    logs = list(launches.out.glob("slurm/launches/*/*_log.out"))
    assert all(path.stat().st_size for path in logs), "25 elements, and those that had nothing to say leave no log"


def test_a_second_launch_joins_what_is_queued(launches: Launches):
    launches.run("campaign=one", "fake.prepare=hold", "seed=0")
    launches.wait_for("stages/prepare/*/attempts/1.json")
    text = launches.run("campaign=two", "fake.prepare=hold", "-m", "seed=0,1")
    assert "6 joined to jobs in the queue" in text, text
    (launches.out / "release").touch()
    launches.wait_done(12)
    assert set(launches.marks("computed").values()) == {1}
    wait_until(lambda: len(list(launches.out.glob("campaigns/two/*/metrics.json"))) == 2, 30, "both points shown")


def test_racing_launches_submit_nothing_twice(launches: Launches):
    processes = [launches.start(f"campaign=c{number}", "-m", "seed=0,1") for number in range(3)]
    texts = [process.communicate(timeout=280)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], texts
    submitted = Counter(stage for each in launches.ledger() for stages in each["elements"].values() for stage in stages)
    assert set(submitted.values()) == {1}
    launches.wait_done(12)
    assert set(launches.marks("computed").values()) == {1}


def test_a_failed_stage_stops_what_depends_on_it_and_only_that(launches: Launches, cluster: DevCluster):
    launches.run("campaign=good", "-m", "seed=0,1", *ONE)
    launches.run("campaign=bad", "fake.gnn=fail", *ONE)
    launches.wait_done(9)
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    states = launches.states("bad")
    words = {stage["label"]: stage["state"] for stage in states.values()}
    assert words["gnn"] == "failed" and words["sample"] == words["evaluate"] == "blocked"
    assert "made to fail" in next(stage["reason"] for stage in states.values() if stage["label"] == "gnn")
    assert launches.done("evaluate") == 2


def test_in_an_array_a_failed_element_stops_only_its_own(launches: Launches, cluster: DevCluster):
    """aftercorr: whole-array afterok would lose all points for one."""
    launches.run("-m", "fake.gnn='','fail'", "seed=0,1", *ONE)
    wait_until(lambda: launches.done("evaluate") == 2 and not cluster.queue(), 60, "two good points")
    assert launches.done("gnn") == 2


def test_preempted_stage_saves_requeues_and_ends_the_same(launches: Launches, cluster: DevCluster):
    """SIGTERM or USR2 comes with the grace time: save, requeue, node free; dependents wait; same bits.

    A stage that the grace time ended would have left no word of its own.
    """
    arguments = (*ONE, "fake.gnn=train:600:0.1")
    launches.run(*arguments, "cluster.cpu_partition=low")
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    started = time.monotonic()
    high = occupy(cluster)
    wait_until(lambda: cluster.queue().get(high) == "RUNNING", 30, "the high job")
    free_s = time.monotonic() - started
    assert launches.done("gnn") == 0
    assert [each["outcome"] for each in attempts(launches, "gnn")] == ["interrupted"]
    requeued = time.monotonic()
    before = len(attempts(launches, "gnn"))
    cluster.call("scancel", high)
    wait_until(lambda: len(attempts(launches, "gnn")) > before, 60, "a second attempt")
    back_s = time.monotonic() - requeued
    launches.hurry()
    launches.wait_done(6)
    print(f"preempt to node free {free_s:.1f} s, free node to next attempt {back_s:.1f} s")
    assert steps(launches, "gnn") == list(range(1, 601))
    assert [entry["kind"] for entry in launches.requeues()] == ["preempted"]
    assert launches.hashes() == undisturbed(launches, *arguments)


def test_requeued_by_hand_it_resumes(launches: Launches, cluster: DevCluster):
    launches.run(*ONE, "fake.gnn=train:600:0.1")
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    (job,) = [element for element, state in cluster.queue().items() if state == "RUNNING"]
    cluster.call("scontrol", "requeue", job)
    wait_until(lambda: len(attempts(launches, "gnn")) == 2, 60, "a second attempt")
    launches.hurry()
    launches.wait_done(6)
    assert steps(launches, "gnn") == list(range(1, 601))
    assert len(attempts(launches, "gnn")) == 2


def test_killed_process_is_retried_and_resumes(launches: Launches, cluster: DevCluster):
    """SIGKILL and out of memory reach no handler: the batch script requeues, state comes from files."""
    arguments = (*ONE, "fake.gnn=train:600:0.1")
    launches.run(*arguments)
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    (pid,) = worker_pids(launches, "gnn")
    os.kill(pid, signal.SIGKILL)
    wait_until(launches.requeues, 60, "the requeue")
    launches.hurry()
    launches.wait_done(6)
    (entry,) = launches.requeues()
    assert (entry["kind"], entry["exit_code"]) == ("died", 137)
    assert steps(launches, "gnn") == list(range(1, 601))
    assert launches.hashes() == undisturbed(launches, *arguments)


def test_deaths_in_a_row_have_their_own_cap(launches: Launches, cluster: DevCluster):
    launches.run(*ONE, "fake.gnn=kill_always", "cluster.max_failures=1")
    wait_until(lambda: len(launches.requeues()) == 3, 60, "two deaths, and giving up")
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    assert [entry["kind"] for entry in launches.requeues()] == ["died", "died", "gave up"]
    assert launches.done() == 3
    assert launches.marks("started")[next(name for name in launches.marks("started") if "-gnn-" in name)] == 2


def test_exit_zero_in_mid_stage_is_no_success(launches: Launches, cluster: DevCluster):
    launches.run(*ONE, "fake.gnn=exit_zero_once")
    launches.wait_done(6)
    (entry,) = launches.requeues()
    assert (entry["kind"], entry["exit_code"]) == ("died", 0)
    assert not any(attempt["outcome"] == "failed" for attempt in attempts(launches, "sample"))


def test_node_failure_moves_the_stage(launches: Launches, cluster: DevCluster):
    launches.run(*ONE, "fake.gnn=train:600:0.1")
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    node = cluster.call("squeue", "-h", "-t", "R", "-o", "%N")
    cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        wait_until(lambda: len(attempts(launches, "gnn")) == 2, 90, "a second attempt")
        launches.hurry()
        launches.wait_done(6)
    finally:
        cluster.restore_nodes()
    assert steps(launches, "gnn") == list(range(1, 601))


def test_cancelled_is_not_requeued_and_repair_goes_on(launches: Launches, cluster: DevCluster):
    arguments = (*ONE, "fake.gnn=train:900:0.1")
    launches.run("campaign=c", *arguments)
    metrics = launches.wait_for("stages/gnn/*/metrics.jsonl")
    wait_until(lambda: metrics.read_text().count("\n") > 5, 30, "some steps")
    assert "cancelled 3 elements" in launches.verb("cancel", "c")
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    time.sleep(8)  # longer than a requeued job is held back
    assert not cluster.queue()
    words = {stage["label"]: stage["state"] for stage in launches.states("c").values()}
    assert words["gnn"] == words["sample"] == words["evaluate"] == "cancelled", words
    launches.hurry()
    text = launches.verb("repair", "c")
    assert "3 submitted as 3 elements" in text, text
    launches.wait_done(6)
    assert steps(launches, "gnn") == list(range(1, 901))
    assert launches.hashes() == undisturbed(launches, *arguments)


def test_cancel_leaves_what_another_campaign_waits_for(launches: Launches):
    launches.run("campaign=one", "fake.prepare=hold", *ONE)
    launches.run("campaign=two", "fake.prepare=hold", "fake.evaluate=train:2", *ONE)
    text = launches.verb("cancel", "one")
    assert "cancelled 1 elements" in text and "4 elements run on" in text, text
    (launches.out / "release").touch()
    launches.wait_done(6)


def test_a_dependency_on_a_forgotten_job_does_not_start_a_stage_without_inputs(launches: Launches, cluster: DevCluster):
    """afterok on an unknown id is dropped silently before 23.02: the job runs at once."""
    launches.run(*ONE, "fake.prepare=hold")
    launches.wait_for("stages/prepare/*/attempts/1.json")
    script = next(Path(each["script"]) for each in launches.ledger() if "-gnn-" in each["name"])
    cluster.call("sbatch", "--dependency=afterok:999999", str(script))
    path = launches.wait_for("stages/gnn/*/attempts/1.json")
    wait_until(lambda: "outcome" in json.loads(path.read_text()), 30, "the gate")
    found = json.loads(path.read_text())
    assert found["outcome"] == "failed" and "inputs are not true" in found["error"]
    assert not any("-gnn-" in name for name in launches.marks("started"))


@pytest.mark.parametrize("text", ["x" * 64, "short"])
def test_a_damaged_input_stops_the_stage(launches: Launches, cluster: DevCluster, text: str):
    launches.run(*ONE, "fake.gnn=hold")
    launches.wait_for("marks/started-gnn-*")  # it has looked at its inputs; a record alone says that it is about to
    (out,) = launches.out.glob("stages/autoencoder/*/artifacts/out.txt")
    out.write_text(text)
    (launches.out / "release").touch()
    launches.wait_done(1, "gnn")
    path = launches.wait_for("stages/sample/*/attempts/1.json")
    wait_until(lambda: "outcome" in json.loads(path.read_text()), 30, "the gate")
    assert "autoencoder/a" in json.loads(path.read_text())["error"]
    wait_until(lambda: not cluster.queue(), 30, f"queue empty: {cluster.call('squeue', '-r', '-o', '%i %j %T %r %E')}")
    assert launches.done("sample") == 0


def test_a_time_limit_is_told_from_a_preemption(launches: Launches, cluster: DevCluster):
    """Slurm checks limits every 30 s in whole minutes; the warning comes before, and the stage goes on after it."""
    launches.run(*ONE, "fake.gnn=train:2000:0.5", "resources.gnn.timeout_min=1", "cluster.signal_s=15")
    wait_until(launches.requeues, 150, "the time limit")
    launches.hurry()
    launches.wait_done(6)
    assert {entry["kind"] for entry in launches.requeues()} == {"time limit"}
    assert steps(launches, "gnn") == list(range(1, 2001))


def test_status_says_why_in_words(launches: Launches, cluster: DevCluster):
    launches.run("campaign=c", "fake.prepare=hold", *ONE)
    launches.wait_for("stages/prepare/*/attempts/1.json")
    stages = {stage["label"]: stage for stage in launches.states("c").values()}
    assert stages["prepare"]["state"] == "running"
    assert stages["gnn"]["state"] == "waiting"
    assert stages["gnn"]["reason"].startswith("for its inputs (afterok:")
    (launches.out / "release").touch()
    launches.wait_done(6)


@pytest.mark.timeout(900)
def test_chaos_in_short(cluster: DevCluster):
    """The long form is `python scripts/chaos.py --kills 30`."""
    command = [sys.executable, str(ROOT / "scripts" / "chaos.py"), "--kills", "4", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("limit", "points"), [(2, 4), (5, 6)])  # fewer than there are arrays, and more
def test_max_running_is_kept_over_the_campaign(launches: Launches, cluster: DevCluster, limit: int, points: int):
    kinds = [f"fake.{stage}=train:6:0.1" for stage in ("autoencoder", "gnn", "evaluate")]
    launches.run("-m", f"seed=range(0,{points})", f"cluster.max_running={limit}", *kinds, *ONE)
    most, names = 0, {each["name"] for each in launches.ledger()}
    while launches.done("evaluate") < points:
        lines = cluster.call("squeue", "-h", "-r", "-t", "R", "-o", "%j").splitlines()
        most = max(most, sum(line.strip() in names for line in lines))
        time.sleep(0.2)
    assert most <= limit and most >= min(2, limit), "it is a limit, not a queue of one"


def test_a_refused_request_is_refused_before_anything_is_queued(launches: Launches, cluster: DevCluster):
    text = launches.run("resources.gnn.mem_gb=4000", *ONE, code=3)
    assert "the scheduler refuses" in text and "0" not in cluster.queue()
    assert {each["state"] for each in launches.ledger()} == {"planned"}


def test_a_dry_run_writes_and_submits_nothing(launches: Launches, cluster: DevCluster):
    text = launches.run("-m", "seed=0,1", "dry_run=true", *ONE)
    assert "#SBATCH --array=0-1%2" in text and "Nothing was written or submitted" in text
    assert "no history of" in text
    assert not launches.out.exists() and not cluster.queue()


def test_a_site_policy_is_enforced(launches: Launches, tmp_path: Path):
    policy = tmp_path / "site.yaml"
    policy.write_text("partitions: [low]\n")
    environment = {**launches.environment, "TABGRAPHSYN_SITE": str(policy)}
    strict = Launches(launches.folder, launches.conf, environment)
    assert "this site allows 'low', found 'cpu'" in strict.run(*ONE, code=2)
    assert not launches.ledger()


def test_repair_after_an_outage_submits_only_what_is_missing(launches: Launches, cluster: DevCluster):
    """All jobs gone, some stages done: one command goes on."""
    launches.run("-m", "seed=0,1,2", "campaign=c", "fake.gnn=hold", *ONE)
    launches.wait_done(5)
    cluster.call("scancel", *[each["job"] for each in launches.ledger()])
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    (launches.out / "release").touch()
    text = launches.verb("repair", "c")
    assert "9 submitted as 9 elements of 3 jobs" in text, text
    assert "0 submitted" in launches.verb("repair", "c")
    launches.wait_done(14)
    assert set(launches.marks("computed").values()) == {1}
    usage = json.loads(launches.verb("usage", "c", "--json"))
    assert {entry["stage"] for entry in usage} == {"ingest", "prepare", "autoencoder", "gnn", "sample", "evaluate"}


def test_a_cap_on_queued_elements_holds_the_rest_back(launches: Launches, cluster: DevCluster):
    text = launches.run("-m", "seed=range(0,4)", "campaign=c", "cluster.max_submit=8", *ONE)
    assert "held back by the limit" in text
    assert sum(len(each["elements"]) for each in launches.ledger() if each["job"]) == 8
    assert "held back" in {stage["state"] for stage in launches.states("c").values()}
    launches.wait_done(9)
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    launches.verb("repair", "c")
    launches.wait_done(17)
    launches.verb("repair", "c")
    launches.wait_done(18)


def test_doctor_tests_a_node(launches: Launches):
    found = {each["what"]: each for each in json.loads(launches.verb("doctor", "--test", "-p", "low", "--json"))}
    assert found["Slurm"]["found"].startswith("22.") or found["Slurm"]["level"] == "ok"
    assert "requeued itself and ran again" in found["requeue"]["found"]
    assert found["arrays"]["found"].startswith("MaxArraySize 1001")


def test_with_accounting_status_knows_how_a_job_ended(tmp_path: Path):
    if shutil.which("slurmdbd", path=f"{os.environ['PATH']}:{SBIN}") is None or shutil.which("mariadbd") is None:
        pytest.skip("slurmdbd and mariadb-server-core are not installed")
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        cluster.up("--accounting", "--min-job-age", "2")
        try:
            launches = Launches(tmp_path, write_conf(tmp_path / "conf"), cluster.environment)
            launches.run("campaign=c", "fake.gnn=train:9000:0.1", *ONE)
            launches.wait_for("stages/gnn/*/metrics.jsonl")
            cluster.call("scancel", *[each["job"] for each in launches.ledger()])
            wait_until(lambda: not cluster.queue(), 30, "queue empty")

            def ended() -> bool:
                stages = {stage["label"]: stage for stage in launches.states("c").values()}
                return stages["sample"]["state"] == "cancelled" and "by scancel" in stages["sample"]["reason"]

            wait_until(ended, 30, "sacct's word")
        finally:
            cluster.down()
