"""What a stage does when it is preempted or times out: chosen once, at launch, from what was found out."""

from __future__ import annotations

from dataclasses import dataclass

from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.findings import NodeFindings

REQUEUE = "requeue"
WAIT = "wait"
SUCCESSOR = "successor"
AUTO = "auto"

MEANING = {
    REQUEUE: "save, scontrol requeue; the node is free at once",
    WAIT: "save, stay alive until the cluster requeues the job; after a time limit tabgraphsyn repair is needed",
    SUCCESSOR: "save and leave; a task submitted beforehand goes on",
}


@dataclass(frozen=True)
class Strategy:
    """What is done, and why it was chosen."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({MEANING[self.name]}): {self.why}"


def choose(setting: str, capabilities: Capabilities, found: NodeFindings | None) -> Strategy:
    """Return what interrupted stages do.

    Args:
        setting: ``cluster.on_interrupt``.
        capabilities: of the cluster.
        found: what is known of its nodes.
    """
    if setting != AUTO:
        return Strategy(setting, "cluster.on_interrupt says so")
    if found is None:
        return Strategy(REQUEUE, "not tried yet; doctor --test tries it, and a node that refuses it is remembered")
    if found.can_requeue:
        return Strategy(REQUEUE, f"{found.source} tried it on {found.date}")
    refused = f"{found.source} found on {found.date}: {found.why}"
    if "REQUEUE" in (capabilities.preempt_mode or ""):
        return Strategy(WAIT, f"{refused}; PreemptMode={capabilities.preempt_mode} requeues preempted jobs")
    mode = capabilities.preempt_mode or "unknown"
    return Strategy(SUCCESSOR, f"{refused}; PreemptMode={mode} does not requeue preempted jobs")
