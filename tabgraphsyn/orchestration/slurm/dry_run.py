"""What a launch on Slurm would do, stage by stage, with its scripts and its cost; nothing is written or submitted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tabgraphsyn.data.files import write_text
from tabgraphsyn.errors import EXIT_DONE, ConfigError
from tabgraphsyn.orchestration.launching.submit import Launch
from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.slurm.arrays import Key, Request
from tabgraphsyn.orchestration.slurm.availability import partition_of, refused, why_not_now
from tabgraphsyn.orchestration.slurm.capabilities import ask
from tabgraphsyn.orchestration.slurm.cost import Cost, history, predicted, saved
from tabgraphsyn.orchestration.slurm.launching import work_of
from tabgraphsyn.orchestration.slurm.limits import is_about_count
from tabgraphsyn.orchestration.slurm.lookup import PENDING
from tabgraphsyn.orchestration.slurm.prepared import Prepared, Work, prepare
from tabgraphsyn.orchestration.slurm.queue_status import reason_in_words
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.submission import script_of, under_policy
from tabgraphsyn.orchestration.stored.lease import latest_attempt
from tabgraphsyn.orchestration.stored.ledger import folder_of

_NOTE_LETTERS = 160


def dry_run(launch: Launch) -> int:
    """Print per stage what a launch would do, the scripts, and what it would cost; change nothing."""
    scheduler = Scheduler()
    work, refusals = _allowed(work_of(launch))
    prepared = prepare(work, scheduler, ask(scheduler))
    refused = dict.fromkeys(_requests(prepared), refusals[0]) if refusals else _refused(work, prepared, scheduler)
    blocked = _blocked(work, prepared, refused)
    shares = launch.plan.shares()
    counts: dict[str, int] = {}
    for stage in launch.plan.stages.values():
        word, note = _decision(work, prepared, stage, blocked)
        counts[word] = counts.get(word, 0) + 1
        points = f"  {shares[stage.id]} points" if shares[stage.id] > 1 else ""
        print(f"  {word:8} {stage.label:32} {stage.signature}{points}{f'  {note}' if note else ''}")
    for text in _scripts(work, prepared):
        print(text)
    for text in _cost(launch, work, prepared):
        print(text)
    print(f"on an interruption: {prepared.strategy}")
    if prepared.updates or prepared.stuck:
        print(
            f"elements in the queue that could never start: {len(prepared.updates)} dependencies would be renewed, "
            f"{len(prepared.stuck)} elements cancelled and submitted anew"
        )
    if blocked:
        print(f"blocked: a launch would be refused before anything is queued:\n{next(iter(refused.values()))}")
    total = ", ".join(f"{count} {word}" for word, count in counts.items())
    print(f"dry run: {total}. Nothing was written or submitted; scheduler calls: {scheduler.counted()}")
    return EXIT_DONE


def _allowed(work: Work) -> tuple[Work, list[str]]:
    """Return the work under the site's policy, or as it is with what the policy forbids."""
    try:
        return under_policy(work), []
    except ConfigError as error:
        return work, [str(error)]


def _requests(prepared: Prepared) -> list[Request]:
    return list(dict.fromkeys(array.request for array in prepared.arrays))


def _refused(work: Work, prepared: Prepared, scheduler: Scheduler) -> dict[Request, str]:
    """Return what the scheduler says to each kind of request that it refuses, as a launch asks it."""
    found: dict[Request, str] = {}
    asked: set[Request] = set()
    with tempfile.TemporaryDirectory(prefix="tabgraphsyn-") as name:
        for array in prepared.arrays:
            if array.request not in asked:
                asked.add(array.request)
                path = Path(name) / "test-only.sh"
                write_text(path, script_of(work, array, Path(name), None))
                refusal, _ = scheduler.verdict(str(path))
                if refusal is not None and not _is_about_now(refusal, array.request, work, scheduler):
                    found[array.request] = refused(array.name, refusal)
    return found


