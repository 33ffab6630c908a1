"""Submit what is missing: under the store's lock, joined to what is done or queued, array by array."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.config.sbatch import job_name_of
from tabgraphsyn.config.site import read_site
from tabgraphsyn.data.files import read_json, write_json, write_text
from tabgraphsyn.errors import Interrupted, SubmissionError, TabGraphSynError
from tabgraphsyn.orchestration.code.code_copy import SNAPSHOT, code_copy, copy_path, held_digest
from tabgraphsyn.orchestration.slurm import bad_nodes
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Request, Unit, make_units
from tabgraphsyn.orchestration.slurm.availability import not_before, partition_of, refused, why_not_now
from tabgraphsyn.orchestration.slurm.bootstrap import python_path, write_bootstrap
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities, ask
from tabgraphsyn.orchestration.slurm.identity import find_by_name, user_name
from tabgraphsyn.orchestration.slurm.limits import is_about_count
from tabgraphsyn.orchestration.slurm.listing import ListedStage, Policy, write_list
from tabgraphsyn.orchestration.slurm.prepared import Prepared, Work, prepare
from tabgraphsyn.orchestration.slurm.scheduler import Answer, Scheduler
from tabgraphsyn.orchestration.slurm.script import batch_script
from tabgraphsyn.orchestration.slurm.stopping import deferred_signals
from tabgraphsyn.orchestration.slurm.strategy import REQUEUE, Strategy
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import Submission
from tabgraphsyn.orchestration.stored.sharing import seal
from tabgraphsyn.orchestration.stored.trust import allowed

LAUNCHES = "launches"
LAUNCH = "launch.json"
HELD = "held"
_LATE_S = 2.0


class TooMany(SubmissionError):
    """The scheduler takes no more elements of this user now."""


@dataclass
class Report:
    """What a submission did; ``rearmed`` tells element or array -> what it waits for now."""

    prepared: Prepared
    submissions: list[Submission]
    folder: Path | None
    capabilities: Capabilities
    rearmed: dict[str, str | None] = field(default_factory=dict)


def submit(work: Work, scheduler: Scheduler) -> Report:
    """Submit what is missing and return what was done; nothing is computed twice, also when two launches race.

    Raises:
        SubmissionError: the scheduler refuses; what was submitted before stays, and a repair goes on from there.
        Interrupted: a signal asked to stop; the same holds.
    """
    work = under_policy(work)
    try:
        with ledger.submission_lock(work.output_dir):
            return _submit(work, scheduler)
    except BaseException as error:
        noted = 0
        with contextlib.suppress(OSError):  # a full disk; what stopped the launch is what is told
            noted = _note_unplanned(work)
            work.record()
        advice = f"{noted} stages are not submitted; `tabgraphsyn repair {work.campaign}` submits them."
        if noted and isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped. {advice}") from error
        if noted and isinstance(error, TabGraphSynError):
            raise type(error)(f"{error}\n{advice}") from error
        raise


def _submit(work: Work, scheduler: Scheduler) -> Report:
    capabilities = ask(scheduler)
    report, refused = _submit_once(work, scheduler, capabilities, frozenset())
    if refused:
        # What cannot be told to wait for something else is taken out and submitted anew.
        scheduler.cancel(sorted(refused))
        again, _ = _submit_once(work, scheduler, capabilities, refused)
        again.prepared.stuck += sorted(refused)
        mine = {each.job for each in report.submissions}
        joined = again.prepared.joined.items()
        again.prepared.joined = {stage: job for stage, job in joined if job.id.partition("_")[0] not in mine}
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
        folder = _launch_folder(work, prepared.strategy)
        planned = _plan(work, prepared, folder, capabilities)
        _copy_code(work, folder)
        submissions = _queue(work, prepared, planned, folder, scheduler)
    wanted = {update.job: update.dependency(_job_ids(prepared.arrays, submissions)) for update in prepared.updates}
    renewed = {job: dependency for job, dependency in wanted.items() if scheduler.rearm(job, dependency)}
    return Report(prepared, submissions, folder, capabilities, renewed), frozenset(wanted) - frozenset(renewed)


def _queue(
    work: Work, prepared: Prepared, planned: Sequence[Submission], folder: Path, scheduler: Scheduler
) -> list[Submission]:
    """Submit the arrays of a launch, inputs first; a limit on how many there are ends it early."""
    done: list[Submission] = []
    arrays = prepared.arrays
    sizes: dict[Key, int] = {each.number: len(each.elements) for each in arrays}
    slurm_folder = ledger.folder_of(work.output_dir)
    partitions = {partition_of(array.request, work.cluster) for array in arrays}
    exclude = {each: bad_nodes.to_exclude(slurm_folder, work.campaign, each, scheduler) for each in partitions}
    if any(exclude.values()):
        prepared.notes += bad_nodes.described(bad_nodes.read(slurm_folder, work.campaign))
    try:
        with deferred_signals() as stop:
            prepared.notes += _ask_first(work, arrays, folder, scheduler)
            for array, submission in zip(arrays, planned, strict=True):
                stop.check()
                dependency = array.dependency(_job_ids(arrays, done), sizes)
                left_out = exclude.get(partition_of(array.request, work.cluster), [])
                write_text(Path(submission.script), script_of(work, array, folder, dependency, left_out))
                Path(submission.script).chmod(0o600)  # its setup lines may hold what is nobody else's
                done.append(submit_surely(work.output_dir, submission, dependency, scheduler))
                ledger.touch_lock(work.output_dir)
            stop.check()
    except TooMany as error:
        prepared.held += [unit for array in arrays[len(done) :] for unit in array.elements.values()]
        prepared.notes.append(f"the scheduler takes no more now: {error}")
    except (SubmissionError, Interrupted) as error:
        raise type(error)(
            f"{error}\n{len(done)} of {len(arrays)} arrays were submitted. Mend what is named, then "
            f"`tabgraphsyn repair {work.campaign}` submits the rest; "
            f"`tabgraphsyn cancel {work.campaign}` takes it back."
        ) from error
    return done


def _job_ids(arrays: Sequence[JobArray], submissions: Sequence[Submission]) -> dict[Key, str]:
    return {array.number: done.job for array, done in zip(arrays, submissions, strict=False)}


def under_policy(work: Work) -> Work:
    """Return the same with the site's defaults.

    Raises:
        ConfigError: it asks for what the site forbids.
    """
    return replace(work, cluster=read_site().applied(work.cluster))


def _code_folder(work: Work) -> Path | None:
    """Return where the code stands or will stand that the jobs run from; None for what is there when they start."""
    if work.cluster["code"] != SNAPSHOT:
        return None
    if work.code_folder is not None and work.code_folder.is_dir():
        return work.code_folder
    return copy_path(ledger.folder_of(work.output_dir))


def _launch_folder(work: Work, strategy: Strategy) -> Path:
    """Return a new folder with the record of a launch: what a repair needs to go on."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = ledger.folder_of(work.output_dir) / LAUNCHES / f"{work.campaign}-{stamp}-{uuid.uuid4().hex[:4]}"
    folder.mkdir(parents=True)
    code_folder = _code_folder(work)
    record = {
        "campaign": work.campaign,
        "cluster": dict(work.cluster),
        "time": time.time(),
        "on_interrupt": asdict(strategy),
        "code_folder": str(code_folder) if code_folder is not None else None,
        "python_path": list(python_path() if work.python_path is None else work.python_path),
        "allowed": list(allowed()),
    }
    write_json(folder / LAUNCH, record)
    return folder


