"""An element's id is an element's id: whatever befalls one of an array, its siblings notice nothing.

The element that starts last keeps the array's own id, which ``scontrol`` takes for all of them. What happened is read
from slurmctld's log and from ``scontrol show job``, not from the program's own records.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, is_installed, wait_until, write_conf

pytestmark = pytest.mark.slurm

# An element has a node of its own, so that each can be preempted alone.
SETTINGS = ("dataset=single", "resources.autoencoder.threads=8", "cluster.cpu_partition=low", "cluster.signal_s=50")


@pytest.fixture(scope="module")
def nodes() -> Iterator[DevCluster]:
    """A cluster of twelve nodes that ends a step which takes more memory than its job asked for."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    folder = Path(tempfile.mkdtemp(prefix="tgs-"))
    cluster = DevCluster(folder)
    count = ("--nodes", "12")
    options = ("--grace", "20", "--min-job-age", "7200", "--set", "JobAcctGatherParams=OverMemoryKill")
    cluster.up(*count, *options)
    yield cluster
    cluster.down()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Sweep:
    """An array of autoencoders, and what Slurm knows of its elements."""

    launches: Launches
    cluster: DevCluster
    size: int

    @property
    def array(self) -> dict:
        return next(each for each in self.launches.ledger() if "-autoencoder-" in each["name"])

    def element(self, index: int) -> str:
        return f"{self.array['job']}_{index}"

    def folder(self, index: int) -> Path:
        elements = {int(key): stages for key, stages in self.array["elements"].items()}
        return self.launches.out / "stages" / elements[index][0]

    def record(self, index: int) -> dict[str, str]:
        text = self.cluster.call("scontrol", "show", "job", "-o", self.element(index))
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def facts(self, index: int) -> tuple[object, ...]:
        """What must not change: restarts, memory, state and attempts of an element, and requeues in the log."""
        record = self.record(index)
        name = re.escape(self.element(index))
        requeues = len(re.findall(rf"[Rr]equeu\w+ JobId={name}\(", self.log()))
        attempts = len(list(self.folder(index).glob("attempts/*.json")))
        return (*(record[key] for key in ("Restarts", "MinMemoryNode", "JobState")), attempts, requeues)

    def log(self) -> str:
        return (self.cluster.folder / "log" / "slurmctld.log").read_text()

    def kinds(self, index: int) -> list[str]:
        path = self.folder(index) / "requeues.jsonl"
        return [json.loads(line)["kind"] for line in path.read_text().splitlines()] if path.exists() else []

    def steps(self, index: int) -> int:
        path = self.folder(index) / "metrics.jsonl"
        return path.read_text().count("\n") if path.exists() else 0

    def wait_running(self, index: int) -> None:
        before = self.steps(index)
        wait_until(lambda: self.steps(index) > before + 3, 90, f"element {index} trains")

    def restarts(self, index: int) -> int:
        return int(self.record(index)["Restarts"])

    # -- what can befall an element

    def kill(self, index: int) -> str:
        newest = max(self.folder(index).glob("attempts/*.json"), key=lambda path: int(path.stem))
        os.kill(json.loads(newest.read_text())["owner"]["pid"], signal.SIGKILL)
        return "died"

    def preempt(self, index: int) -> str:
        where = ("-w", self.record(index)["NodeList"])
        command = ("sbatch", "--parsable", "-p", "high", "--exclusive", "-t", "5", "-o", "/dev/null", *where)
        job = self.cluster.call(*command, "--wrap", "sleep 300")
        wait_until(lambda: self.cluster.queue().get(job) == "RUNNING", 60, "the high job")
        self.cluster.call("scancel", job)
        return "preempted"

    def limit(self, index: int) -> str:
        self.cluster.call("scontrol", "update", f"jobid={self.element(index)}", "timelimit=1")
        before = self.restarts(index)
        wait_until(lambda: self.restarts(index) > before, 150, "the time limit")
        self.cluster.call("scontrol", "update", f"jobid={self.element(index)}", "timelimit=60", check=False)
        return "time limit"

    def fill_memory(self, index: int) -> str:
        (self.folder(index) / "allocate").touch()
        return "out of memory"