def _is_about_now(refusal: str, request: Request, work: Work, scheduler: Scheduler) -> bool:
    """Return True if a launch would queue what is refused, because it can be met later."""
    partition = partition_of(request, work.cluster)
    return is_about_count(refusal) or why_not_now(refusal, request, partition, scheduler) is not None


def _blocked(work: Work, prepared: Prepared, refused: Mapping[Request, str]) -> dict[str, str]:
    """Return why stages cannot run: their request is refused, or what they read cannot be made."""
    found = {
        stage_id: refused[array.request].splitlines()[-1]
        for array in prepared.arrays
        if array.request in refused
        for unit in array.elements.values()
        for stage_id in unit.stages
    }
    for stage in work.plan.stages.values():
        inputs = [role for role, needed in stage.inputs.items() if needed in found]
        if inputs and stage.id not in found:
            found[stage.id] = f"input {', '.join(inputs[:3])} is blocked"
    return found


def _decision(work: Work, prepared: Prepared, stage: Stage, blocked: Mapping[str, str]) -> tuple[str, str]:
    """Return a stage's word and what else there is to say."""
    if stage.id in prepared.cached:
        is_new = stage.id in work.made_here and work.store.done(stage.id) is None
        return ("run", "by the launch itself") if is_new else ("cached", "")
    if stage.id in prepared.joined:
        job = prepared.joined[stage.id]
        state = reason_in_words(job) if job.state == PENDING else job.state.lower()
        return "join", f"job {job.id} of {job.user}: {state}"
    if stage.id in blocked:
        return "blocked", blocked[stage.id][:_NOTE_LETTERS]
    if any(stage.id in unit.stages for unit in prepared.held):
        return "held", "the limit on queued elements; tabgraphsyn repair submits it"
    return "run", _former(work, stage)


def _former(work: Work, stage: Stage) -> str:
    """Return how the last attempt ended, where there was one."""
    last = latest_attempt(work.store.folder(stage.id))
    if last is None or last.outcome == "done":
        return ""
    if last.outcome == "failed":
        return f"failed before: {(last.error or 'no message')[:_NOTE_LETTERS]}"
    return f"resumes after attempt {last.number}"


def _scripts(work: Work, prepared: Prepared) -> Iterator[str]:
    ids: dict[Key, str] = {each.number: f"<job {each.number}>" for each in prepared.arrays}
    sizes: dict[Key, int] = {each.number: len(each.elements) for each in prepared.arrays}
    for array in prepared.arrays:
        what = f"a lane of {len(array.elements)} elements and {array.spares} spare tasks" if array.is_lane else ""
        yield f"\n# {array.name}: {what or f'{len(array.elements)} elements'}, job {array.number} of this launch"
        yield script_of(work, array, folder_of(work.output_dir), array.dependency(ids, sizes))


def _cost(launch: Launch, work: Work, prepared: Prepared) -> Iterator[str]:
    took = history(work.store)
    units = [unit for array in prepared.arrays for unit in array.elements.values()]
    cost = predicted(_stages(launch, [each for unit in units for each in unit.stages]), took, work.request_of)
    missing = ", ".join(f"{count} {kind}" for kind, count in cost.unknown.items())
    yield f"predicted from this store: {_hours(cost)}{f'; no history of {missing}' if missing else ''}"
    by_cache = saved(work.store, _stages(launch, prepared.cached), work.request_of)
    yield f"the cache saves {_hours(by_cache)}"
    if prepared.joined:
        by_jobs = predicted(_stages(launch, prepared.joined), took, work.request_of)
        yield f"joining jobs in the queue saves {_hours(by_jobs)}"


def _stages(launch: Launch, ids: Iterable[str]) -> list[Stage]:
    return [launch.plan.stages[stage_id] for stage_id in ids]


def _hours(cost: Cost) -> str:
    return f"{cost.hours:.3f} hours of running, {cost.cpu_hours:.3f} CPU-hours, {cost.gpu_hours:.3f} GPU-hours"
