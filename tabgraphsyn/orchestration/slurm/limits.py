"""How many more elements the queue takes from this user: limits of user, account, QOS and partition, less what is
queued.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from tabgraphsyn.orchestration.slurm.arrays import Unit
from tabgraphsyn.orchestration.slurm.availability import partition_of
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.identity import user_name
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler

_OF_COUNT = re.compile(r"(?:QOS|Assoc)\w*Submit\w*", re.IGNORECASE)
_DEFAULT_QOS = "normal"


def is_about_count(refusal: str) -> bool:
    """Return True if sbatch refuses how many there are, not what they ask for.

    >>> is_about_count("sbatch: error: QOSMaxSubmitJobPerUserLimit")
    True
    """
    return _OF_COUNT.search(refusal) is not None


@dataclass(frozen=True)
class Room:
    """How many more elements the queue takes from this user; None: no limit is known.

    Attributes:
        in_all: whatever partition they go to.
        of_partition: of those for a partition, by its name or list of names; None for the default partition.
    """

    in_all: int | None = None
    of_partition: Mapping[str | None, int] = field(default_factory=dict)

    @property
    def least(self) -> int | None:
        """What surely fits, whatever partition it goes to."""
        return min((limit for limit in (self.in_all, *self.of_partition.values()) if limit is not None), default=None)

    def parted(self, units: Sequence[Unit], cluster: Mapping[str, Any]) -> tuple[list[Unit], list[Unit]]:
        """Return the units that fit, and those that do not or that read what does not; ``units`` come inputs first."""
        fit: list[Unit] = []
        held: list[Unit] = []
        left = dict(self.of_partition)
        missing: set[str] = set()
        for unit in units:
            where = partition_of(unit.request, cluster)
            is_full = self.in_all is not None and len(fit) >= self.in_all
            if is_full or left.get(where, 1) < 1 or missing.intersection(unit.needs):
                held.append(unit)
                missing.update(unit.stages)
            else:
                fit.append(unit)
                if where in left:
                    left[where] -= 1
        return fit, held


def room(cluster: Mapping[str, Any], facts: Capabilities, scheduler: Scheduler, partitions: Set[str | None]) -> Room:
    """Return how many more elements may be queued.

    Args:
        cluster: settings of ``conf/cluster``.
        facts: of the cluster.
        scheduler: to ask.
        partitions: that elements go to, as ``partition_of`` names them.
    """
    limits: list[tuple[int, int]] = []
    jobs = scheduler.jobs_of(user_name()) if cluster["max_submit"] or facts.enforces_limits else []
    limits += [(limit, len(jobs)) for limit in (cluster["max_submit"], facts.max_submit) if limit]
    if not facts.enforces_limits:
        return Room(_least(limits))
    # slurmctld shows the use of a QOS by a user only once there was some; accounting knows the limit before.
    qos = cluster["qos"] or _DEFAULT_QOS
    records = scheduler.limits_of(user_name())
    limits += [(limit, len(jobs)) for limit in scheduler.limits_per_user(qos)]
    limits += enforced(records, cluster)
    return Room(_least(limits), dict(_of_partitions(partitions, qos, records, jobs, scheduler)))


def _of_partitions(
    partitions: Set[str | None], own: str, records: Sequence[str], jobs: Sequence[QueuedJob], scheduler: Scheduler
) -> Iterator[tuple[str | None, int]]:
    """Yield what the QOS of partitions leave; of a list of partitions the one that leaves least counts."""
    all_of_them = scheduler.partitions()
    for asked in partitions:
        names = (
            asked.split(",")
            if asked
            else [name for name, record in all_of_them.items() if record.get("Default") == "YES"]
        )
        limits: list[tuple[int, int]] = []
        for name in names:
            qos = all_of_them.get(name, {}).get("QoS", "N/A")
            if qos not in ("N/A", own):
                used = sum(job.partition == name for job in jobs)
                limits += [(limit, used) for limit in scheduler.limits_per_user(qos)]
                limits += _of_qos(records, qos, {str(os.getuid())})
        least = _least(limits)
        if least is not None:
            yield asked, least


def _least(limits: Sequence[tuple[int, int]]) -> int | None:
    return min((max(0, limit - used) for limit, used in limits), default=None)


def enforced(records: Sequence[str], cluster: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield limit and use of each rule that counts a new element.

    Args:
        records: lines of ``scontrol -o show assoc_mgr`` for this user.
        cluster: settings of ``conf/cluster``: account and QOS decide which rules.
    """
    accounts: dict[str, dict[str, str]] = {}
    own: list[dict[str, str]] = []
    for record in records:
        found = dict(re.findall(r"(\w+)=(\S*)", record))
        if record.startswith("ClusterName=") and found.get("UserName"):
            own.append(found)
        elif record.startswith("ClusterName="):
            accounts[found.get("Account", "")] = found
    chosen = [each for each in own if each.get("Account") == cluster["account"]] if cluster["account"] else []
    chosen = chosen or [each for each in own if each.get("DefAssoc") == "Yes"] or own[:1]
    for each in chosen:
        yield from _pairs(each, "MaxSubmitJobs", "GrpSubmitJobs")
        name = each.get("Account", "")
        while name in accounts:
            record_of = accounts.pop(name)
            yield from _pairs(record_of, "GrpSubmitJobs")
            name = record_of.get("ParentAccount", "").split("(")[0]
    counted = {str(os.getuid()), *(each.get("Account", "") for each in chosen)}
    yield from _of_qos(records, cluster["qos"] or _DEFAULT_QOS, counted)


def _of_qos(records: Sequence[str], qos: str, counted: Set[str]) -> Iterator[tuple[int, int]]:
    """Yield limit and use of a QOS: of all its users, and of the users and accounts in ``counted``."""
    for record in records:
        if record.startswith(f"QOS={qos}("):
            yield from _pairs(dict(re.findall(r"(\w+)=(\S*)", record)), "GrpSubmitJobs")
            for name, rules in re.findall(r"(\S+)=\{([^}]*)\}", record):
                if name in counted:
                    yield from _pairs(dict(re.findall(r"(\w+)=(\S*)", rules)), "MaxSubmitJobsPU", "MaxSubmitJobsPA")


def _pairs(record: Mapping[str, str], *keys: str) -> Iterator[tuple[int, int]]:
    for key in keys:
        found = re.fullmatch(r"(\d+)\((\d+)\)", record.get(key, ""))
        if found:
            yield int(found[1]), int(found[2])
