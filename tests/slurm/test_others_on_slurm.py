"""On a real Slurm: others' jobs are left alone; whatever stops a launch, repair and cancel find all of it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_kit import SBIN, DevCluster, Launches, is_installed, wait_until, write_conf

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)
SUBMIT = ("sbatch", "--parsable", "-o", "/dev/null", "-t", "5")


@pytest.fixture
def own_cluster() -> Iterator[DevCluster]:
    """A cluster that a test may set up anew."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    folder = Path(tempfile.mkdtemp(prefix="tgs-"))
    cluster = DevCluster(folder / "c")
    cluster.up()
    yield cluster
    cluster.down()
    shutil.rmtree(folder, ignore_errors=True)


def shim(launches: Launches, folder: Path, command: str, text: str) -> Launches:
    """Put a wrapper of one of Slurm's commands before the real one; ``$REAL`` is that, ``$N`` counts the calls."""
    folder.mkdir(exist_ok=True)
    real = shutil.which(command)
    head = f'#!/bin/bash\nREAL={real}\ncase " $* " in *" --test-only "*) exec $REAL "$@";; esac\n'
    count = f"echo x >> {folder}/{command}.calls; N=$(wc -l < {folder}/{command}.calls)\n"
    (folder / command).write_text(head + count + text)
    (folder / command).chmod(0o755)
    environment = {**launches.environment, "PATH": f"{folder}:{os.environ['PATH']}"}
    return Launches(launches.folder, launches.conf, environment)


def names_in_queue(cluster: DevCluster) -> Counter[str]:
    return Counter(cluster.call("squeue", "-h", "-r", "-o", "%j").split())


def emptied(launches: Launches, cluster: DevCluster, campaign: str) -> None:
    launches.verb("cancel", campaign)
    wait_until(lambda: not cluster.queue(), 30, f"cancel alone empties the queue: {cluster.queue()}")


def test_jobs_that_got_our_numbers_are_left_alone(tmp_path: Path, own_cluster: DevCluster):
    """A cluster set up anew counts from 1: cancel killed other work, repair joined and status showed it."""
    launches = Launches(tmp_path, write_conf(tmp_path / "conf"), own_cluster.environment)
    launches.run("-m", "seed=0,1", "campaign=ids", "fake.prepare=hold", *ONE)
    old = launches.ledger()
    own_cluster.down()
    own_cluster.up()
    launches.environment = own_cluster.environment
    for number in range(16):
        held = ("--hold",) if number > 2 else ()  # they must leave room for ours
        own_cluster.call(*SUBMIT, *held, "-J", f"my-own-work-{number}", "--array=0-1", "--wrap", "sleep 600")
    before = own_cluster.queue()
    assert set(before) >= {f"{each['job']}_0" for each in old if each["is_array"]}
    states = launches.states("ids").values()
    assert not [stage for stage in states if stage["state"] in ("waiting", "starting")], states
    text = launches.verb("cancel", "ids")
    assert "cancelled 0 elements" in text, text
    assert own_cluster.queue().keys() == before.keys()
    text = launches.verb("repair", "ids")
    assert "9 submitted" in text and "0 joined" in text, text
    assert {each["state"] for each in launches.ledger()} == {"gone", "submitted"}
    (launches.out / "release").touch()
    launches.wait_done(10)
    wait_until(lambda: own_cluster.queue().keys() == before.keys(), 30, "only the others' jobs are left")