def _copy_code(work: Work, folder: Path) -> None:
    """Copy the code that the jobs run from, unless it stands, and write what finds it."""
    record = read_json(folder / LAUNCH)
    code = None
    if record["code_folder"] is not None:
        again = (
            work.code_folder is not None
            and work.code_folder.is_dir()
            and str(work.code_folder) == record["code_folder"]
        )
        copy = work.code_folder if again else code_copy(ledger.folder_of(work.output_dir))
        code = (str(copy), held_digest(copy)) if copy is not None else None
    write_bootstrap(folder, code, record["python_path"])
    # Jobs hold these against their hashes; a repair can only look whose they are.
    seal(folder, work.output_dir)
    (folder / LAUNCH).chmod(0o600)


def list_path(folder: Path, number: int | str) -> Path:
    """Return the list file of an array."""
    return folder / f"array-{number}.list"


def script_path(folder: Path, number: int | str) -> Path:
    """Return the batch script of an array."""
    return folder / f"array-{number}.sh"


def _plan(work: Work, prepared: Prepared, folder: Path, capabilities: Capabilities) -> list[Submission]:
    """Write the lists and note every array, and what is held back, before sbatch is called for the first time."""
    policy = _policy(work.cluster, prepared.strategy)
    planned = []
    for array in prepared.arrays:
        elements = {index: _listed(work, unit) for index, unit in array.elements.items()}
        write_list(list_path(folder, array.number), work.store.root, policy, elements)
        planned.append(_submission(work, array, folder, capabilities.cluster))
    held = [_held(work, prepared.held, policy, folder, capabilities.cluster)] if prepared.held else []
    ledger.append(work.output_dir, *planned, *held)
    work.record()
    return planned


def _held(work: Work, units: Sequence[Unit], policy: Policy, folder: Path, cluster: str | None) -> Submission:
    """Write the list of what is not submitted now; ``repair`` finds it there."""
    write_list(
        list_path(folder, HELD),
        work.store.root,
        policy,
        {index: _listed(work, unit) for index, unit in enumerate(units)},
    )
    array = JobArray(0, HELD, units[0].request, dict(enumerate(units)))
    noted = _submission(work, array, folder, cluster)
    return replace(noted, script=str(script_path(folder, HELD)), list_file=str(list_path(folder, HELD)))


