"""Which job in the queue will make a stage: elements of arrays by their index, lanes by what their tasks will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from tabgraphsyn.orchestration.slurm.decisions import is_given_up
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob
from tabgraphsyn.orchestration.stored.ledger import Submission
from tabgraphsyn.orchestration.stored.store import State, Store

PENDING = "PENDING"
BEHIND_OTHERS = "Lane"
"""Our own reason: other stages of the lane come first."""


def queued_jobs(
    store: Store, wanted: Mapping[str, tuple[Submission, int]], jobs: Mapping[str, QueuedJob]
) -> dict[str, QueuedJob]:
    """Return the job that will make each stage, by stage id; a stage that none will make is left out.

    The ``id`` is what scancel and scontrol take: of a lane, that of its array.
    """
    tasks: dict[str, list[QueuedJob]] = defaultdict(list)
    for job in jobs.values():
        tasks[job.id.split("_")[0]].append(job)
    found: dict[str, QueuedJob] = {}
    for stage_id, (submission, index) in wanted.items():
        own = tasks.get(submission.job, [])
        element = submission.element_id(index)
        made_by = _in_lane(store, stage_id, submission, own) if submission.is_lane else jobs.get(element)
        if made_by is not None:
            found[stage_id] = made_by
    return found


def _in_lane(store: Store, stage_id: str, submission: Submission, tasks: list[QueuedJob]) -> QueuedJob | None:
    """Return a lane as the job of one of its stages."""
    if not tasks or is_given_up(store.folder(stage_id), submission.job):
        return None
    running = [job for job in tasks if job.state != PENDING]
    pending = [job for job in tasks if job.state == PENDING]
    if running and (not pending or store.state(stage_id) is State.RUNNING):
        return replace(running[0], id=submission.job)
    reason = BEHIND_OTHERS if running else pending[0].reason
    return replace(pending[0], id=submission.job, reason=reason)
