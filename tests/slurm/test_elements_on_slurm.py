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
from collections import Counter
from collections.abc import Iterator
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
    count = ("--nodes", "12" if os.environ.get("SLOW_ARRAYS") else "4")
    cluster.up(*count, "--grace", "20", "--set", "JobAcctGatherParams=OverMemoryKill")
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
        wait_until(lambda: self.restarts(index) > 0, 100, "the time limit")
        self.cluster.call("scontrol", "update", f"jobid={self.element(index)}", "timelimit=60", check=False)
        return "time limit"

    def fill_memory(self, index: int) -> str:
        (self.folder(index) / "allocate").touch()
        wait_until(lambda: self.restarts(index) > 0, 60, "out of memory")
        return "died"


def sweep(folder: Path, cluster: DevCluster, actions: list[str]) -> Sweep:
    launches = Launches(folder, write_conf(folder / "conf"), cluster.environment)
    launches.run("-m", f"fake.autoencoder={','.join(actions)}", "campaign=c", *SETTINGS)
    return Sweep(launches, cluster, len(actions))


def disturbed(found: Sweep, victim: int, way: str, cancelled: list[int]) -> None:
    """Let it befall one element; all others must be as they were, and this one must go on for the true reason."""
    others = [index for index in range(found.size) if index != victim]
    before = {index: found.facts(index) for index in others}
    restarts, causes = found.restarts(victim), found.kinds(victim)
    cause = getattr(found, way)(victim)
    wait_until(lambda: found.restarts(victim) == restarts + 1, 60, f"{way}: element {victim} requeued")
    found.wait_running(victim)
    after = {index: found.facts(index) for index in others}
    assert after == before, f"{way} of element {victim} of {found.size}"
    assert found.restarts(victim) == restarts + 1
    assert found.kinds(victim) == [*causes, cause]
    if cause == "died":
        assert found.record(victim)["MinMemoryNode"] != "204M"  # the next run has more
    for index in cancelled:
        assert found.record(index)["JobState"] == "CANCELLED"


def run(folder: Path, cluster: DevCluster, size: int, victim: int, ways: tuple[str, ...]) -> None:
    """One sibling is done, one failed, one was cancelled while it ran, the others run, as far as there are others."""
    others = [index for index in range(size) if index != victim]
    done, failed, cancelled = others[-3:] if size > 3 else [None] * 3
    actions = [f"train:3000:0.1{index}" for index in range(size)]
    if size > 3:
        actions[done], actions[failed] = "train:2", "fail"
    found = sweep(folder, cluster, actions)
    try:
        for index in range(size):
            if index not in (done, failed):
                found.wait_running(index)
        if size > 3:
            wait_until(lambda: (found.folder(done) / "done.json").exists(), 60, "one is done")
            wait_until(lambda: found.record(failed)["JobState"] == "FAILED", 60, "one failed")
            found.cluster.call("scancel", found.element(cancelled))
            wait_until(lambda: found.record(cancelled)["JobState"] == "CANCELLED", 60, "one is cancelled")
        for way in ways:
            disturbed(found, victim, way, [] if cancelled is None else [cancelled])
        assert Counter(found.kinds(index) == [] for index in others if index not in (cancelled, failed)).keys() <= {
            True
        }
    finally:
        found.cluster.call("scancel", *{each["job"] for each in found.launches.ledger() if each["job"]}, check=False)
        wait_until(lambda: not cluster.queue(), 60, "queue empty")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("size", "victim"), [(2, 0), (2, 1), (4, 0), (4, 1), (4, 2), (4, 3)])
def test_what_befalls_one_element_leaves_its_siblings_alone(tmp_path: Path, nodes: DevCluster, size: int, victim: int):
    """The one with the highest index starts last: it has the array's own id."""
    is_last = victim == size - 1
    ways = ("limit", "fill_memory", "kill", "preempt") if is_last and size == 4 else ("kill", "preempt")
    run(tmp_path, nodes, size, victim, ways)


@pytest.mark.timeout(3600)
@pytest.mark.skipif("SLOW_ARRAYS" not in os.environ, reason="an hour: SLOW_ARRAYS=1 runs it")
@pytest.mark.parametrize("victim", range(12))
def test_in_an_array_of_twelve_too(tmp_path: Path, nodes: DevCluster, victim: int):
    run(tmp_path, nodes, 12, victim, ("limit", "fill_memory", "kill", "preempt"))