def test_a_store_used_from_two_clusters(
    request: pytest.FixtureRequest, tmp_path: Path, cluster: DevCluster, own_cluster: DevCluster
):
    """Each shows the other's jobs as such and touches none; nothing runs twice unless somebody says so."""
    own_cluster.down()
    own_cluster.up("--set", "ClusterName=other")
    conf = write_conf(tmp_path / "conf")
    here, there = (Launches(tmp_path, conf, each.environment) for each in (cluster, own_cluster))
    here.run("campaign=c", "fake.prepare=hold", *ONE)
    here.wait_for("stages/prepare/*/attempts/1.json")
    request.addfinalizer(lambda: cluster.call("scancel", *{each["job"] for each in here.ledger()}, check=False))
    before = cluster.queue()
    states = {stage["label"]: stage for stage in there.states("c").values()}
    assert states["gnn"]["state"] == "elsewhere" and "on cluster 'tgsdev'" in states["gnn"]["where"]
    text = there.verb("repair", "c")
    assert "0 submitted" in text and "on cluster 'tgsdev'" in text and "--take-over" in text, text
    text = there.run("campaign=d", "fake.prepare=hold", "fake.evaluate=train:2", *ONE)
    assert "0 submitted" in text, text
    text = there.verb("cancel", "c")
    assert "cancelled 0 elements" in text and "5 elements were submitted on cluster 'tgsdev'" in text, text
    assert cluster.queue() == before and not own_cluster.queue()
    assert "5 submitted" in there.verb("repair", "c", "--take-over")
    assert "0 submitted" in there.run("campaign=e", "fake.prepare=hold", *ONE)
    assert cluster.queue() == before
    there.verb("cancel", "e")
    emptied(here, cluster, "c")
    emptied(there, own_cluster, "c")


@pytest.mark.parametrize("ending", ["error", "killed", "banner"])
def test_a_job_whose_answer_was_lost_is_found_by_its_name(launches: Launches, cluster: DevCluster, ending: str):
    """sbatch says that it timed out, dies, or prints lines of the site: slurmctld has the job all the same."""
    lost = {
        "error": '[ $N = 2 ] && { echo "sbatch: error: Batch job submission failed: Socket timed out" >&2; exit 1; }',
        "killed": "[ $N = 2 ] && kill -9 $$",
        "banner": "echo; echo Goodbye; echo 4711 places are free",
    }[ending]
    latin = "printf 'Gr\\374\\337e\\n'; "  # a site's language, in bytes that are no UTF-8
    first = f'{latin}echo "Welcome to the Stampede3 Supercomputer"; echo 2026; ' if ending == "banner" else ""
    odd = shim(launches, launches.folder / "bin", "sbatch", f'{first}$REAL "$@" || exit\n{lost}\nexit 0\n')
    odd.run("-m", "seed=0,1", "campaign=c", "fake.prepare=hold", *ONE)
    assert {each["state"] for each in launches.ledger()} == {"submitted"}
    assert len(names_in_queue(cluster)) == 5 and set(names_in_queue(cluster).values()) == {1, 2}
    assert "0 submitted" in odd.run("-m", "seed=0,1", "campaign=c", "fake.prepare=hold", *ONE)
    assert "0 submitted" in launches.verb("repair", "c")
    emptied(launches, cluster, "c")


def test_a_wrapper_that_prints_no_id_is_no_hindrance(launches: Launches, cluster: DevCluster):
    text = 'id=$($REAL "$@") || exit; printf "\\033[32mSubmitted batch job %s on cluster x\\033[0m\\r\\n" "${id%;*}"'
    odd = shim(launches, launches.folder / "bin", "sbatch", text)
    odd.run("campaign=c", *ONE)
    launches.wait_done(6)
    assert {each["state"] for each in launches.ledger()} == {"submitted"}


