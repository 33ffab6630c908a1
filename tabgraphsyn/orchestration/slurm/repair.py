"""Cancel and repair of a campaign's jobs, from the files of its launches alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json
from tabgraphsyn.errors import StageError, listing
from tabgraphsyn.orchestration.campaigns import Campaign
from tabgraphsyn.orchestration.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.arrays import Request
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.listing import ListedStage, read_stages
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.submission import LAUNCH, Report, Work, submit
from tabgraphsyn.stages.catalog import StageKind


def was_submitted(campaign: Campaign) -> bool:
    """Return True if a job was ever submitted for a campaign."""
    return any(submission.campaign == campaign.name for submission in ledger.read(campaign.output_dir))


def repair(campaign: Campaign, scheduler: Scheduler) -> Report:
    """Submit again what is not done and in no queue; elements that can never start are cancelled first.

    Raises:
        StageError: a stage was never submitted, so nothing says how it runs.
    """
    return submit(_missing_work(campaign), scheduler)


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
    listed: dict[str, ListedStage] = {}
    for path in dict.fromkeys(known[stage_id][0].list_file for stage_id in missing):
        listed.update(read_stages(Path(path)))
    stages = {stage_id: _stage(listed[stage_id]) for stage_id in missing}
    return Work(
        campaign=campaign.name,
        plan=Plan(stages, {}),
        store=campaign.store,
        cluster=_settings(campaign, submissions),
        spec_of=lambda stage: listed[stage.id].spec,
        request_of=lambda stage: Request(**listed[stage.id].request),
    )


def _settings(campaign: Campaign, submissions: Sequence[Submission]) -> Mapping[str, Any]:
    """Return the cluster settings of the campaign's last launch."""
    own = [submission for submission in submissions if submission.campaign == campaign.name]
    if not own:
        raise StageError(f"{campaign.name}: no job was ever submitted for it. Launch it with cluster=slurm.")
    path = Path(own[-1].script).parent / LAUNCH
    try:
        settings: Mapping[str, Any] = read_json(path)["cluster"]
    except (OSError, ValueError, KeyError) as error:
        raise StageError(f"{path}: not the record of a launch ({error}). Launch again.") from error
    return settings


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


def cancel(campaign: Campaign, scheduler: Scheduler) -> tuple[list[str], list[str]]:
    """Cancel a campaign's elements; return those, and the ones left because other campaigns' jobs wait for them."""
    submissions = [submission for submission in ledger.read(campaign.output_dir) if submission.job]
    jobs = scheduler.queue({submission.job for submission in submissions})
    needed = _needed_by_others(campaign, submissions, jobs)
    chosen: list[str] = []
    left: list[str] = []
    for submission in submissions:
        if submission.campaign != campaign.name:
            continue
        for index, stages in submission.elements.items():
            element = submission.element_id(index)
            if element in jobs:
                (left if needed.intersection(stages) else chosen).append(element)
    # What waits goes first, or it would start while what runs is being cancelled.
    chosen.sort(key=lambda element: jobs[element].state != "PENDING")
    scheduler.cancel(_whole_arrays(chosen, submissions, jobs))
    return chosen, left


def _whole_arrays(chosen: Sequence[str], submissions: Sequence[Submission], jobs: Mapping[str, QueuedJob]) -> list[str]:
    """Return the same with arrays named as a whole where all of their elements in the queue are chosen."""
    wanted = set(chosen)
    names: dict[str, None] = {}
    for submission in submissions:
        queued = [element for index in submission.elements if (element := submission.element_id(index)) in jobs]
        if queued and wanted.issuperset(queued):
            names[submission.job] = None
        else:
            names.update(dict.fromkeys(element for element in queued if element in wanted))
    return list(names)


def _needed_by_others(campaign: Campaign, submissions: Sequence[Submission], jobs: Mapping[str, QueuedJob]) -> set[str]:
    """Return the stages that elements of other campaigns in the queue make or read, directly or not."""
    inputs: dict[str, list[str]] = {}
    pending: list[str] = []
    for submission in submissions:
        alive = [index for index in submission.elements if submission.element_id(index) in jobs]
        if not alive:
            continue
        inputs.update({key: list(stage.spec["inputs"].values()) for key, stage in _stages_of(submission).items()})
        if submission.campaign != campaign.name:
            pending += [stage_id for index in alive for stage_id in submission.elements[index]]
    needed: set[str] = set()
    while pending:
        stage_id = pending.pop()
        if stage_id not in needed:
            needed.add(stage_id)
            pending += inputs.get(stage_id, [])
    return needed


def _stages_of(submission: Submission) -> dict[str, ListedStage]:
    return read_stages(Path(submission.list_file))
