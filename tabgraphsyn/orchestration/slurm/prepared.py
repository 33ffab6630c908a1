"""What a launch would submit: what is done, what the queue will make, and the arrays for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.orchestration.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Ref, Request, Unit, make_arrays, make_units
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.findings import read_findings
from tabgraphsyn.orchestration.slurm.lanes import fitting_lanes
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.lookup import queued_jobs
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.standing import (
    MOST_UPDATES,
    QueuedStage,
    Standing,
    Update,
    is_ours,
    sorted_out,
    updates_of,
)
from tabgraphsyn.orchestration.slurm.strategy import SUCCESSOR, Strategy, choose
from tabgraphsyn.orchestration.store import Store

_MANY = 100_000


@dataclass(frozen=True)
class Work:
    """What could be submitted.

    Attributes:
        campaign: name.
        plan: stages, inputs first.
        store: where they stand.
        cluster: settings of ``conf/cluster``.
        spec_of: what the worker of a stage reads.
        request_of: what a stage asks of the scheduler.
        code_folder: copy of the code that an earlier launch made; a repair goes on with it.
        python_path: where the earlier launch found the user's own modules; None for where this one finds them.
        made_here: ids of stages that the launch runs itself before it submits anything.
    """

    campaign: str
    plan: Plan
    store: Store
    cluster: Mapping[str, Any]
    spec_of: Callable[[Stage], Mapping[str, Any]]
    request_of: Callable[[Stage], Request]
    code_folder: Path | None = None
    python_path: tuple[str, ...] | None = None
    made_here: frozenset[str] = frozenset()

    @property
    def output_dir(self) -> Path:
        """Folder of the store."""
        return self.store.root.parent


@dataclass
class Prepared:
    """What a submission found and would do.

    Attributes:
        cached: ids of done stages.
        joined: id -> job or element in the queue that makes it.
        arrays: what to submit, inputs first.
        strategy: what interrupted stages do.
        held: what the limit on queued elements keeps back.
        stuck: elements in the queue that can never start; they are cancelled and submitted anew.
        updates: elements in the queue that wait for what will not come; they are told what to wait for instead.
        released: elements that Slurm holds because a node failed to start them, those of done stages too; they are
            let go.
    """

    cached: list[str]
    joined: dict[str, QueuedJob]
    arrays: list[JobArray]
    strategy: Strategy
    held: list[Unit] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


def prepare(
    work: Work, scheduler: Scheduler, capabilities: Capabilities, without: frozenset[str] = frozenset()
) -> Prepared:
    """Return what is done, what the queue will make, and the arrays for the rest.

    ``without`` names elements in the queue that are as good as gone.
    """
    slurm_folder = ledger.folder_of(work.output_dir)
    strategy = choose(work.cluster["on_interrupt"], capabilities, read_findings(slurm_folder, capabilities.cluster))
    done = {stage_id for stage_id in work.plan.stages if work.store.done(stage_id) is not None} | work.made_here
    known = _known(work, done)
    jobs = _queue(work, scheduler, known)
    queued = {
        stage_id: each for stage_id, each in _queued_stages(work, known, jobs).items() if each.job.id not in without
    }
    for can_update in (scheduler.has("scontrol"), False):
        standing = sorted_out(work.plan, done, queued, can_update=can_update)
        arrays, held = _arrays(work, standing, done, capabilities, strategy)
        updates = updates_of(work.plan, done, standing, arrays)
        if len(updates) <= MOST_UPDATES:
            break
    return Prepared(
        cached=[stage_id for stage_id in work.plan.stages if stage_id in done],
        joined={stage_id: each.job for stage_id, each in standing.alive.items()},
        arrays=arrays,
        strategy=strategy,
        held=held,
        stuck=standing.stuck,
        updates=updates,
        released=sorted(job.id for job in jobs.values() if job.is_held_by_a_failed_start and is_ours(job)),
    )


def _arrays(
    work: Work, standing: Standing, done: set[str], capabilities: Capabilities, strategy: Strategy
) -> tuple[list[JobArray], list[Unit]]:
    """Return the arrays that make what is neither done nor queued, and what the limit on elements keeps back."""
    refs = {stage_id: each.ref for stage_id, each in standing.alive.items()}
    pending = [stage_id for stage_id in work.plan.stages if stage_id not in refs and stage_id not in done]
    units = make_units(work.plan, pending, work.request_of, work.cluster["fuse"], refs)
    most = max(1, capabilities.max_array_size - 1)
    limit = work.cluster["max_submit"] or capabilities.max_submit
    if strategy.name == SUCCESSOR:
        return fitting_lanes(
            units,
            refs,
            limit or (capabilities.max_jobs or _MANY) // 2,
            max_elements=most,
            lanes=min(work.cluster["lanes"], work.cluster["max_running"] or _MANY),
            successors=work.cluster["successors"],
        )
    room = limit or len(units)
    return make_arrays(units[:room], refs, most), units[room:]


@dataclass(frozen=True)
class _Known:
    """What the ledger says: jobs that were submitted for this campaign, and for each missing stage the last element."""

    own: frozenset[str]
    wanted: Mapping[str, tuple[Submission, int]]


def _known(work: Work, done: set[str]) -> _Known:
    submissions = ledger.read(work.output_dir)
    elements = ledger.latest_elements(submissions)
    wanted = {
        stage_id: elements[stage_id]
        for stage_id in work.plan.stages
        if stage_id in elements and stage_id not in done and elements[stage_id][0].job
    }
    own = frozenset(each.job for each in submissions if each.job and each.campaign == work.campaign)
    return _Known(own, wanted)


def _queue(work: Work, scheduler: Scheduler, known: _Known) -> dict[str, QueuedJob]:
    """Return what is in the queue of this campaign, and what others of this store submitted for it or it waits for.

    One call of squeue, two where it waits for jobs of other campaigns. Elements of done stages are among them: one
    that a node failed to start is held for good, and what waits for it too, though nothing of it is missing.
    """
    asked = known.own | {submission.job for submission, _ in known.wanted.values()}
    jobs = scheduler.queue(asked)
    awaited = frozenset[str]().union(*(job.waits_for for job in jobs.values()))
    return {**jobs, **scheduler.queue(awaited - asked)}


def _queued_stages(work: Work, known: _Known, jobs: Mapping[str, QueuedJob]) -> dict[str, QueuedStage]:
    """Return the stages of a plan, inputs first, that elements in the queue are to make."""
    found: dict[str, QueuedStage] = {}
    for stage_id, job in queued_jobs(work.store, known.wanted, jobs).items():
        submission, index = known.wanted[stage_id]
        is_element = submission.is_array and not submission.is_lane
        ref = Ref(submission.job, index if is_element else None, submission.is_lane)
        found[stage_id] = QueuedStage(ref, job)
    return found
