"""How many more elements the queue takes from this user: limits of user, account and QOS, less what is queued."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.identity import user_name
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler

_OF_COUNT = re.compile(r"(?:QOS|Assoc)\w*Submit\w*", re.IGNORECASE)
_DEFAULT_QOS = "normal"


def is_about_count(refusal: str) -> bool:
    """Return True if sbatch refuses how many there are, not what they ask for.

    >>> is_about_count("sbatch: error: QOSMaxSubmitJobPerUserLimit")
    True
    """
    return _OF_COUNT.search(refusal) is not None


def room(cluster: Mapping[str, Any], facts: Capabilities, scheduler: Scheduler) -> int | None:
    """Return how many more elements may be queued, or None where no limit is known."""
    limits = []
    if cluster["max_submit"] or facts.enforces_limits:
        queued = scheduler.elements_of(user_name())
        limits = [(limit, queued) for limit in (cluster["max_submit"], facts.max_submit) if limit]
    if facts.enforces_limits:
        # slurmctld shows the use of a QOS by a user only once there was some; accounting knows the limit before.
        limits += [(limit, queued) for limit in scheduler.limits_per_user(cluster["qos"] or _DEFAULT_QOS)]
        limits += enforced(scheduler.limits_of(user_name()), cluster)
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
    for record in records:
        if record.startswith(f"QOS={cluster['qos'] or _DEFAULT_QOS}("):
            yield from _pairs(dict(re.findall(r"(\w+)=(\S*)", record)), "GrpSubmitJobs")
            for name, rules in re.findall(r"(\S+)=\{([^}]*)\}", record):
                if name in counted:
                    yield from _pairs(dict(re.findall(r"(\w+)=(\S*)", rules)), "MaxSubmitJobsPU", "MaxSubmitJobsPA")


def _pairs(record: Mapping[str, str], *keys: str) -> Iterator[tuple[int, int]]:
    for key in keys:
        found = re.fullmatch(r"(\d+)\((\d+)\)", record.get(key, ""))
        if found:
            yield int(found[1]), int(found[2])
