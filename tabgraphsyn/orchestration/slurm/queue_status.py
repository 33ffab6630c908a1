"""A campaign's status with what the queue says: one squeue for all jobs, then sacct where there is one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.reading.status import CampaignStatus, StageStatus
from tabgraphsyn.orchestration.slurm.bad_nodes import NoStart
from tabgraphsyn.orchestration.slurm.bad_nodes import read as read_bad_nodes
from tabgraphsyn.orchestration.slurm.cancellations import CANCELLED, Cancelled, cancellations
from tabgraphsyn.orchestration.slurm.decisions import GAVE_UP, decisions
from tabgraphsyn.orchestration.slurm.identity import look_up
from tabgraphsyn.orchestration.slurm.lookup import BEHIND_OTHERS, queued_jobs
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.lease import latest_attempt
from tabgraphsyn.orchestration.stored.ledger import Submission

RUNNER = "slurm"
_UNREACHABLE = "unreachable.json"
_SAID_LETTERS = 160
_HELD_BACK = "not in the queue: a limit on queued jobs, or its launch stopped; tabgraphsyn repair submits it"
_CAPS = frozenset({"cluster.max_preemptions", "cluster.max_failures"})
SUSPENDED = "SUSPENDED"
REASONS: Mapping[str, str] = {
    "None": "the scheduler has not looked at it yet",
    "Priority": "others come first",
    "Resources": "for free resources",
    "Dependency": "for its inputs",
    "DependencyNeverSatisfied": "an input failed; tabgraphsyn repair submits it again",
    "JobArrayTaskLimit": "its share of cluster.max_running runs already",
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
    "job requeued in held state": "it was requeued and held (scontrol requeuehold); scontrol release lets it go",
    SUSPENDED: "its job is suspended; scontrol resume lets it go on",
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
        cancelled: who cancelled it with this program, and when.
        cluster: where it was submitted, if that is not the cluster that is asked here.
        no_start: the last time that it could not even be started, within a day.
    """

    element: str
    job: QueuedJob | None
    ended: str | None
    submitted: float
    log: str
    behind: tuple[str, ...] = ()
    cancelled: Cancelled | None = None
    cluster: str = ""
    no_start: NoStart | None = None


def reason_in_words(job: QueuedJob) -> str:
    """Return why a pending job waits, in words.

    >>> reason_in_words(QueuedJob("7", "PENDING", "Resources"))
    'for free resources'
    >>> reason_in_words(QueuedJob("7", "PENDING", "ReqNodeNotAvail, Reserved for maintenance"))
    'the nodes it needs are not available (Reserved for maintenance)'
    """
    return _in_words(job.reason, job.dependency)


@cache
def _in_words(reason: str, dependency: str) -> str:
    word = reason.split(",")[0].strip("() ")
    if word == "Dependency" and dependency not in ("", "(null)"):
        ids = [part.split("(")[0] for part in dependency.split(",")]
        return f"for its inputs ({', '.join(ids[:3])}{' ...' if len(ids) > 3 else ''})"
    words = REASONS.get(word, REASONS.get(word.split(" ")[0]))
    if words is None:
        return f"Slurm says {reason}"
    # What Slurm adds names the maintenance, the reservation or the nodes.
    more = reason.partition(",")[2].strip(" ()")
    return f"{words} ({more})" if more else words


