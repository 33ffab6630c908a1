"""What a launch would submit: what is done, what the queue will make, and the arrays for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.orchestration.planning.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Ref, Request, Unit, make_arrays, make_units
from tabgraphsyn.orchestration.slurm.availability import partition_of
from tabgraphsyn.orchestration.slurm.campaign_limit import InQueue, share_out
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.findings import read_findings
from tabgraphsyn.orchestration.slurm.identity import Found, look_up
from tabgraphsyn.orchestration.slurm.lanes import fitting_lanes
from tabgraphsyn.orchestration.slurm.limits import Room, room
from tabgraphsyn.orchestration.slurm.listing import ListedStage, read_stages
from tabgraphsyn.orchestration.slurm.lookup import queued_jobs
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.standing import (
    MOST_UPDATES,
    QueuedStage,
    Standing,
    Update,
    is_ours,
    standing_of,
    updates_of,
)
from tabgraphsyn.orchestration.slurm.strategy import SUCCESSOR, Strategy, choose
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import SUBMITTED, Submission
from tabgraphsyn.orchestration.stored.store import Store

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
        take_over: submit also what was submitted on another cluster.
        record: called once the ledger knows all that is to be submitted and before anything is: a campaign that is
            recorded can always be repaired, also where SIGKILL came in between.
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
    take_over: bool = False
    record: Callable[[], object] = lambda: None

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
        held: what the limit on queued elements keeps back, or another cluster.
        elsewhere: stages that have a job on another cluster, and what reads them: nothing of them is submitted here.
        notes: what is said about jobs that are left alone.
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
    elsewhere: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
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
    found, wanted = _asked(work, scheduler, done)
    queued = {
        stage_id: each for stage_id, each in _queued_stages(work, wanted, found).items() if each.job.id not in without
    }
    replaced = _replaced(work, wanted, queued)
    elsewhere = frozenset[str]() if work.take_over else _elsewhere(work, found, wanted, done.union(queued))
    for can_update in (scheduler.has("scontrol"), False):
        standing = standing_of(work.plan, done, queued, can_update=can_update, replaced=replaced)
        arrays, held = _arrays(work, standing, done | elsewhere, capabilities, strategy, scheduler)
        limited = share_out(arrays, work.cluster["max_running"], _in_queue(work, standing, found))
        updates = updates_of(work.plan, done, standing, arrays)
        if len(updates) <= MOST_UPDATES:
            break
    refs = {stage_id: each.ref for stage_id, each in standing.alive.items()}
    # What the ledger knows stays as it is there: who makes it would be forgotten.
    unknown = sorted(elsewhere.difference(wanted))
    held += make_units(work.plan, unknown, work.request_of, work.cluster["fuse"], refs)
    return Prepared(
        cached=[stage_id for stage_id in work.plan.stages if stage_id in done],
        joined={stage_id: each.job for stage_id, each in standing.alive.items()},
        arrays=arrays,
        strategy=strategy,
        held=held,
        elsewhere=elsewhere,
        notes=[*found.notes(), *([limited] if limited else [])],
        stuck=standing.stuck,
        updates=updates,
        released=sorted(job.id for job in found.jobs.values() if job.is_held_by_a_failed_start and is_ours(job)),
    )


def _arrays(
    work: Work,
    standing: Standing,
    done: set[str],
    capabilities: Capabilities,
    strategy: Strategy,
    scheduler: Scheduler,
) -> tuple[list[JobArray], list[Unit]]:
    """Return the arrays that make what is neither done nor queued, and what the limit on elements keeps back."""
    refs = {stage_id: each.ref for stage_id, each in standing.alive.items()}
    pending = [stage_id for stage_id in work.plan.stages if stage_id not in refs and stage_id not in done]
    units = make_units(work.plan, pending, work.request_of, work.cluster["fuse"], refs)
    most = max(1, capabilities.max_array_size - 1)
    partitions = {partition_of(unit.request, work.cluster) for unit in units}
    places = room(work.cluster, capabilities, scheduler, partitions) if units else Room()
    if strategy.name == SUCCESSOR:
        return fitting_lanes(
            units,
            refs,
            (capabilities.max_jobs or _MANY) // 2 if places.least is None else places.least,
            max_elements=most,
            lanes=_lanes_of_a_kind(work.cluster, units),
            successors=work.cluster["successors"],
        )
    fitting, held = places.parted(units, work.cluster)
    return make_arrays(fitting, refs, most), held


def _lanes_of_a_kind(cluster: Mapping[str, Any], units: Sequence[Unit]) -> int:
    """Return how many lanes each kind of units gets: one task of a lane runs at a time, ``max_running`` of all."""
    if not cluster["max_running"]:
        return int(cluster["lanes"])
    kinds = len({(unit.name, unit.request) for unit in units})
    return min(int(cluster["lanes"]), max(1, int(cluster["max_running"]) // max(1, kinds)))


def _in_queue(work: Work, standing: Standing, found: Found) -> list[InQueue]:
    """Return the arrays of this campaign that the queue holds."""
    left: Counter[Key] = Counter()
    for _, key in {(each.job.id, each.ref.key) for each in standing.alive.values()}:
        left[key] += 1
    own = {each.job: each for each in found.submissions if each.campaign == work.campaign and each.job}
    return [InQueue(count, own[str(key)].running) for key, count in left.items() if str(key) in own]


def _asked(work: Work, scheduler: Scheduler, done: set[str]) -> tuple[Found, dict[str, tuple[Submission, int]]]:
    """Return what the queue says of this campaign and of what it waits for, and each missing stage's last element.

    Elements of done stages are among them: one that a node failed to start is held for good, and what waits for it
    too, though nothing of it is missing.
    """
    submissions = ledger.read(work.output_dir)
    missing = [stage_id for stage_id in work.plan.stages if stage_id not in done]
    last = ledger.latest_elements(submissions)
    makers = {last[stage_id][0].key for stage_id in missing if stage_id in last}

    def is_wanted(each: Submission) -> bool:
        return each.campaign == work.campaign or each.key in makers

    found = look_up(work.output_dir, submissions, scheduler, is_wanted)
    awaited = frozenset[str]().union(*(job.waits_for for job in found.jobs.values()))
    others = {each.job for each in found.submissions if each.job in awaited and not is_wanted(each)}
    if others:
        further = look_up(work.output_dir, found.submissions, scheduler, lambda each: each.job in others)
        found = replace(found, submissions=further.submissions, jobs={**found.jobs, **further.jobs})
    last = ledger.latest_elements(found.submissions)
    return found, {stage_id: last[stage_id] for stage_id in missing if stage_id in last}


def _elsewhere(
    work: Work, found: Found, wanted: Mapping[str, tuple[Submission, int]], settled: set[str]
) -> frozenset[str]:
    """Return the stages that a job on another cluster is to make, and all that read them."""
    others = {each.key for each in found.elsewhere}
    away: set[str] = set()
    for stage_id, stage in work.plan.stages.items():
        is_away = stage_id in wanted and wanted[stage_id][0].key in others
        if stage_id not in settled and (is_away or away.intersection(stage.inputs.values())):
            away.add(stage_id)
    return frozenset(away)


def _queued_stages(work: Work, wanted: Mapping[str, tuple[Submission, int]], found: Found) -> dict[str, QueuedStage]:
    """Return the stages of a plan, inputs first, that elements in the queue are to make."""
    queued: dict[str, QueuedStage] = {}
    known = {stage_id: each for stage_id, each in wanted.items() if each[0].state == SUBMITTED}
    for stage_id, job in queued_jobs(work.store, known, found.jobs).items():
        submission, index = known[stage_id]
        is_element = submission.is_array and not submission.is_lane
        ref = Ref(submission.job, index if is_element else None, submission.is_lane)
        queued[stage_id] = QueuedStage(ref, job)
    return queued


def _replaced(
    work: Work, wanted: Mapping[str, tuple[Submission, int]], queued: Mapping[str, QueuedStage]
) -> set[str]:  # fmt: skip
    """Return elements that ask for more than their partition gives, where this launch asks for something else."""
    found: set[str] = set()
    lists: dict[str, Mapping[str, ListedStage]] = {}
    for stage_id, each in queued.items():
        if each.job.is_too_large and each.job.id not in found:
            path = wanted[stage_id][0].list_file
            lists[path] = lists.get(path) or read_stages(Path(path))
            if Request(**lists[path][stage_id].request) != work.request_of(work.plan.stages[stage_id]):
                found.add(each.job.id)
    return found
