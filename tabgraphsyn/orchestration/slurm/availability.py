"""Whether a request that cannot be met now can be met at all: nodes that are down come back."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tabgraphsyn.orchestration.slurm.arrays import Request
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler, fields

_MAYBE_NOW = "node configuration is not available"
"""``sbatch --test-only`` says this of a request that no node can ever meet, and of one that no node can meet now."""
_SOON_S = 600.0
_READY = ("idle", "mixed", "allocated", "completing", "planned")


@dataclass(frozen=True)
class Node:
    """A node as it is configured, and its state."""

    name: str
    state: str
    cpus: int
    memory_mb: int
    gpus: int
    reason: str

    @property
    def is_ready(self) -> bool:
        """True if jobs can start there, now or when others end; a star behind the state: it does not answer."""
        return self.state in _READY

    def can_meet(self, request: Request) -> bool:
        """Return True if its configuration is enough for one node's share of a request."""
        cpus = request.cpus * request.tasks_per_node
        return self.cpus >= cpus and self.memory_mb >= request.mem_gb * 1024 and self.gpus >= request.gpus


def partition_of(request: Request, cluster: Mapping[str, Any]) -> str | None:
    """Return where a request goes; None for the cluster's default partition."""
    found: str | None = cluster["gpu_partition"] if request.gpus else cluster["cpu_partition"]
    return found


def not_before(starts: str | None, request: Request) -> str | None:
    """Return in words that a request has to wait for long, or None; a reservation of all nodes, for example.

    Args:
        starts: when it could start, as Slurm writes it.
        request: of an element.
    """
    try:
        seconds = datetime.fromisoformat(starts or "").timestamp() - time.time()
    except ValueError:
        return None
    return f"{_asks(request)}: the scheduler can start it at {starts}" if seconds > _SOON_S else None


def _asks(request: Request) -> str:
    gpus = f" {request.gpus} gpu" if request.gpus else ""
    return f"{request.cpus * request.tasks} cpu {request.mem_gb:g} GB{gpus}"


def why_not_now(refusal: str, request: Request, partition: str | None, scheduler: Scheduler) -> str | None:
    """Return in words why a refused request has to wait, or None if it is refused for good.

    Args:
        refusal: what ``sbatch --test-only`` said.
        request: of an element.
        partition: where it goes; None for the default.
        scheduler: to ask for the nodes.
    """
    if _MAYBE_NOW not in refusal.lower():
        return None
    fitting = [node for node in read_nodes(scheduler, partition) if node.can_meet(request)]
    away = [node for node in fitting if not node.is_ready]
    if len(fitting) < request.nodes or not away:
        return None
    names = ", ".join(_described(node) for node in away[:4]) + (" ..." if away[4:] else "")
    until = _end_of_reservation(scheduler, {node.name for node in away})
    back = f"; the reservation ends {until}" if until else ""
    return f"no node for {_asks(request)} now: {names}{back}. It is queued and starts when one is back"


def refused(name: str, refusal: str) -> str:
    """Return in words that the scheduler refuses an array, and what to do where it is for its partition."""
    word = refusal.lower()
    if "invalid partition" in word or "partition not available" in word:
        again = "Wait until it takes jobs, or launch again with another cluster.cpu_partition or cluster.gpu_partition."
        return f"{name}: the scheduler refuses its partition: {refusal}. {again}"
    if "time limit" in word:
        keys = " or ".join(f"resources.{kind}.timeout_min" for kind in name.split("+"))
        again = f"Launch again with less {keys}, or in a partition that gives as much."
        return f"{name}: the scheduler refuses its time limit: {refusal}. {again}"
    return f"{name}: the scheduler refuses what its resources ask for: {refusal}"


def read_nodes(scheduler: Scheduler, partition: str | None) -> list[Node]:
    """Return the nodes of a partition, each once; none where sinfo does not answer."""
    where = ("-p", partition) if partition else ()
    done = scheduler.call("sinfo", "-h", "-N", *where, "-o", "%N|%T|%c|%m|%G|%P|%E", check=False)
    lines = [line.split("|", 6) for line in str(done.stdout).splitlines() if line.count("|") >= 6]
    # Without a partition only the default one counts: its name ends with a star.
    chosen = [line for line in lines if partition or line[5].endswith("*")]
    return list({line[0]: _node(line) for line in chosen}.values())


def _node(line: list[str]) -> Node:
    name, state, cpus, memory, gres, _, reason = line
    gpus = sum(int(count) for count in re.findall(r"gpu(?::[^:,()]+)?:(\d+)", gres))
    return Node(name, state, _number(cpus), _number(memory), gpus, reason)


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _described(node: Node) -> str:
    return f"{node.name} is {node.state}" + (f" ({node.reason})" if node.reason not in ("", "none") else "")


def _end_of_reservation(scheduler: Scheduler, nodes: set[str]) -> str | None:
    """Return when the last active reservation ends that may hold one of these nodes, as Slurm writes it."""
    if not scheduler.has("scontrol"):
        return None
    done = scheduler.call("scontrol", "show", "reservation", "-o", check=False)
    found = [fields(line) for line in str(done.stdout).splitlines() if line.startswith("ReservationName=")]
    active = [each for each in found if each.get("State") == "ACTIVE" and _may_hold(each.get("Nodes", ""), nodes)]
    return max((each["EndTime"] for each in active), default=None)


def _may_hold(expression: str, nodes: set[str]) -> bool:
    """Return True if a node list such as ``node[1-3],x`` names one of ``nodes``, going by prefixes."""
    prefixes = {re.split(r"[\[,]", part)[0] for part in re.split(r",(?![^\[]*\])", expression)}
    return any(node.startswith(prefix) for prefix in prefixes if prefix for node in nodes)
