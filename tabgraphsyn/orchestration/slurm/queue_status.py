"""A campaign's status with what the queue says: one squeue for all jobs, then sacct where there is one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.lease import latest_attempt
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.decisions import GAVE_UP, decisions
from tabgraphsyn.orchestration.slurm.lookup import BEHIND_OTHERS, queued_jobs
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.status import CampaignStatus, StageStatus

RUNNER = "slurm"
_CAPS = frozenset({"cluster.max_preemptions", "cluster.max_failures"})
_REASONS: Mapping[str, str] = {
    "None": "the scheduler has not looked at it yet",
    "Priority": "others come first",
    "Resources": "for free resources",
    "Dependency": "for its inputs",
    "DependencyNeverSatisfied": "an input failed; tabgraphsyn repair submits it again",
    "JobArrayTaskLimit": "cluster.max_running elements of its array run already",
    "BeginTime": "it was requeued and is eligible again in up to two minutes",
    "JobHeldUser": "held by its user; scontrol release lets it go",
    "JobHeldAdmin": "held by an administrator",
    "PartitionDown": "the partition is down",
    "PartitionTimeLimit": "it asks for more time than the partition gives",
    "PartitionNodeLimit": "it asks for more nodes than the partition has",
    "ReqNodeNotAvail": "the nodes it needs are not available",
    "Licenses": "for a licence",
    "Reservation": "for its reservation",
    "QOSMaxJobsPerUserLimit": "the quality of service limits the jobs of a user",
    "QOSMaxGRESPerUser": "the quality of service limits the GPUs of a user",
    "QOSGrpGRES": "the quality of service limits the GPUs of all its users",
    "AssocMaxJobsLimit": "your account's limit of running jobs is reached",
    "AssocGrpGRES": "your account's limit of GPUs is reached",
    "AssocGrpCpuLimit": "your account's limit of CPUs is reached",
    BEHIND_OTHERS: "others of its lane come first (cluster.lanes)",
    "launch": "starting it failed; it is held, tabgraphsyn repair lets it go",
    "JobHoldMaxRequeue": "it was requeued as often as the site allows; it is held, tabgraphsyn repair lets it go",
}


@dataclass(frozen=True)
class StageJob:
    """The job that last was to make a stage.

    Attributes:
        element: id as squeue shows it; empty if a limit holds it back.
        job: what the queue says, or None once it left.
        ended: sacct's last word on a job that left the queue, or None.
        submitted: seconds since the epoch.
        log: what it printed outside the stage's log.
        behind: elements that it waits for and that Slurm holds, because a node failed to start them.
    """

    element: str
    job: QueuedJob | None
    ended: str | None
    submitted: float
    log: str
    behind: tuple[str, ...] = ()


def reason_in_words(job: QueuedJob) -> str:
    """Return why a pending job waits, in words.

    >>> reason_in_words(QueuedJob("7", "PENDING", "Resources"))
    'for free resources'
    """
    word = job.reason.split(",")[0].strip("() ")
    if word == "Dependency" and job.dependency not in ("", "(null)"):
        ids = [part.split("(")[0] for part in job.dependency.split(",")]
        return f"for its inputs ({', '.join(ids[:3])}{' ...' if len(ids) > 3 else ''})"
    return _REASONS.get(word, _REASONS.get(word.split(" ")[0], f"Slurm says {job.reason}"))


def stage_jobs(campaign: Campaign, scheduler: Scheduler) -> dict[str, StageJob]:
    """Return the last job of each stage of a campaign that is not done and was submitted."""
    known = ledger.latest_elements(ledger.read(campaign.output_dir))
    submitted = {stage_id: known[stage_id] for stage_id in campaign.stage_ids() if stage_id in known}
    wanted = {stage_id: found for stage_id, found in submitted.items() if campaign.store.done(stage_id) is None}
    if not wanted:
        return {}
    queued = {stage_id: found for stage_id, found in wanted.items() if found[0].job}
    # Those of done stages too: what waits for one that is held waits for ever.
    queue = scheduler.queue({found[0].job for found in submitted.values() if found[0].job})
    held = [job.id for job in queue.values() if job.is_held_by_a_failed_start]
    jobs = queued_jobs(campaign.store, queued, queue)
    gone = {submission.job for stage_id, (submission, _) in queued.items() if stage_id not in jobs}
    ended = scheduler.history(gone)
    found = {}
    for stage_id, (submission, index) in wanted.items():
        element = submission.element_id(index) if submission.job else ""
        log = str(submission.log(index))
        job = jobs.get(stage_id)
        behind = () if job is None else tuple(each for each in held if each.split("_")[0] in job.waits_for)
        found[stage_id] = StageJob(element, job, ended.get(element), submission.time, log, behind)
    return found


def with_queue(status: CampaignStatus, campaign: Campaign, scheduler: Scheduler) -> CampaignStatus:
    """Return the status with what the queue says about the stages that are not done."""
    jobs = stage_jobs(campaign, scheduler)
    if not jobs:
        return status
    known: dict[str, StageStatus] = {}
    points = []
    for point in status.points:
        for stage in point.stages:
            if stage.id not in known:
                job = jobs.get(stage.id)
                known[stage.id] = stage if job is None else _stage(stage, job, campaign)
        points.append(replace(point, stages=[replace(known[stage.id], label=stage.label) for stage in point.stages]))
    counts = Counter(stage.state for stage in known.values())
    lives = any(job.job is not None for job in jobs.values())
    return replace(status, points=points, counts=dict(counts), runner=RUNNER if lives else status.runner)


def _stage(stage: StageStatus, found: StageJob, campaign: Campaign) -> StageStatus:
    job = found.job
    if job is None:
        return _left(stage, found, campaign)
    where = f"job {job.id}" + (f" on {job.nodes}" if job.nodes else "")
    age = round(time.time() - found.submitted, 1)
    if job.state == "PENDING":
        word = "stuck" if job.is_stuck else "waiting"
        again = " (it stopped before and resumes)" if stage.state == "stopped" else ""
        reason = reason_in_words(job) + again
        if found.behind:
            names = (
                f"{found.behind[0]} and {len(found.behind) - 1} more are"
                if found.behind[1:]
                else f"{found.behind[0]} is"
            )
            reason += f"; {names} held, because starting failed; tabgraphsyn repair lets go"
        return replace(stage, state=word, where=where, age_s=age, reason=reason, log=found.log)
    if stage.state == "running":
        return replace(stage, where=where)
    return replace(
        stage, state="starting", where=where, age_s=age, reason=f"Slurm says {job.state.lower()}", log=found.log
    )


def _given_up(folder: Path) -> str | None:
    """Return which cap a stage's job ran into, if that was the last word on it."""
    last = next(reversed(decisions(folder)), None)
    return str(last["why"]) if last is not None and last["kind"] == GAVE_UP and last["why"] in _CAPS else None


def _left(stage: StageStatus, found: StageJob, campaign: Campaign) -> StageStatus:
    """Return what is known of a stage whose job left the queue without a done stage."""
    if stage.state in ("running", "failed", "blocked"):
        return stage
    if not found.element:
        return replace(stage, state="held back", reason="limit on queued jobs; tabgraphsyn repair submits it")
    where = f"job {found.element}"
    advice = "tabgraphsyn repair submits it again"
    why = _given_up(campaign.store.folder(stage.id))
    if why is not None:
        return replace(stage, state="failed", where=where, reason=f"given up ({why}); {advice}", log=found.log)
    if found.ended is not None:
        return replace(stage, state="ended", where=where, reason=f"Slurm says {found.ended}; {advice}", log=found.log)
    attempt = latest_attempt(campaign.store.folder(stage.id))
    since = found.submitted if attempt is None else attempt.heartbeat
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return replace(
        stage,
        state="unknown",
        where=where,
        age_s=round(time.time() - since, 1),
        reason=f"its job left the queue and no accounting says how; unknown since {clock}; {advice}",
        log=found.log,
    )