def sweep(folder: Path, cluster: DevCluster, actions: list[str]) -> Sweep:
    launches = Launches(folder, write_conf(folder / "conf"), cluster.environment)
    launches.run("-m", f"fake.autoencoder={','.join(actions)}", "campaign=c", *SETTINGS)
    return Sweep(launches, cluster, len(actions))


def disturbed(found: Sweep, victim: int, way: str, cancelled: list[int]) -> None:
    """Let it befall one element; all others must be as they were, and this one must go on for the true reason."""
    others = [index for index in range(found.size) if index != victim]
    before = {index: found.facts(index) for index in others}
    restarts, causes, memory = found.restarts(victim), found.kinds(victim), found.record(victim)["MinMemoryNode"]
    cause = getattr(found, way)(victim)
    wait_until(lambda: found.restarts(victim) == restarts + 1, 60, f"{way}: element {victim} requeued")
    found.wait_running(victim)
    after = {index: found.facts(index) for index in others}
    assert after == before, f"{way} of element {victim} of {found.size}"
    assert found.restarts(victim) == restarts + 1
    assert found.kinds(victim) == [*causes, cause]
    if cause in ("died", "out of memory"):
        assert found.record(victim)["MinMemoryNode"] != memory  # the next run has more
    for index in cancelled:
        assert found.record(index)["JobState"] == "CANCELLED"


def run(folder: Path, cluster: DevCluster, size: int, roles: dict[int, str], victims: range) -> None:
    """Let everything befall each of ``victims`` in turn, while siblings are what ``roles`` says and the others run."""
    work = {"done": "train:2", "failed": "fail"}
    found = sweep(folder, cluster, [work.get(roles.get(index, ""), f"train:9000:0.1{index}") for index in range(size)])
    by_role = {role: index for index, role in roles.items()}
    try:
        for index in range(size):
            if roles.get(index) not in work:
                found.wait_running(index)
        for role, state in (("done", "COMPLETED"), ("failed", "FAILED")):
            if role in by_role:
                wait_until(lambda: found.record(by_role[role])["JobState"] == state, 60, f"one is {role}")  # noqa: B023
        cancelled = [by_role["cancelled"]] if "cancelled" in by_role else []
        for index in cancelled:
            found.cluster.call("scancel", found.element(index))
            wait_until(lambda: found.record(index)["JobState"] == "CANCELLED", 60, "one is cancelled")  # noqa: B023
        for victim in victims:
            for way in WAYS:
                disturbed(found, victim, way, cancelled)
        untouched = [index for index in range(size) if index not in (*victims, *roles)]
        assert all(found.kinds(index) == [] for index in untouched)
    finally:
        own = {each["job"] for each in found.launches.ledger() if each["job"]}
        cluster.call("scancel", *own, check=False)
        wait_until(lambda: own.isdisjoint(each.split("_")[0] for each in cluster.queue()), 60, "queue empty")


WAYS = ("limit", "fill_memory", "kill", "preempt")


ARRAYS: tuple[tuple[int, dict[int, str], range], ...] = (
    (2, {}, range(2)),
    (4, {0: "done", 1: "cancelled"}, range(2, 4)),
    (4, {2: "failed", 3: "cancelled"}, range(2)),
)


@pytest.mark.timeout(1800)
def test_what_befalls_one_element_leaves_its_siblings_alone(tmp_path: Path, nodes: DevCluster):
    """The one with the highest index starts last: it has the array's own id. The arrays run side by side."""
    with ThreadPoolExecutor(len(ARRAYS)) as pool:
        running = [pool.submit(run, tmp_path / str(number), nodes, *each) for number, each in enumerate(ARRAYS)]
        problems = [problem for each in running if (problem := each.exception()) is not None]
    assert not problems, "\n\n".join(map(str, problems))


@pytest.mark.timeout(3600)
@pytest.mark.skipif("SLOW_ARRAYS" not in os.environ, reason="half an hour: SLOW_ARRAYS=1 runs it")
@pytest.mark.parametrize(
    ("roles", "victims"),
    [
        ({0: "cancelled", 1: "failed", 2: "done"}, range(9, 12)),
        ({9: "done", 10: "failed", 11: "cancelled"}, range(9)),
    ],
)
def test_in_an_array_of_twelve_too(tmp_path: Path, nodes: DevCluster, roles: dict[int, str], victims: range):
    run(tmp_path, nodes, 12, roles, victims)