def stage_jobs(campaign: Campaign, scheduler: Scheduler, submitted: _Submitted) -> dict[str, StageJob]:
    """Return the last job of each stage of a campaign that is not done and was submitted.

    Raises:
        SubmissionError: Slurm cannot be asked.
    """
    # Those of done stages too: what waits for one that is held waits for ever.
    asked = look_up(campaign.output_dir, submitted.all, scheduler, lambda each: each.key in submitted.makers)
    now = {each.key: each for each in asked.submissions}
    wanted = {stage_id: (now[each.key], index) for stage_id, (each, index) in submitted.unfinished.items()}
    away = {each.key for each in asked.elsewhere}
    queued = {stage_id: found for stage_id, found in wanted.items() if found[0].state == ledger.SUBMITTED}
    held = [job.id for job in asked.jobs.values() if job.is_held_by_a_failed_start]
    jobs = queued_jobs(campaign.store, queued, asked.jobs)
    gone = {each.job: each for stage_id, (each, _) in queued.items() if stage_id not in jobs}
    ended = scheduler.history({job: each.name for job, each in gone.items() if each.key not in away})
    noted = cancellations(campaign.output_dir) if gone else {}
    unstarted = {each.element: each for each in read_bad_nodes(ledger.folder_of(campaign.output_dir), campaign.name)}
    folders = {script: str(Path(script).parent) for script in {each.script for each, _ in wanted.values()}}
    found = {}
    for stage_id, (submission, index) in wanted.items():
        element = submission.element_id(index) if submission.job else ""
        job = jobs.get(stage_id)
        behind = _held_before(job, held) if held and job is not None else ()
        stop = noted.get(element)
        found[stage_id] = StageJob(
            element,
            job,
            ended.get(element),
            submission.time,
            f"{folders[submission.script]}/{element}_0_log.out",
            behind,
            stop if stop is not None and stop.time >= submission.time else None,
            str(submission.cluster) if submission.key in away else "",
            unstarted.get(element),
        )
    return found


def _held_before(job: QueuedJob, held: list[str]) -> tuple[str, ...]:
    """Return the elements that a job waits for and that Slurm holds."""
    awaited = job.waits_for
    return tuple(each for each in held if each.split("_")[0] in awaited)


@dataclass(frozen=True)
class _Submitted:
    """What was submitted: all, what makes stages of a campaign, and each unfinished stage's last element."""

    all: Sequence[Submission]
    makers: frozenset[tuple[str, str]]
    unfinished: Mapping[str, tuple[Submission, int]]


def _submitted(status: CampaignStatus, campaign: Campaign) -> _Submitted:
    submissions = ledger.read(campaign.output_dir)
    known = ledger.latest_elements(submissions)
    states = {stage.id: stage.state for point in status.points for stage in point.stages}
    own = {stage_id: known[stage_id] for stage_id in states if stage_id in known}
    return _Submitted(
        submissions,
        frozenset(submission.key for submission in {id(each): each for each, _ in own.values()}.values()),
        {stage_id: found for stage_id, found in own.items() if states[stage_id] != "done"},
    )


def with_queue(status: CampaignStatus, campaign: Campaign, scheduler: Scheduler) -> CampaignStatus:
    """Return the status with what the queue says about the stages that are not done."""
    submitted = _submitted(status, campaign)
    if not submitted.unfinished:
        return status
    mark = ledger.folder_of(campaign.output_dir) / _UNREACHABLE
    stages = {stage.id: stage for point in status.points for stage in point.stages}
    try:
        jobs = stage_jobs(campaign, scheduler, submitted)
    except SubmissionError as error:
        since = _unreachable_since(mark)
        asked = {
            stage_id: _unasked(stages[stage_id], *each, since, error) for stage_id, each in submitted.unfinished.items()
        }
        return _replaced(status, asked, RUNNER)
    with suppress(OSError):  # another user's note, on a store that is not shared
        mark.unlink(missing_ok=True)
    lives = any(job.job is not None for job in jobs.values())
    known = {stage_id: _stage(stages[stage_id], job, campaign) for stage_id, job in jobs.items()}
    return _replaced(status, known, RUNNER if lives else status.runner)


def _unreachable_since(mark: Path) -> float:
    """Return since when Slurm does not answer, as far as anybody looked; the first to notice leaves a note."""
    try:
        return float(read_json(mark)["since"])
    except (OSError, ValueError, KeyError, TypeError):
        now = time.time()
    with suppress(OSError):  # a full disk, or somebody else's store: this look still tells when it was
        write_json(mark, {"since": now})
    return now


