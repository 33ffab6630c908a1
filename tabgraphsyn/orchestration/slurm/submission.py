"""Submit what is missing: under the store's lock, joined to what is done or queued, array by array."""

from __future__ import annotations

import getpass
import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.config.sbatch import job_name_of
from tabgraphsyn.data.files import write_json, write_text
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.code_copy import SNAPSHOT, code_copy
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Request, Unit
from tabgraphsyn.orchestration.slurm.bootstrap import python_path, write_bootstrap
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities, ask
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.listing import ListedStage, Policy, write_list
from tabgraphsyn.orchestration.slurm.prepared import Prepared, Work, prepare
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.script import batch_script
from tabgraphsyn.orchestration.slurm.site import read_site
from tabgraphsyn.orchestration.slurm.strategy import Strategy

LAUNCHES = "launches"
LAUNCH = "launch.json"


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
                submissions.append(_submit_array(work, array, prepared, submissions, folder, scheduler, capabilities))
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
    further = python_path() if work.python_path is None else work.python_path
    record = {
        "campaign": work.campaign,
        "cluster": dict(work.cluster),
        "time": time.time(),
        "on_interrupt": asdict(strategy),
        "code_folder": str(code_folder) if code_folder is not None else None,
        "python_path": list(further),
    }
    write_bootstrap(folder, code_folder, further)
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
    """Return the job's name by ``cluster.job_name``: the one handle that every site keeps."""
    ids = [stage_id for unit in array.elements.values() for stage_id in unit.stages]
    key = ids[0].split("/")[1] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return job_name_of(work.cluster, work.campaign, array.name, key[:8])


def script_of(work: Work, array: JobArray, folder: Path, dependency: str | None) -> str:
    """Return the batch script of an array."""
    path = list_path(folder, array.number)
    return batch_script(array, job_name(work, array), folder, path, dependency, work.cluster)


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
    sizes: dict[Key, int] = {each.number: len(each.elements) for each in prepared.arrays}
    dependency = array.dependency(_job_ids(prepared.arrays, before), sizes)
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
