"""Which jobs in the queue are a store's own: a number is no identity.

Slurm gives ids again: a cluster is set up anew, ``MaxJobId`` wraps, a store is used from two clusters. A job is a
store's if its name (which no other submission has), its user, its cluster and its time of submission are the ledger's.
All others are left alone, whatever their number, and the ledger's line is marked as gone.
"""

from __future__ import annotations

import getpass
import os
import pwd
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import ASKED, GONE, REFUSED, SUBMITTED, Submission

_CLOCKS_S = 3600.0
"""By so much the clocks of a login node and of the controller may differ."""
_ANSWER_S = 120.0
"""A submission that the queue does not show for so long after sbatch was called was not accepted."""


@dataclass
class Found:
    """What the queue says about submissions.

    Attributes:
        submissions: all that were read, as they are known to be now.
        jobs: elements in the queue that are these submissions', by id.
        strangers: ids of the ledger that are other jobs' by now.
        elsewhere: submissions to another cluster, which cannot be asked from here.
    """

    submissions: list[Submission]
    jobs: dict[str, QueuedJob] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    elsewhere: list[Submission] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return what a verb says about jobs that it leaves alone."""
        found = []
        if self.strangers:
            ids = ", ".join(self.strangers[:5]) + (" ..." if self.strangers[5:] else "")
            found.append(f"{len(self.strangers)} job ids of this campaign are other jobs' by now, left alone: {ids}")
        for cluster in sorted({str(each.cluster) for each in self.elsewhere}):
            count = sum(len(each.elements) for each in self.elsewhere if each.cluster == cluster)
            found.append(f"{count} elements were submitted on cluster {cluster!r}; ask, cancel and repair them there")
        return found


def user_name() -> str:
    """Return who Slurm takes this user for: the account of the process, not what the shell says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def is_job_of(submission: Submission, job: QueuedJob) -> bool:
    """Return True if a job in the queue is this submission's.

    A requeue makes the time of submission later, never earlier.
    """
    if (job.name, job.user) != (submission.name, submission.user):
        return False
    submitted = _seconds(job.submitted)
    return submitted is None or submitted >= (submission.asked or submission.time) - _CLOCKS_S


def look_up(
    output_dir: Path,
    submissions: Sequence[Submission],
    scheduler: Scheduler,
    is_wanted: Callable[[Submission], bool],
) -> Found:
    """Ask the queue for submissions: one call, two where sbatch's answer to one was lost.

    Args:
        output_dir: folder of the store, whose ledger learns what is found out.
        submissions: of the ledger.
        scheduler: to ask.
        is_wanted: which of them to ask for.
    """
    now = {each.key: each for each in submissions}
    wanted = [each for each in submissions if each.state in (SUBMITTED, ASKED) and is_wanted(each)]
    found = Found([])
    here = scheduler.cluster() if wanted else None
    for each in [each for each in wanted if each.cluster and here and each.cluster != here]:
        wanted.remove(each)
        found.elsewhere.append(each)
    for each in _answered(output_dir, [each for each in wanted if each.state == ASKED], scheduler):
        now[each.key] = each
    asked = [now[each.key] for each in wanted if now[each.key].state == SUBMITTED]
    by_id: dict[str, list[QueuedJob]] = defaultdict(list)
    for job in scheduler.queue({each.job for each in asked}).values():
        by_id[job.id.split("_")[0]].append(job)
    for each in asked:
        jobs = by_id.get(each.job, [])
        ours = [job for job in jobs if is_job_of(each, job)]
        found.jobs.update({job.id: job for job in ours})
        if jobs and not ours:
            found.strangers.append(each.job)
            now[each.key] = _noted(output_dir, each, GONE, why=f"its id is {jobs[0].user}'s job {jobs[0].name!r}")
    found.submissions = list(now.values())
    return found


def find_by_name(submission: Submission, scheduler: Scheduler) -> str | None:
    """Return the id of a submission whose answer was lost, or None if no queue and no accounting knows it."""
    ours = [job for job in scheduler.named([submission.name]) if is_job_of(submission, job)]
    ids = {job.id.split("_")[0] for job in ours} or scheduler.recorded(submission.name, submission.user)
    return min(ids, key=int, default=None)


def _answered(output_dir: Path, unanswered: Sequence[Submission], scheduler: Scheduler) -> list[Submission]:
    """Return what became of submissions to which sbatch gave no clean answer."""
    known = []
    for each in unanswered:
        job = find_by_name(each, scheduler)
        if job is not None:
            known.append(_noted(output_dir, each, SUBMITTED, job=job))
        elif time.time() - each.asked > _ANSWER_S:
            known.append(_noted(output_dir, each, REFUSED, why="no queue shows it"))
    return known


def _noted(output_dir: Path, submission: Submission, event: str, **details: str) -> Submission:
    """Tell the ledger; where it cannot be written to, this verb alone knows."""
    try:
        return ledger.note(output_dir, submission, event, **details)
    except OSError:
        return ledger.after(submission, {"event": event, "time": time.time(), **details})


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