def _unasked(stage: StageStatus, submission: Submission, index: int, since: float, error: Exception) -> StageStatus:
    """Return what is known of a submitted stage while Slurm does not answer: nothing that calls for a new launch."""
    if stage.state in ("running", "failed", "blocked"):
        return stage
    if not submission.job:
        return replace(stage, state="held back", reason=_HELD_BACK)
    clock = time.strftime("%H:%M", time.localtime(since))
    said = str(error).splitlines()[0][:_SAID_LETTERS]
    return replace(
        stage,
        state="unknown",
        where=f"job {submission.element_id(index)}",
        age_s=round(time.time() - submission.time, 1),
        reason=f"Slurm cannot be asked since {clock}: {said}",
    )


def _replaced(status: CampaignStatus, known: Mapping[str, StageStatus], runner: str) -> CampaignStatus:
    """Return the status with other words for some stages, counted anew."""
    points = [replace(point, stages=[known.get(stage.id, stage) for stage in point.stages]) for point in status.points]
    counts = Counter({stage.id: stage.state for point in points for stage in point.stages}.values())
    return replace(status, points=points, counts=dict(counts), runner=runner)


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
    if job.state == SUSPENDED:  # no process of it can say that it lives, and none may take over
        return replace(stage, state="waiting", where=where, reason=REASONS[SUSPENDED], log=found.log)
    if stage.state == "running":
        return replace(stage, where=where)
    return replace(
        stage, state="starting", where=where, age_s=age, reason=f"Slurm says {job.state.lower()}", log=found.log
    )


def _given_up(folder: Path) -> tuple[str | None, str | None]:
    """Return why a stage's job gave it up, and what was advised, if that was the last word on it."""
    last = next(reversed(decisions(folder)), None)
    return (str(last["why"]), last.get("advice")) if last is not None and last["kind"] == GAVE_UP else (None, None)


def _left(stage: StageStatus, found: StageJob, campaign: Campaign) -> StageStatus:
    """Return what is known of a stage whose job left the queue without a done stage."""
    if stage.state in ("running", "failed", "blocked"):
        return stage
    if found.cluster:
        where = f"job {found.element} on cluster {found.cluster!r}"
        reason = "ask there; tabgraphsyn repair --take-over submits it here"
        return replace(stage, state="elsewhere", where=where, reason=reason, log=found.log)
    if not found.element:
        return replace(stage, state="held back", reason=_HELD_BACK)
    where = f"job {found.element}"
    advice = "tabgraphsyn repair submits it again"
    why, advised = _given_up(campaign.store.folder(stage.id))
    if found.cancelled is not None:
        clock = _clock(found.cancelled.time)
        reason = f"by {found.cancelled.user} at {clock}; {advice}"
        return replace(stage, state=CANCELLED, where=where, reason=reason)
    if why == CANCELLED or (found.ended or "").startswith("CANCELLED"):
        return replace(stage, state=CANCELLED, where=where, reason=f"by scancel; {advice}", log=found.log)
    if why in _CAPS:
        reason = f"given up ({why}); {advised or advice}"
        return replace(stage, state="failed", where=where, reason=reason, log=found.log)
    if found.no_start is not None:
        reason = f"{found.no_start}; its log says more; {advice} on other nodes"
        return replace(stage, state="failed", where=where, reason=reason, log=found.log)
    if found.ended is not None:
        return replace(stage, state="ended", where=where, reason=f"Slurm says {found.ended}; {advice}", log=found.log)
    attempt = latest_attempt(campaign.store.folder(stage.id))
    since = found.submitted if attempt is None else attempt.heartbeat
    return replace(
        stage,
        state="unknown",
        where=where,
        age_s=round(time.time() - since, 1),
        reason=f"its job left the queue and no accounting says how; unknown since {_clock(since)}; {advice}",
        log=found.log,
    )


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
