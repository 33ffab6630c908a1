"""A launch on Slurm: submit, say what was done, leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabgraphsyn.errors import EXIT_DONE
from tabgraphsyn.orchestration.campaigns import Campaign
from tabgraphsyn.orchestration.plan import Stage
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Key, Request
from tabgraphsyn.orchestration.slurm.capabilities import ask
from tabgraphsyn.orchestration.slurm.ledger import folder_of
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.submission import Report, Work, prepare, script_of, submit
from tabgraphsyn.orchestration.spec import stage_spec
from tabgraphsyn.orchestration.store import Store
from tabgraphsyn.orchestration.submit import Launch


def work_of(launch: Launch) -> Work:
    """Return what a launch could submit."""
    owners: dict[str, Mapping[str, Any]] = {}
    for point in launch.points:
        for stage_id in launch.plan.points[point.name].values():
            owners.setdefault(stage_id, point.config)

    def request_of(stage: Stage) -> Request:
        wanted = owners[stage.id]["resources"].get(stage.kind.name) or {}
        cluster = launch.config["cluster"]
        gpus = wanted.get("gpus", 1) if wanted.get("device", "cpu") != "cpu" and cluster["gpu_partition"] else 0
        threads = launch.runtimes[stage.id].threads
        return Request(threads, float(wanted.get("mem_gb", 4.0)), int(wanted.get("timeout_min", 60)), gpus)

    return Work(
        campaign=launch.campaign,
        plan=launch.plan,
        store=launch.store,
        cluster=launch.config["cluster"],
        spec_of=lambda stage: stage_spec(stage, launch.runtimes[stage.id]),
        request_of=request_of,
    )


def run_on_slurm(launch: Launch, campaign: Campaign) -> int:
    """Submit what is missing, print what was done, and return the exit code."""
    scheduler = Scheduler()
    report = submit(work_of(launch), scheduler)
    print("\n".join(described(report, scheduler)))
    print(f"Results: {campaign.folder}. tabgraphsyn status {launch.campaign} --output-dir {launch.output_dir}")
    return EXIT_DONE


def described(report: Report, scheduler: Scheduler) -> Iterator[str]:
    """Yield what a submission did, in lines."""
    prepared = report.prepared
    for submission in report.submissions:
        request = submission.request
        asks = f"{request['cpus']} cpu {request['mem_gb']:g} GB {request['timeout_min']} min"
        asks += f" {request['gpus']} gpu" if request["gpus"] else ""
        after = submission.dependency or "nothing"
        yield f"job {submission.job:>8}  {len(submission.elements):5} x {submission.name:44} {asks:24} after {after}"
    count = sum(len(stages) for submission in report.submissions for stages in submission.elements.values())
    elements = sum(len(submission.elements) for submission in report.submissions)
    yield (
        f"{len(prepared.cached) + len(prepared.joined) + count} stages: {count} submitted as {elements} elements of "
        f"{len(report.submissions)} jobs, {len(prepared.cached)} cached, {len(prepared.joined)} joined to jobs in the "
        f"queue; scheduler calls: {scheduler.counted()}"
    )
    if prepared.stuck:
        yield f"{len(prepared.stuck)} elements could never have started; they were cancelled and submitted anew"
    if prepared.released:
        yield f"{len(prepared.released)} elements were held after a node failed to start them; they were released"
    if prepared.held:
        yield (
            f"{len(prepared.held)} elements are held back by the limit on queued jobs; "
            "tabgraphsyn repair submits them when there is room"
        )


def dry_run(launch: Launch) -> int:
    """Print per stage what a launch would do, the scripts, and what it would cost; change nothing."""
    scheduler = Scheduler()
    work = work_of(launch)
    capabilities = ask(scheduler)
    prepared = prepare(work, scheduler, capabilities)
    shares = launch.plan.shares()
    cached = set(prepared.cached)
    for stage in launch.plan.stages.values():
        word = "cached" if stage.id in cached else "join" if stage.id in prepared.joined else "run"
        where = f"  job {prepared.joined[stage.id]}" if word == "join" else ""
        points = f"  {shares[stage.id]} points" if shares[stage.id] > 1 else ""
        print(f"  {word:8} {stage.label:32} {stage.signature}{points}{where}")
    for array in prepared.arrays:
        print(f"\n# {array.name}: {len(array.elements)} elements, job {array.number} of this launch")
        ids: dict[Key, str] = {each.number: f"<job {each.number}>" for each in prepared.arrays}
        sizes: dict[Key, int] = {each.number: len(each.elements) for each in prepared.arrays}
        print(script_of(work, array, folder_of(launch.output_dir), array.dependency(ids, sizes)))
    for line in _cost(work.store, prepared.arrays, [launch.plan.stages[each] for each in prepared.cached]):
        print(line)
    print(f"dry run: nothing was written or submitted; scheduler calls: {scheduler.counted()}")
    return EXIT_DONE


def _cost(store: Store, arrays: Sequence[JobArray], cached: Sequence[Stage]) -> Iterator[str]:
    """Yield predicted hours from what such stages took in this store, and what the cache saves."""
    took: dict[str, list[float]] = defaultdict(list)
    for stage_id in store.stage_ids():
        manifest = store.done(stage_id)
        if manifest is not None:
            took[stage_id.split("/")[0]].append(float(manifest["elapsed_s"]))
    mean = {kind: sum(each) / len(each) for kind, each in took.items()}
    hours = gpu_hours = 0.0
    unknown: dict[str, int] = defaultdict(int)
    for array in arrays:
        for unit in array.elements.values():
            for kind in (stage_id.split("/")[0] for stage_id in unit.stages):
                unknown[kind] += kind not in mean
                hours += mean.get(kind, 0.0) / 3600 * array.request.cpus
                gpu_hours += mean.get(kind, 0.0) / 3600 * array.request.gpus
    saved = sum(mean.get(stage.kind.name, 0.0) for stage in cached) / 3600
    missing = {kind: count for kind, count in unknown.items() if count}
    words = f"; no history of {', '.join(f'{count} {kind}' for kind, count in missing.items())}" if missing else ""
    yield f"predicted from this store: {hours:.2f} CPU-hours, {gpu_hours:.2f} GPU-hours{words}"
    yield f"the cache saves {saved:.2f} hours of running"
