"""What Slurm's own records say of a disturbed sweep: requeues and cancels that nobody caused, nodes idle beside work.

Results that are right say nothing about what it took: one interrupted element may have requeued a whole array. So each
requeue and each cancel in slurmctld's log must have a cause among the disturbances, of that element and at that time.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "slurm"))

from cluster_kit import DevCluster

_LINE = re.compile(
    r"\[(?P<time>[^\]]+)\] (?:(?P<requeue>Requeuing) JobId=(?P<requeued>\d+(?:_\d+)?)"
    r"|_slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=(?P<cancelled>\d+(?:_\d+)?))"
)
# A controller killed with signal 9 forgets what it was told last and gives ids again that its nodes still run.
_DUPLICATE = re.compile(r"\[(?P<time>[^\]]+)\] error: Duplicate jobid on nodes ")
# What it takes for lost with a node it requeues by itself, up to minutes after it was started anew.
_NODE_FAILURE = re.compile(
    r"\[(?P<time>[^\]]+)\] .*requeue (?:job )?JobId=(?P<job>\d+(?:_\d+)?)\S* due to (?:node failure|failure of node)"
)
_REACTION_S = 90.0
_AT_ONCE_S = 5.0
_SORTED_OUT_S = 30.0
_IDLE_S = 40.0
_READY = ("None", "Priority", "Resources")


@dataclass(frozen=True)
class Event:
    """An entry of slurmctld's log: ``requeue`` or ``cancel`` of an element, of a job or of a whole array."""

    time: float
    kind: str
    job: str


@dataclass(frozen=True)
class Cause:
    """Something that was done to elements; ``elements`` None: it may have hit any, for ``reaction_s``."""

    time: float
    kinds: frozenset[str]
    elements: frozenset[str] | None
    reaction_s: float = _REACTION_S

    def explains(self, event: Event) -> bool:
        """Return True if an event may be its consequence."""
        is_near = self.time - 2.0 <= event.time <= self.time + self.reaction_s
        return is_near and event.kind in self.kinds and (self.elements is None or event.job in self.elements)


def events(log: Path) -> Iterator[Event]:
    """Yield the requeues and cancels that slurmctld's log tells of."""
    for line in log.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if found:
            kind = "requeue" if found["requeue"] else "cancel"
            yield Event(_time(found), kind, found["requeued"] or found["cancelled"])


def of_slurms_own(log: Path) -> Iterator[Cause]:
    """Yield what made the controller requeue by itself: lost nodes, and jobs whose ids it had given again."""
    for line in log.read_text(errors="replace").splitlines():
        duplicate, failure = _DUPLICATE.match(line), _NODE_FAILURE.match(line)
        if duplicate:
            yield Cause(_time(duplicate), frozenset({"requeue"}), None, _SORTED_OUT_S)
        if failure:
            yield Cause(_time(failure), frozenset({"requeue"}), frozenset({failure["job"]}), _AT_ONCE_S)


def _time(line: re.Match[str]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


class Records:
    """Causes as they are made, and samples of the queue beside the nodes."""

    def __init__(self, cluster: DevCluster) -> None:
        self.cluster = cluster
        self.causes: list[Cause] = []
        self.idle_beside_work_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._excused_until = 0.0

    def start(self) -> None:
        """Begin to look at the queue every other second."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join(timeout=30)

    def note(self, kinds: set[str], elements: set[str] | None) -> None:
        """Remember that something was done now."""
        self.causes.append(Cause(time.time(), frozenset(kinds), None if elements is None else frozenset(elements)))

    def excuse(self, seconds: float = 30.0) -> None:
        """Nodes or the controller are away, or were until just now: idle nodes mean nothing for a while."""
        self._excused_until = max(self._excused_until, time.monotonic() + seconds)

    def unexplained(self) -> list[str]:
        """Return the requeues and cancels that nobody caused, in words."""
        log = self.cluster.folder / "log" / "slurmctld.log"
        causes = [*self.causes, *of_slurms_own(log)]
        strange = [each for each in events(log) if not any(cause.explains(each) for cause in causes)]
        return [f"{each.kind} of {each.job} at {datetime.fromtimestamp(each.time):%H:%M:%S}" for each in strange]

    def _sample(self) -> None:
        since: float | None = None
        while not self._stop.wait(2.0):
            now = time.monotonic()
            if now < self._excused_until or not self._idle_beside_work():
                since = None
                continue
            since = now if since is None else since
            if now - since > _IDLE_S:
                self.idle_beside_work_s = max(self.idle_beside_work_s, now - since)

    def _idle_beside_work(self) -> bool:
        """Return True if a node is idle while an element could run."""
        try:
            nodes = self.cluster.call("sinfo", "-h", "-N", "-p", "low", "-o", "%T", check=False).split()
            lines = self.cluster.call("squeue", "-h", "-r", "-t", "PD", "-o", "%r", check=False).splitlines()
        except subprocess.TimeoutExpired:
            return False
        return "idle" in nodes and any(line.strip() in _READY for line in lines)


_FOREIGN = "#!/bin/bash\ntrap '' TERM\nfor _ in $(seq 100000); do sleep 1; done\n"
_OTHERS = ("games", "news", "backup", "daemon")


class Foreign:
    """Jobs of somebody else that run beside the sweep: another user's where this one may be another user."""

    def __init__(self, folder: Path, cluster: DevCluster) -> None:
        self.cluster = cluster
        self._user = self._other_user()
        place = folder / "foreign"
        place.mkdir()
        place.chmod(0o755)
        script = place / "work.sh"
        script.write_text(_FOREIGN)
        script.chmod(0o755)
        command = ["sbatch", "--parsable", "-D", "/", "-o", "/dev/null", "-t", "600", "--requeue", "-p", "low"]
        self.jobs = [
            self._call(*command, "-J", f"tgs-chaos-gnn-{number:08x}", "--array=0-1", str(script)) for number in range(2)
        ]

    def _other_user(self) -> str | None:
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next((name for name in _OTHERS if name in known), None) if os.geteuid() == 0 else None

    def _call(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self.cluster.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            user=self._user,
        )
        return done.stdout.strip()

    def harmed(self) -> list[str]:
        """Return which of these jobs no longer run or wait, and which this sweep's verbs cancelled."""
        queue = self.cluster.queue()
        wanted = [f"{job}_{index}" for job in self.jobs for index in (0, 1)]
        return [f"foreign job {job} is gone" for job in wanted if job not in queue]

    @property
    def elements(self) -> set[str]:
        """Their ids, as the log may name them."""
        return {*self.jobs, *(f"{job}_{index}" for job in self.jobs for index in (0, 1))}