@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 1), (signal.SIGINT, 3), (signal.SIGTERM, 2)])
def test_a_launch_stopped_in_mid_submission(launches: Launches, cluster: DevCluster, number: int, after: int):
    """Ctrl-C goes to the launch and to sbatch: repair alone finishes, cancel alone empties the queue."""
    now, go = launches.folder / "now", launches.folder / "go"
    slow = f'$REAL "$@"; [ $N -ge {after} ] && {{ touch {now}; until [ -e {go} ]; do sleep 0.1; done; }}; exit 0'
    odd = shim(launches, launches.folder / "bin", "sbatch", slow)
    process = odd.start("-m", "seed=0,1", "campaign=c", "fake.prepare=train:3:0.1", *ONE)
    wait_until(now.exists, 60, "submission")
    process.send_signal(number)  # it is pending before sbatch can come back
    go.touch()
    text, _ = process.communicate(timeout=280)
    assert process.returncode == 75, text
    assert f"{after} of 5 arrays were submitted" in text and "tabgraphsyn repair c" in text, text
    assert len([each for each in launches.ledger() if each["job"]]) == after
    text = launches.verb("repair", "c")
    assert "submitted as" in text and "0 submitted" not in text, text
    launches.wait_done(10)
    assert set(launches.marks("computed").values()) == {1}
    wait_until(lambda: not cluster.queue(), 30, "queue empty")


def test_cancel_alone_empties_what_a_killed_launch_left(launches: Launches, cluster: DevCluster):
    """Killed between slurmctld's acceptance and the note of the id: the name tells."""
    text = f'$REAL "$@"; [ $N = 2 ] && {{ touch {launches.folder}/now; sleep 30; }}; exit 0'
    odd = shim(launches, launches.folder / "bin", "sbatch", text)
    process = odd.start("-m", "seed=0,1", "campaign=c", "fake.prepare=hold", *ONE)
    wait_until((launches.folder / "now").exists, 60, "submission")
    process.kill()
    process.communicate(timeout=280)
    assert [each["state"] for each in launches.ledger()].count("asked") == 1
    assert len(cluster.queue()) == 3
    emptied(launches, cluster, "c")
    assert "submitted as" in launches.verb("repair", "c")
    emptied(launches, cluster, "c")


@pytest.mark.parametrize("when", ["before anything is planned", "before anything is submitted"])
def test_a_launch_killed_before_its_first_job(launches: Launches, cluster: DevCluster, when: str):
    """SIGKILL leaves no campaign at all, or one that repair alone finishes."""
    command = "scontrol" if when == "before anything is planned" else "sbatch"
    odd = shim(launches, launches.folder / "bin", command, "kill -9 $PPID; sleep 1")
    process = odd.start("-m", "seed=0,1", "campaign=c", *ONE)
    process.communicate(timeout=280)
    assert process.returncode == -signal.SIGKILL and not cluster.queue()
    is_recorded = (launches.out / "campaigns" / "c" / "campaign.json").exists()
    assert is_recorded == bool(launches.ledger()) == (command == "sbatch")
    if is_recorded:
        assert "submitted as" in launches.verb("repair", "c")
    else:
        launches.run("-m", "seed=0,1", "campaign=c", *ONE)
    launches.wait_done(10)
    assert set(launches.marks("computed").values()) == {1}


@pytest.mark.parametrize("what", ["refused option", "controller away", "repair"])
def test_repair_is_the_one_command_after_any_stop(launches: Launches, cluster: DevCluster, what: str):
    arguments = ("-m", "seed=0,1", "campaign=c", *ONE)
    if what == "controller away":
        cluster.stop_slurmctld()
        try:
            odd = shim(launches, launches.folder / "bin", "squeue", "echo 'squeue: error: away' >&2; exit 1")
            text = launches.run(*arguments, code=3)
            assert "repair c" in text, text
            assert odd.verb("status", "c", code=None)
        finally:
            cluster.start_slurmctld()
    else:
        refusing = "echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1"
        body = f'[ $N = {3 if what == "repair" else 1} ] && {{ {refusing}; }}; exec $REAL "$@"'
        odd = shim(launches, launches.folder / "bin", "sbatch", body)
        text = odd.run(*arguments, code=3)
        assert "Invalid account" in text and "`tabgraphsyn repair c`" in text, text
    text = launches.verb("repair", "c")
    assert "submitted as" in text, text
    launches.wait_done(10)
    assert set(launches.marks("computed").values()) == {1}