def _note_unplanned(work: Work) -> int:
    """Note as held what an ended launch had not come to plan; return how many stages that are."""
    known = ledger.latest_elements(ledger.read(work.output_dir))
    missing = [
        stage_id
        for stage_id in work.plan.stages
        if stage_id not in known and stage_id not in work.made_here and work.store.done(stage_id) is None
    ]
    if missing:
        strategy = Strategy(REQUEUE, "the launch was stopped before it asked")
        folder = _launch_folder(work, strategy)
        units = make_units(work.plan, missing, work.request_of, work.cluster["fuse"])
        ledger.append(work.output_dir, _held(work, units, _policy(work.cluster, strategy), folder, None))
    return len(missing)


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


def job_name(work: Work, array: JobArray, folder: Path) -> str:
    """Return the job's name by ``cluster.job_name``: the one handle that every site keeps; its key is no other's."""
    ids = [stage_id for unit in array.elements.values() for stage_id in unit.stages]
    key = hashlib.sha256("\n".join([folder.name, str(array.number), *ids]).encode()).hexdigest()
    return job_name_of(work.cluster, work.campaign, array.name, key[:8])


def script_of(work: Work, array: JobArray, folder: Path, dependency: str | None, exclude: Sequence[str] = ()) -> str:
    """Return the batch script of an array, which leaves out the nodes of ``exclude``."""
    path = list_path(folder, array.number)
    name = job_name(work, array, folder)
    return batch_script(array, name, folder, path, dependency, work.cluster, campaign=work.campaign, exclude=exclude)


def _ask_first(work: Work, arrays: Sequence[JobArray], folder: Path, scheduler: Scheduler) -> list[str]:
    """Let the scheduler refuse before anything is queued: once for each kind of request.

    Returns:
        What is said about requests that cannot be met now, though the cluster could.
    """
    asked: set[Request] = set()
    notes: list[str] = []
    for array in arrays:
        if array.request in asked:
            continue
        asked.add(array.request)
        path = folder / "test-only.sh"
        write_text(path, script_of(work, array, folder, None))
        refusal, starts = scheduler.verdict(str(path))
        path.unlink()
        partition = partition_of(array.request, work.cluster)
        if refusal is None:
            said = not_before(starts, array.request)
        elif is_about_count(refusal):
            said = None
        else:
            said = why_not_now(refusal, array.request, partition, scheduler)
            if said is None:
                raise SubmissionError(refused(array.name, refusal))
        notes += [said] if said is not None and said not in notes else []
    return notes


def submit_surely(output_dir: Path, submission: Submission, dependency: str | None, scheduler: Scheduler) -> Submission:
    """Call sbatch and return the submission with its id; where the answer is not a clean one the queue is asked.

    Raises:
        TooMany: it is refused because of how many are queued.
        SubmissionError: it is refused, or nobody can say whether it was accepted.
        OSError: it could not be noted, on a full disk for example; nobody would find the job, so it is cancelled.
    """
    asked = ledger.note(output_dir, submission, ledger.ASKED, dependency=dependency)
    answer = scheduler.submit(submission.script)
    job = answer.job if answer.is_sure else _found(asked, answer, scheduler) or answer.job
    if job is not None:
        return record_job(output_dir, asked, job, scheduler)
    if answer.is_refusal:
        ledger.note(output_dir, asked, ledger.REFUSED, why=answer.said)
    raise (TooMany if is_about_count(answer.said) else SubmissionError)(answer.said)


def _found(asked: Submission, answer: Answer, scheduler: Scheduler) -> str | None:
    """Return the id of a job whose answer was lost; what sbatch sent may reach slurmctld after its end."""
    try:
        found = find_by_name(asked, scheduler)
        if found is None and answer.job is None and not answer.is_refusal:
            time.sleep(_LATE_S)
            found = find_by_name(asked, scheduler)
        return found
    except SubmissionError as error:
        raise SubmissionError(f"{answer.said}\n{error}") from error


def record_job(output_dir: Path, submission: Submission, job: str, scheduler: Scheduler) -> Submission:
    """Note a job where every command finds it.

    Raises:
        OSError: it could not be noted; it is cancelled.
    """
    try:
        return ledger.note(output_dir, submission, ledger.SUBMITTED, job=job)
    except OSError:
        scheduler.cancel([job])
        raise


def _submission(work: Work, array: JobArray, folder: Path, cluster: str | None) -> Submission:
    return Submission(
        job="",
        campaign=work.campaign,
        name=job_name(work, array, folder),
        time=round(time.time(), 3),
        user=user_name(),
        is_array=array.is_array,
        elements={index: unit.stages for index, unit in array.elements.items()},
        script=str(script_path(folder, array.number)),
        list_file=str(list_path(folder, array.number)),
        request=asdict(array.request),
        cluster=cluster,
        is_lane=array.is_lane,
        running=1 if array.is_lane else array.running,
    )
