"""On a real Slurm: what cannot go on gives up with a reason, and a bad node is left out, named and shown."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, wait_until

from tabgraphsyn.orchestration.slurm import bad_nodes
from tabgraphsyn.orchestration.slurm.bad_nodes import NoStart

ONE = ("dataset=single",)


def site(launches: Launches, body: str) -> str:
    """Add a site whose interpreter is a script; return the override that chooses it."""
    path = launches.folder / "python"
    path.write_text(f'#!/bin/bash\n{body}\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    base = (launches.conf / "cluster" / "dev.yaml").read_text().strip()
    (launches.conf / "cluster" / "odd.yaml").write_text(f"{base}\npython: {path}\n")
    return "cluster=odd"


def missing_on(node: str) -> str:
    return f'[ "$SLURMD_NODENAME" = {node} ] && {{ echo "stale file handle" >&2; exit 127; }}'


def nodes_of(launches: Launches) -> list[str]:
    """The node of every attempt that ran: the two nodes are one machine, so the job's record is asked."""
    return [line.split("\t")[2] for line in (launches.out / "slurm" / bad_nodes.FILE).read_text().splitlines()]


@pytest.mark.slurm
def test_a_node_without_an_interpreter_is_left_out_and_shown(launches: Launches, cluster: DevCluster):
    """It swallowed a sweep in seconds; the teardown was python too."""
    launches.run("-m", "seed=0,1", "campaign=c", site(launches, missing_on("node1")), *ONE)
    launches.wait_done(10, timeout_s=180)
    assert set(nodes_of(launches)) == {"node1"}
    assert set(launches.marks("computed").values()) == {1} and launches.requeues() == []
    elements = [line.split("\t")[3] for line in (launches.out / "slurm" / bad_nodes.FILE).read_text().splitlines()]
    assert len(elements) == len(set(elements)), "an element tries a bad node once"
    assert "node node1:" in launches.verb("status", "c")
    text = launches.run("campaign=c", "-m", "seed=0,1,5", "cluster=odd", *ONE)
    assert "node node1:" in text, text
    assert "#SBATCH --exclude=node1" in Path(launches.ledger()[-1]["script"]).read_text()
    found = {each["what"]: each for each in json.loads(launches.verb("doctor", "--json"))}
    assert "node node1:" in found["nodes"]["found"]
    launches.wait_done(14)
    assert set(nodes_of(launches)) == {"node1"} and len(nodes_of(launches)) == len(elements)


@pytest.mark.slurm
def test_where_every_node_fails_it_is_given_up_with_the_cause(launches: Launches, cluster: DevCluster):
    launches.run("campaign=c", site(launches, 'echo "no such image" >&2; exit 255'), *ONE)
    wait_until(lambda: not cluster.queue(), 90, f"gives up: {cluster.queue()}")
    assert sorted(set(nodes_of(launches))) == ["node1", "node2"] and len(nodes_of(launches)) == 2
    stages = {stage["label"]: stage for stage in launches.states("c").values()}
    assert stages["prepare"]["state"] == "failed" and "could not be started on node" in stages["prepare"]["reason"]
    text = launches.verb("logs", "-c", "c")
    assert "no such image" in text and "no other node is left" in text, text


@pytest.mark.slurm
def test_a_job_that_is_cancelled_while_it_starts_stays_cancelled(launches: Launches, cluster: DevCluster):
    launches.run("campaign=c", site(launches, "sleep 600; exit 127"), *ONE)
    job = launches.ledger()[0]["job"]
    wait_until(lambda: cluster.queue().get(job) == "RUNNING", 30, "it starts")
    time.sleep(1.0)
    cluster.call("scancel", job)
    wait_until(lambda: not cluster.queue(), 60, "queue empty")
    time.sleep(8.0)
    assert not cluster.queue()
    assert "JobState=CANCELLED" in cluster.call("scontrol", "show", "job", "-o", job)


@pytest.mark.slurm
@pytest.mark.timeout(400)
def test_time_limits_without_progress_end_with_advice(launches: Launches, cluster: DevCluster):
    """A stage that cannot resume started over at every limit, a hundred times."""
    limit = ("resources.prepare.timeout_min=1", "cluster.signal_s=50", "cluster.max_failures=1")
    launches.run("campaign=c", "fake.prepare=wait", *limit, *ONE)
    wait_until(lambda: not cluster.queue(), 300, "giving up")
    assert [entry["kind"] for entry in launches.requeues()] == ["time limit", "time limit", "gave up"]
    stages = {stage["label"]: stage for stage in launches.states("c").values()}
    assert stages["prepare"]["state"] == "failed"
    assert "resources.prepare.timeout_min=2" in stages["prepare"]["reason"], stages["prepare"]


def test_a_line_that_cannot_be_read_and_an_old_one_count_for_nothing(tmp_path: Path):
    now = int(time.time())
    lines = [f"{now - 90000}\tc\tnode9\t1\t127", "x\tc\tnode8\t1\t1", "half", f"{now}\td\tnode7\t2_3\t127"]
    (tmp_path / bad_nodes.FILE).write_text("\n".join([*lines, f"{now}\tc\tnode1\t1_0\t127"]) + "\n")
    assert bad_nodes.read(tmp_path, "c") == [NoStart(now, "c", "node1", "1_0", "127")]
    assert [each.node for each in bad_nodes.read(tmp_path)] == ["node7", "node1"]
    (text,) = bad_nodes.described(bad_nodes.read(tmp_path, "c"))
    assert text.startswith("node node1: 1 elements could not be started (last: 1_0, exit code 127)")