def set_limits(cluster: DevCluster, *words: str) -> None:
    """Change accounting's limits: the database tells the controller before it answers, and this waits longer still."""
    cluster.call("sacctmgr", "-i", "-Q", *words)
    time.sleep(2.0)


def test_limits_count_with_what_is_queued(tmp_path: Path):
    """MaxSubmitJobs of a user, then of a QOS: what fits is submitted, the rest is held, repair goes on with it."""
    if shutil.which("slurmdbd", path=f"{os.environ['PATH']}:{SBIN}") is None or shutil.which("mariadbd") is None:
        pytest.skip("slurmdbd and mariadb-server-core are not installed")
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        cluster.up("--accounting", "--set", "AccountingStorageEnforce=limits,qos")
        try:
            user = cluster.call("id", "-un")
            launches = Launches(tmp_path, write_conf(tmp_path / "conf"), cluster.environment)
            set_limits(cluster, "modify", "qos", "normal", "set", "MaxSubmitJobsPerUser=6")
            text = launches.run("-m", "seed=0,1", "campaign=q", "fake.prepare=hold", *ONE)
            assert "6 submitted" in text and "3 elements are held back" in text, text
            assert "0 submitted" in launches.verb("repair", "q")
            set_limits(cluster, "modify", "qos", "normal", "set", "MaxSubmitJobsPerUser=-1")
            set_limits(cluster, "modify", "user", user, "set", "MaxSubmitJobs=8")
            assert "2 submitted" in launches.verb("repair", "q")
            assert "0 submitted" in launches.run("campaign=r", "seed=7", "fake.prepare=hold", *ONE)
            (launches.out / "release").touch()
            launches.wait_done(9)
            wait_until(lambda: not cluster.queue(), 30, "queue empty")
            launches.verb("repair", "q")
            launches.verb("repair", "r")
            launches.wait_done(14)
            # The QOS of a partition: it may hold back what the user's own lets through.
            set_limits(cluster, "modify", "user", user, "set", "MaxSubmitJobs=-1")
            set_limits(cluster, "add", "qos", "tight", "set", "MaxSubmitJobsPerUser=3")
            cluster.call("scontrol", "update", "PartitionName=low", "QOS=tight")
            text = launches.run("campaign=t", "seed=8", "cluster.cpu_partition=low", *ONE)
            assert "3 submitted" in text and "2 elements are held back" in text, text
            launches.wait_done(17)
            wait_until(lambda: not cluster.queue(), 30, "queue empty")
            assert "2 submitted" in launches.verb("repair", "t")
            launches.wait_done(19)
        finally:
            cluster.down()


@pytest.mark.parametrize("state", ["drain", "reserved"])
def test_while_no_node_is_there_launch_and_repair_queue(launches: Launches, cluster: DevCluster, state: str):
    """A maintenance night: the verdict of --test-only is about now, not about the request."""
    if state == "reserved":
        where = ("nodes=ALL", "user=daemon", "starttime=now", "duration=60", "flags=maint,ignore_jobs")
        cluster.call("scontrol", "create", "reservation", "reservationname=night", *where)
    else:
        cluster.call("scontrol", "update", "nodename=node1,node2", f"state={state}", "reason=night")
    try:
        text = launches.run("campaign=c", *ONE)
        word = {"drain": "drained (night)", "reserved": "can start it at"}[state]
        assert "5 submitted" in text and word in text, text
        ours = {each["job"] for each in launches.ledger()}
        cluster.call("scancel", *ours)
        wait_until(lambda: not ours.intersection(cluster.queue()), 30, "ours are gone")
        text = launches.verb("repair", "c")
        assert "5 submitted" in text and word in text, text
        assert "the scheduler refuses" in launches.run(
            "campaign=d", "seed=3", "resources.gnn.mem_gb=4000", *ONE, code=3
        )
    finally:
        if state == "reserved":
            cluster.call("scontrol", "delete", "reservationname=night")
        cluster.restore_nodes()
    launches.wait_done(6)
