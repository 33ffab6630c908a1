"""Submit what is missing: under the store's lock, joined to what is done or queued, array by array."""

from __future__ import annotations

import getpass
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json, write_text
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Ref, Request, Unit, make_arrays, make_units
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities, ask
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.listing import ListedStage, Policy, write_list
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.script import batch_script
from tabgraphsyn.orchestration.slurm.site import read_site
from tabgraphsyn.orchestration.store import Store

LAUNCHES = "launches"
LAUNCH = "launch.json"


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
    """

    campaign: str
    plan: Plan
    store: Store
    cluster: Mapping[str, Any]
    spec_of: Callable[[Stage], Mapping[str, Any]]
    request_of: Callable[[Stage], Request]

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
        held: ids that the limit on queued elements keeps back.
        stuck: elements in the queue that can never start; they are cancelled and submitted anew.
        released: elements that Slurm holds because a node failed to start them; they are let go.
    """

    cached: list[str]
    joined: dict[str, str]
    arrays: list[JobArray]
    held: list[Unit] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What a submission did."""

    prepared: Prepared
    submissions: list[Submission]
    folder: Path | None
    capabilities: Capabilities


def prepare(work: Work, scheduler: Scheduler, capabilities: Capabilities) -> Prepared:
    """Return what is done, what the queue will make, and the arrays for the rest."""
    cached = [stage_id for stage_id in work.plan.stages if work.store.done(stage_id) is not None]
    queued, stuck = _alive(work.plan, set(cached), queued_stages(work, set(cached), scheduler))
    pending = [stage_id for stage_id in work.plan.stages if stage_id not in queued and stage_id not in set(cached)]
    units = make_units(work.plan, pending, work.request_of, work.cluster["fuse"], queued)
    room = (work.cluster["max_submit"] or capabilities.max_submit or len(units)) if units else 0
    arrays = make_arrays(units[:room], {stage_id: each.ref for stage_id, each in queued.items()}, _most(capabilities))
    joined = {stage_id: each.job.id for stage_id, each in queued.items()}
    released = sorted({each.job.id for each in queued.values() if each.job.is_held_by_a_failed_start})
    return Prepared(cached, joined, arrays, units[room:], stuck, released)


@dataclass(frozen=True)
class QueuedStage:
    """A stage that an element in the queue is to make."""

    ref: Ref
    job: QueuedJob


def _alive(plan: Plan, done: set[str], queued: Mapping[str, QueuedStage]) -> tuple[dict[str, QueuedStage], list[str]]:
    """Return the queued stages that will be made, and the elements that never start: what they read will not come."""
    alive: dict[str, QueuedStage] = {}
    stuck: dict[str, None] = {}
    together: dict[str, set[str]] = {}
    planned = set(plan.stages)
    for stage_id, found in queued.items():
        together.setdefault(found.job.id, set()).add(stage_id)
    for stage_id, found in queued.items():
        inputs = set(plan.stages[stage_id].inputs.values()) - together[found.job.id]
        inputs &= planned  # a repair plans what is missing: the rest is done
        is_waiting = found.job.state == "PENDING"
        if found.job.is_stuck or (is_waiting and not all(each in done or each in alive for each in inputs)):
            stuck[found.job.id] = None
        elif found.job.id not in stuck:
            alive[stage_id] = found
    return {stage_id: found for stage_id, found in alive.items() if found.job.id not in stuck}, list(stuck)


def _most(capabilities: Capabilities) -> int:
    return max(1, capabilities.max_array_size - 1)


def queued_stages(work: Work, done: set[str], scheduler: Scheduler) -> dict[str, QueuedStage]:
    """Return the stages of a plan, inputs first, that elements in the queue are to make; one call of squeue."""
    known = ledger.latest_elements(ledger.read(work.output_dir))
    wanted = {
        stage_id: known[stage_id]
        for stage_id in work.plan.stages
        if stage_id in known and stage_id not in done and known[stage_id][0].job
    }
    jobs = scheduler.queue({submission.job for submission, _ in wanted.values()})
    found: dict[str, QueuedStage] = {}
    for stage_id, (submission, index) in wanted.items():
        job = jobs.get(submission.element_id(index))
        if job is not None:
            found[stage_id] = QueuedStage(Ref(submission.job, index if submission.is_array else None), job)
    return found


def submit(work: Work, scheduler: Scheduler) -> Report:
    """Submit what is missing and return what was done; nothing is computed twice, also when two launches race.

    Raises:
        SubmissionError: the scheduler refuses; what was submitted before stays, and the next call goes on from there.
    """
    work = _under_policy(work)
    capabilities = ask(scheduler)
    with ledger.submission_lock(work.output_dir):
        prepared = prepare(work, scheduler, capabilities)
        if prepared.stuck:
            scheduler.cancel(prepared.stuck)
        scheduler.release(prepared.released)
        if not prepared.arrays and not prepared.held:
            return Report(prepared, [], None, capabilities)
        folder = _launch_folder(work)
        _write_lists(work, prepared, folder)
        _ask_first(work, prepared.arrays, folder, scheduler)
        submissions: list[Submission] = []
        try:
            for array in prepared.arrays:
                submissions.append(_submit_array(work, array, prepared, submissions, folder, scheduler, capabilities))
                ledger.append(work.output_dir, submissions[-1])
                ledger.touch_lock(work.output_dir)
        except SubmissionError as error:
            raise SubmissionError(
                f"{error}\n{len(submissions)} of {len(prepared.arrays)} arrays were submitted. Mend what is named, "
                f"then `tabgraphsyn repair {work.campaign}` submits the rest."
            ) from error
        _note_held(work, prepared, folder, capabilities)
    return Report(prepared, submissions, folder, capabilities)


def _under_policy(work: Work) -> Work:
    return Work(work.campaign, work.plan, work.store, read_site().applied(work.cluster), work.spec_of, work.request_of)


def _launch_folder(work: Work) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = ledger.folder_of(work.output_dir) / LAUNCHES / f"{work.campaign}-{stamp}-{uuid.uuid4().hex[:4]}"
    folder.mkdir(parents=True)
    write_json(folder / LAUNCH, {"campaign": work.campaign, "cluster": dict(work.cluster), "time": time.time()})
    return folder


def list_path(folder: Path, number: int | str) -> Path:
    """Return the list file of an array."""
    return folder / f"array-{number}.list"


def script_path(folder: Path, number: int | str) -> Path:
    """Return the batch script of an array."""
    return folder / f"array-{number}.sh"


def _write_lists(work: Work, prepared: Prepared, folder: Path) -> None:
    policy = _policy(work.cluster)
    for array in prepared.arrays:
        elements = {index: _listed(work, unit) for index, unit in array.elements.items()}
        write_list(list_path(folder, array.number), work.store.root, policy, elements)
    if prepared.held:
        elements = {index: _listed(work, unit) for index, unit in enumerate(prepared.held)}
        write_list(list_path(folder, "held"), work.store.root, policy, elements)


def _listed(work: Work, unit: Unit) -> list[ListedStage]:
    nodes = [work.plan.stages[stage_id] for stage_id in unit.stages]
    return [ListedStage(node.id, work.spec_of(node), asdict(work.request_of(node))) for node in nodes]


def _policy(cluster: Mapping[str, Any]) -> Policy:
    return Policy(
        # Jobs ask for --requeue, so JobRequeue=0 forbids nothing; what the node refuses is found out there.
        requeue="scontrol" if cluster.get("requeue", True) else "stay",
        max_preemptions=cluster["max_preemptions"],
        max_failures=cluster["max_failures"],
        signal_s=cluster["signal_s"],
    )


def job_name(work: Work, array: JobArray) -> str:
    """Return ``tgs:<campaign>:<stage>:<key8>``: the one handle that every site keeps."""
    ids = [stage_id for unit in array.elements.values() for stage_id in unit.stages]
    key = ids[0].split("/")[1] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return f"tgs:{work.campaign}:{array.name}:{key[:8]}"


def script_of(work: Work, array: JobArray, folder: Path, dependency: str | None) -> str:
    """Return the batch script of an array."""
    return batch_script(array, job_name(work, array), folder, list_path(folder, array.number), dependency, work.cluster)


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
) -> Submission:
    job_ids: dict[Key, str] = {each.number: done.job for each, done in zip(prepared.arrays, before, strict=False)}
    sizes: dict[Key, int] = {each.number: len(each.elements) for each in prepared.arrays}
    dependency = array.dependency(job_ids, sizes)
    path = script_path(folder, array.number)
    write_text(path, script_of(work, array, folder, dependency))
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
    )


def _note_held(work: Work, prepared: Prepared, folder: Path, capabilities: Capabilities) -> None:
    """Record what the limit keeps back: ``repair`` finds it there."""
    if not prepared.held:
        return
    first = prepared.held[0]
    array = JobArray(0, "held", first.request, dict(enumerate(prepared.held)))
    noted = _submission(work, array, folder, "", None, capabilities)
    ledger.append(work.output_dir, Submission(**{**vars(noted), "list_file": str(list_path(folder, "held"))}))
