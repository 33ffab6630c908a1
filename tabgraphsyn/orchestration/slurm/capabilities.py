"""What a cluster offers and what was chosen because of it: the facts behind ``doctor`` and every submission."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tabgraphsyn.orchestration.slurm.identity import user_name
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler


@dataclass(frozen=True)
class Capabilities:
    """Facts of a cluster; None where nobody could be asked.

    Attributes:
        cluster: ClusterName.
        version: of Slurm.
        max_array_size: one more than the largest index.
        max_submit: tasks that this user may have in the queue.
        enforces_limits: accounting refuses what is over a limit.
        max_jobs: MaxJobCount: tasks that all users together may have in the queue.
        preempt_mode: of the cluster.
        can_requeue: JobRequeue.
        sends_user_signal: a preempted job gets USR2 before SIGTERM.
        kills_invalid_dependents: jobs whose inputs failed are cancelled by the cluster.
        min_job_age_s: seconds until a finished job is forgotten.
        has_sacct: accounting answers.
        has_scontrol: scontrol answers here; nodes can differ.
    """

    cluster: str | None
    version: str | None
    max_array_size: int
    max_submit: int | None
    enforces_limits: bool
    max_jobs: int | None
    preempt_mode: str | None
    can_requeue: bool | None
    sends_user_signal: bool | None
    kills_invalid_dependents: bool | None
    min_job_age_s: int | None
    has_sacct: bool
    has_scontrol: bool


def ask(scheduler: Scheduler) -> Capabilities:
    """Return what the cluster offers, from one ``scontrol show config`` and, where there is accounting, sacctmgr."""
    settings = scheduler.settings()
    parameters = settings.get("SlurmctldParameters", "") + "," + settings.get("PreemptParameters", "")
    has_accounting = "slurmdbd" in settings.get("AccountingStorageType", "")
    enforces = bool({"limits", "safe", "qos"}.intersection(settings.get("AccountingStorageEnforce", "").split(",")))
    return Capabilities(
        cluster=settings.get("ClusterName"),
        version=settings.get("SLURM_VERSION"),
        max_array_size=_number(settings.get("MaxArraySize")) or 1001,
        max_submit=_max_submit(scheduler) if has_accounting and enforces else None,
        enforces_limits=has_accounting and enforces,
        max_jobs=_number(settings.get("MaxJobCount")),
        preempt_mode=settings.get("PreemptMode"),
        can_requeue=settings["JobRequeue"] == "1" if "JobRequeue" in settings else None,
        sends_user_signal="send_user_signal" in parameters if settings else None,
        kills_invalid_dependents=(
            "kill_invalid_depend" in settings.get("DependencyParameters", "") if settings else None
        ),
        min_job_age_s=_number(settings.get("MinJobAge")),
        has_sacct=has_accounting and scheduler.has("sacct"),
        has_scontrol=bool(settings),
    )


def _number(text: str | None) -> int | None:
    found = re.match(r"\d+", text or "")
    return int(found.group()) if found else None


def _max_submit(scheduler: Scheduler) -> int | None:
    """Return the least MaxSubmitJobs of the user's associations, or None."""
    if not scheduler.has("sacctmgr"):
        return None
    query = ("sacctmgr", "-n", "-P", "show", "assoc", f"user={user_name()}", "format=MaxSubmitJobs")
    done = scheduler.call(*query, check=False)
    limits = [int(line) for line in str(done.stdout).split() if line.isdigit()]
    return min(limits, default=None)
