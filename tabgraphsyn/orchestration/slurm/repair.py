"""Cancel and repair of a campaign's jobs, from the files of its launches alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json
from tabgraphsyn.errors import StageError, listing
from tabgraphsyn.generators.kinds import StageKind
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.planning.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm.arrays import Request
from tabgraphsyn.orchestration.slurm.identity import look_up
from tabgraphsyn.orchestration.slurm.listing import ListedStage, read_stages
from tabgraphsyn.orchestration.slurm.lookup import queued_jobs
from tabgraphsyn.orchestration.slurm.prepared import Work
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.standing import is_ours
from tabgraphsyn.orchestration.slurm.submission import LAUNCH, Report, submit
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import Submission
from tabgraphsyn.orchestration.stored.trust import allow, require_own


def was_submitted(campaign: Campaign) -> bool:
    """Return True if a job was ever submitted for a campaign."""
    return any(submission.campaign == campaign.name for submission in ledger.read(campaign.output_dir))


def repair(campaign: Campaign, scheduler: Scheduler, *, take_over: bool = False) -> Report:
    """Submit again what is not done and in no queue; what waits for lost inputs is told to wait for the new ones.

    With ``take_over`` also what was submitted on another cluster, which is not asked.

    Raises:
        StageError: a stage was never submitted, so nothing says how it runs.
    """
    return submit(replace(_missing_work(campaign), take_over=take_over), scheduler)


def _missing_work(campaign: Campaign) -> Work:
    submissions = ledger.read(campaign.output_dir)
    known = ledger.latest_elements(submissions)
    done = {stage_id for stage_id in campaign.stage_ids() if campaign.store.done(stage_id) is not None}
    missing = [stage_id for stage_id in campaign.stage_ids() if stage_id not in done]
    unknown = [stage_id for stage_id in missing if stage_id not in known]
    if unknown:
        raise StageError(
            f"{campaign.name}: {len(unknown)} stages were never submitted: {listing(unknown, 5)}. "
            "Launch the campaign again with the same command; it goes on from what is done."
        )
    settings = _settings(campaign, submissions)
    listed: dict[str, ListedStage] = {}
    for path in dict.fromkeys(known[stage_id][0].list_file for stage_id in missing):
        require_own(Path(path))
        listed.update(read_stages(Path(path)))
    stages = {stage_id: _stage(listed[stage_id]) for stage_id in missing}
    return Work(
        campaign=campaign.name,
        plan=Plan(stages, {}),
        store=campaign.store,
        cluster=settings["cluster"],
        spec_of=lambda stage: listed[stage.id].spec,
        request_of=lambda stage: Request(**listed[stage.id].request),
        # An outage is no reason for other code; to have what was edited since, launch again.
        code_folder=Path(settings["code_folder"]) if settings.get("code_folder") else None,
        python_path=tuple(settings["python_path"]) if "python_path" in settings else None,
    )


def _settings(campaign: Campaign, submissions: Sequence[Submission]) -> Mapping[str, Any]:
    """Return the record of the campaign's last launch."""
    own = [submission for submission in submissions if submission.campaign == campaign.name]
    if not own:
        raise StageError(f"{campaign.name}: no job was ever submitted for it. Launch it with cluster=slurm.")
    path = Path(own[-1].script).parent / LAUNCH
    try:
        require_own(path)
        settings: Mapping[str, Any] = read_json(path)
        allow(settings.get("allowed", ()))
        return {**settings, "cluster": _current(settings["cluster"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"{path}: not the record of a launch ({error}). Launch again.") from error


def _current(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return recorded settings with defaults for those that the version which recorded them did not have."""
    from tabgraphsyn.config.top_level import ClusterConfig  # omegaconf: only where something is repaired

    return {**asdict(ClusterConfig()), **cluster}


def _stage(listed: ListedStage) -> Stage:
    spec = listed.spec
    runtime = spec["runtime"]
    kind = StageKind(
        name=spec["stage"],
        version=spec["version"],
        module=runtime["module"],
        config_keys=(),
        is_resumable=runtime["is_resumable"],
        place_keys=tuple(runtime["place_keys"]),
    )
    signature = listed.id.split("/")[1]
    return Stage(kind, spec["table"], signature, spec["config"], spec["inputs"], spec["content"])


@dataclass
class Cancellation:
    """Elements of a campaign in the queue.

    Attributes:
        cancelled: those that are no more.
        needed: left, because other campaigns' jobs wait for them.
        foreign: left, because they belong to another user.
        notes: what else is left alone, in words.
    """

    cancelled: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def cancel(campaign: Campaign, scheduler: Scheduler) -> Cancellation:
    """Cancel a campaign's elements that are this user's and that no other campaign waits for.

    A launch that is submitting now is waited for: what it submits afterwards would run on.
    """
    with ledger.submission_lock(campaign.output_dir):
        return _cancel(campaign, scheduler)


def _cancel(campaign: Campaign, scheduler: Scheduler) -> Cancellation:
    asked = look_up(campaign.output_dir, ledger.read(campaign.output_dir), scheduler, lambda _: True)
    submissions = [each for each in asked.submissions if each.state == ledger.SUBMITTED]
    jobs = asked.jobs
    queued = [(submission, *_members(campaign, submission, jobs)) for submission in submissions]
    needed = _needed_by_others(campaign, queued)
    own = [each for each in asked.elsewhere if each.campaign == campaign.name]
    found = Cancellation(notes=replace(asked, elsewhere=own).notes())
    whole: list[str] = []
    foreign = {name for job in jobs.values() if not is_ours(job) for name in (job.id, job.id.split("_")[0])}
    for submission, members, _ in queued:
        if submission.campaign != campaign.name or not members:
            continue
        free = [element for element, stages in members.items() if not needed.intersection(stages)]
        found.needed += [element for element in members if element not in free]
        found.foreign += [element for element in free if element in foreign]
        ours = [element for element in free if element not in foreign]
        found.cancelled += ours
        whole += [submission.job] if len(ours) == len(members) else ours
    # What waits goes first, or it would start while what runs is being cancelled.
    running = {name for job in jobs.values() if job.state != "PENDING" for name in (job.id, job.id.split("_")[0])}
    scheduler.cancel(sorted(whole, key=lambda element: element in running))
    return found


def _members(
    campaign: Campaign, submission: Submission, jobs: Mapping[str, QueuedJob]
) -> tuple[dict[str, list[str]], list[int]]:
    """Return the elements of a submission in the queue with their stages, and their indices; a lane is one element."""
    wanted = {stages[0]: (submission, index) for index, stages in submission.elements.items()}
    found = queued_jobs(campaign.store, wanted, jobs)
    indices = [index for index, stages in submission.elements.items() if stages[0] in found]
    members: dict[str, list[str]] = {}
    for index in indices:
        members.setdefault(submission.element_id(index), []).extend(submission.elements[index])
    return members, indices


def _needed_by_others(
    campaign: Campaign, queued: Sequence[tuple[Submission, Mapping[str, Sequence[str]], Sequence[int]]]
) -> set[str]:
    """Return the stages that elements of other campaigns in the queue make or read, directly or not."""
    inputs: dict[str, list[str]] = {}
    pending: list[str] = []
    for submission, members, indices in queued:
        if not members:
            continue
        inputs.update({key: list(stage.spec["inputs"].values()) for key, stage in _stages_of(submission).items()})
        if submission.campaign != campaign.name:
            pending += [stage_id for index in indices for stage_id in submission.elements[index]]
    needed: set[str] = set()
    while pending:
        stage_id = pending.pop()
        if stage_id not in needed:
            needed.add(stage_id)
            pending += inputs.get(stage_id, [])
    return needed


def _stages_of(submission: Submission) -> dict[str, ListedStage]:
    return read_stages(Path(submission.list_file))
