"""Submit what is missing: under the store's lock, joined to what is done or queued, array by array."""

from __future__ import annotations

import getpass
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json, write_text
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.code_copy import SNAPSHOT, code_copy
from tabgraphsyn.orchestration.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Ref, Request, Unit, make_arrays, make_units
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities, ask
from tabgraphsyn.orchestration.slurm.findings import read_findings
from tabgraphsyn.orchestration.slurm.lanes import fitting_lanes
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.listing import ListedStage, Policy, write_list
from tabgraphsyn.orchestration.slurm.lookup import queued_jobs
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.script import batch_script
from tabgraphsyn.orchestration.slurm.site import read_site
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

LAUNCHES = "launches"
LAUNCH = "launch.json"
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
        made_here: ids of stages that the launch runs itself before it submits anything.
    """

    campaign: str
    plan: Plan
    store: Store
    cluster: Mapping[str, Any]
    spec_of: Callable[[Stage], Mapping[str, Any]]
    request_of: Callable[[Stage], Request]
    code_folder: Path | None = None
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


@dataclass
class Report:
    """What a submission did; ``rearmed`` tells element or array -> what it waits for now."""

    prepared: Prepared
    submissions: list[Submission]
    folder: Path | None
    capabilities: Capabilities
    rearmed: dict[str, str | None] = field(default_factory=dict)


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


def submit(work: Work, scheduler: Scheduler) -> Report:
    """Submit what is missing and return what was done; nothing is computed twice, also when two launches race.

    Raises:
        SubmissionError: the scheduler refuses; what was submitted before stays, and the next call goes on from there.
    """
    work = under_policy(work)
    capabilities = ask(scheduler)
    with ledger.submission_lock(work.output_dir):
        report, refused = _submit_once(work, scheduler, capabilities, frozenset())
        if refused:
            # What cannot be told to wait for something else is taken out and submitted anew.
            scheduler.cancel(sorted(refused))
            again, _ = _submit_once(work, scheduler, capabilities, refused)
            again.prepared.stuck += sorted(refused)
            again.submissions[:0] = report.submissions
            again.rearmed.update(report.rearmed)
            report = again
    return report


def _submit_once(
    work: Work, scheduler: Scheduler, capabilities: Capabilities, without: frozenset[str]
) -> tuple[Report, frozenset[str]]:
    """Submit and re-arm; return the elements whose dependencies could not be changed too."""
    prepared = prepare(work, scheduler, capabilities, without)
    if prepared.stuck:
        scheduler.cancel(prepared.stuck)
    scheduler.release(prepared.released)
    submissions: list[Submission] = []
    folder = None
    if prepared.arrays or prepared.held:
        code_folder = _code_folder(work)
        folder = _launch_folder(work, prepared.strategy, code_folder)
        _write_lists(work, prepared, folder)
        try:
            _ask_first(work, prepared.arrays, folder, scheduler)
            for array in prepared.arrays:
                submissions.append(
                    _submit_array(work, array, prepared, submissions, folder, scheduler, capabilities, code_folder)
                )
                record_job(work.output_dir, submissions[-1], scheduler)
                ledger.touch_lock(work.output_dir)
        except SubmissionError as error:
            raise SubmissionError(
                f"{error}\n{len(submissions)} of {len(prepared.arrays)} arrays were submitted. Mend what is named, "
                f"then `tabgraphsyn repair {work.campaign}` submits the rest."
            ) from error
        _note_held(work, prepared, folder, capabilities)
    wanted = {update.job: update.dependency(_job_ids(prepared.arrays, submissions)) for update in prepared.updates}
    renewed = {job: dependency for job, dependency in wanted.items() if scheduler.rearm(job, dependency)}
    return Report(prepared, submissions, folder, capabilities, renewed), frozenset(wanted) - frozenset(renewed)


def record_job(output_dir: Path, submission: Submission, scheduler: Scheduler) -> None:
    """Note a job where every command finds it.

    Raises:
        OSError: it could not be noted, on a full disk for example; nobody would find the job, so it is cancelled.
    """
    try:
        ledger.append(output_dir, submission)
    except OSError:
        scheduler.cancel([submission.job])
        raise


def _job_ids(arrays: Sequence[JobArray], submissions: Sequence[Submission]) -> dict[Key, str]:
    return {array.number: done.job for array, done in zip(arrays, submissions, strict=False)}


def under_policy(work: Work) -> Work:
    """Return the same with the site's defaults.

    Raises:
        ConfigError: it asks for what the site forbids.
    """
    return replace(work, cluster=read_site().applied(work.cluster))


def _code_folder(work: Work) -> Path | None:
    """Return the copy of the code that the jobs run from; None for the code that is there when they start."""
    if work.cluster["code"] != SNAPSHOT:
        return None
    if work.code_folder is not None and work.code_folder.is_dir():
        return work.code_folder
    return code_copy(ledger.folder_of(work.output_dir))


def _launch_folder(work: Work, strategy: Strategy, code_folder: Path | None) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = ledger.folder_of(work.output_dir) / LAUNCHES / f"{work.campaign}-{stamp}-{uuid.uuid4().hex[:4]}"
    folder.mkdir(parents=True)
    record = {
        "campaign": work.campaign,
        "cluster": dict(work.cluster),
        "time": time.time(),
        "on_interrupt": asdict(strategy),
        "code_folder": str(code_folder) if code_folder is not None else None,
    }
    write_json(folder / LAUNCH, record)
    return folder


def list_path(folder: Path, number: int | str) -> Path:
    """Return the list file of an array."""
    return folder / f"array-{number}.list"


def script_path(folder: Path, number: int | str) -> Path:
    """Return the batch script of an array."""
    return folder / f"array-{number}.sh"


def _write_lists(work: Work, prepared: Prepared, folder: Path) -> None:
    policy = _policy(work.cluster, prepared.strategy)
    for array in prepared.arrays:
        elements = {index: _listed(work, unit) for index, unit in array.elements.items()}
        write_list(list_path(folder, array.number), work.store.root, policy, elements)
    if prepared.held:
        elements = {index: _listed(work, unit) for index, unit in enumerate(prepared.held)}
        write_list(list_path(folder, "held"), work.store.root, policy, elements)


def _listed(work: Work, unit: Unit) -> list[ListedStage]:
    nodes = [work.plan.stages[stage_id] for stage_id in unit.stages]
    return [ListedStage(node.id, work.spec_of(node), asdict(work.request_of(node))) for node in nodes]


def _policy(cluster: Mapping[str, Any], strategy: Strategy) -> Policy:
    return Policy(
        # Jobs ask for --requeue, so JobRequeue=0 forbids nothing; what the node refuses is found out there.
        on_interrupt=strategy.name,
        max_preemptions=cluster["max_preemptions"],
        max_failures=cluster["max_failures"],
        signal_s=cluster["signal_s"],
    )


def job_name(work: Work, array: JobArray) -> str:
    """Return ``tgs:<campaign>:<stage>:<key8>``: the one handle that every site keeps."""
    ids = [stage_id for unit in array.elements.values() for stage_id in unit.stages]
    key = ids[0].split("/")[1] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return f"tgs:{work.campaign}:{array.name}:{key[:8]}"


def script_of(
    work: Work, array: JobArray, folder: Path, dependency: str | None, code_folder: Path | None = None
) -> str:
    """Return the batch script of an array."""
    path = list_path(folder, array.number)
    return batch_script(array, job_name(work, array), folder, path, dependency, work.cluster, code_folder)


def _ask_first(work: Work, arrays: Sequence[JobArray], folder: Path, scheduler: Scheduler) -> None:
    """Let the scheduler refuse before anything is queued: once for each kind of request."""
    asked: set[Request] = set()
    for array in arrays:
        if array.request in asked:
            continue
        asked.add(array.request)
        path = folder / "test-only.sh"
        write_text(path, script_of(work, array, folder, None))
        refusal = scheduler.refusal(str(path))
        path.unlink()
        if refusal is not None:
            raise SubmissionError(f"{array.name}: the scheduler refuses what its resources ask for: {refusal}")


def _submit_array(
    work: Work,
    array: JobArray,
    prepared: Prepared,
    before: Sequence[Submission],
    folder: Path,
    scheduler: Scheduler,
    capabilities: Capabilities,
    code_folder: Path | None,
) -> Submission:
    sizes: dict[Key, int] = {each.number: len(each.elements) for each in prepared.arrays}
    dependency = array.dependency(_job_ids(prepared.arrays, before), sizes)
    path = script_path(folder, array.number)
    write_text(path, script_of(work, array, folder, dependency, code_folder))
    job = scheduler.submit(str(path))
    return _submission(work, array, folder, job, dependency, capabilities)


def _submission(
    work: Work, array: JobArray, folder: Path, job: str, dependency: str | None, capabilities: Capabilities
) -> Submission:
    return Submission(
        job=job,
        campaign=work.campaign,
        name=job_name(work, array),
        time=round(time.time(), 3),
        user=getpass.getuser(),
        is_array=array.is_array,
        elements={index: unit.stages for index, unit in array.elements.items()},
        script=str(script_path(folder, array.number)),
        list_file=str(list_path(folder, array.number)),
        request=asdict(array.request),
        dependency=dependency,
        cluster=capabilities.cluster,
        is_lane=array.is_lane,
    )


def _note_held(work: Work, prepared: Prepared, folder: Path, capabilities: Capabilities) -> None:
    """Record what the limit keeps back: ``repair`` finds it there."""
    if not prepared.held:
        return
    first = prepared.held[0]
    array = JobArray(0, "held", first.request, dict(enumerate(prepared.held)))
    noted = _submission(work, array, folder, "", None, capabilities)
    ledger.append(work.output_dir, Submission(**{**vars(noted), "list_file": str(list_path(folder, "held"))}))
