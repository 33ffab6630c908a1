"""What is known of a cluster's nodes beyond slurmctld's settings: ``doctor --test`` and refused jobs leave it here.

``<output_dir>/slurm/findings.json``: one entry per cluster. A launch reads it to choose what its stages do when they
are interrupted.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, write_json

FINDINGS = "findings.json"


@dataclass(frozen=True)
class NodeFindings:
    """What was found on the nodes of a cluster.

    Attributes:
        can_requeue: a job may requeue itself from its node by scontrol.
        why: what the node said.
        source: ``doctor`` or the job that found out.
        time: seconds since the epoch.
    """

    can_requeue: bool
    why: str
    source: str
    time: float

    @property
    def date(self) -> str:
        """The day it was found."""
        return time.strftime("%Y-%m-%d", time.localtime(self.time))


def read_findings(slurm_folder: Path, cluster: str | None) -> NodeFindings | None:
    """Return what is known of a cluster's nodes, or None; a file that cannot be read is no knowledge."""
    entry = _entries(slurm_folder).get(cluster or "")
    try:
        return NodeFindings(**entry) if entry is not None else None
    except TypeError:
        return None


def record_findings(slurm_folder: Path, cluster: str | None, *, can_requeue: bool, why: str, source: str) -> None:
    """Remember what was found; it replaces what was known of the cluster before."""
    found = NodeFindings(can_requeue, why, source, round(time.time(), 3))
    write_json(slurm_folder / FINDINGS, {**_entries(slurm_folder), cluster or "": asdict(found)})


def _entries(slurm_folder: Path) -> dict[str, Any]:
    try:
        raw = read_json(slurm_folder / FINDINGS)
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
