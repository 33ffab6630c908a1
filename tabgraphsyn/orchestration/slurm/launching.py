"""A launch on Slurm: submit, say what was done, leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

from tabgraphsyn.errors import EXIT_DONE, command_line
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.launching.submit import Launch, record, wanted_resources
from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.planning.spec import stage_spec
from tabgraphsyn.orchestration.reading.measured import Key, Measured, measured
from tabgraphsyn.orchestration.slurm.arrays import Request
from tabgraphsyn.orchestration.slurm.prepared import Work
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.submission import Report, submit


def work_of(launch: Launch) -> Work:
    """Return what a launch could submit."""
    owners: dict[str, Mapping[str, Any]] = {}
    for point in launch.points:
        for stage_id in launch.plan.points[point.name].values():
            owners.setdefault(stage_id, point.config)

    @cache
    def history() -> dict[Key, Measured]:
        return measured(launch.store)

    def as_measured(stage: Stage, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        took = history().get((stage.kind.name, stage.table)) or history().get((stage.kind.name, None))
        return {**wanted, "mem_gb": took.mem_gb, "timeout_min": took.timeout_min} if took is not None else wanted

    def request_of(stage: Stage) -> Request:
        wanted = wanted_resources(stage.kind, owners[stage.id])
        if wanted.get("measured"):
            wanted = as_measured(stage, wanted)
        cluster = launch.config["cluster"]
        gpus = wanted.get("gpus", 1) if wanted.get("device", "cpu") != "cpu" and cluster["gpu_partition"] else 0
        runtime = launch.runtimes[stage.id]
        return Request(
            runtime.threads,
            float(wanted.get("mem_gb", 4.0)) * runtime.tasks_per_node,
            int(wanted.get("timeout_min", 60)),
            gpus * runtime.tasks_per_node,
            runtime.tasks_per_node,
            runtime.nodes,
        )

    return Work(
        campaign=launch.campaign,
        plan=launch.plan,
        store=launch.store,
        cluster=launch.config["cluster"],
        spec_of=lambda stage: stage_spec(stage, launch.runtimes[stage.id]),
        request_of=request_of,
        made_here=frozenset(source.stage.id for source in launch.sources.values() if not source.job_mb),
    )


def run_on_slurm(launch: Launch) -> tuple[int, Campaign]:
    """Record the campaign, submit what is missing, print what was done; return the exit code and the campaign."""
    for stage_id, size_mb in {each.stage.id: each.job_mb for each in launch.sources.values() if each.job_mb}.items():
        print(f"{stage_id}: {size_mb:,.0f} MB are read by a job; names, heads and metadata are checked")
    scheduler = Scheduler()
    campaign = cache(partial(record, launch))
    report = submit(replace(work_of(launch), record=campaign), scheduler)
    print("\n".join(described(report, scheduler)))
    look = command_line("tabgraphsyn", "status", launch.campaign, "--output-dir", launch.output_dir)
    print(f"Results: {campaign().folder}. {look}")
    return EXIT_DONE, campaign()


def described(report: Report, scheduler: Scheduler) -> Iterator[str]:
    """Yield what a submission did, in lines."""
    prepared = report.prepared
    for submission in report.submissions:
        request = submission.request
        asks = f"{request['cpus']} cpu {request['mem_gb']:g} GB {request['timeout_min']} min"
        asks += f" {request['gpus']} gpu" if request["gpus"] else ""
        asks += f" x {request['tasks_per_node']} tasks" if request["tasks_per_node"] > 1 else ""
        asks += f" x {request['nodes']} nodes" if request["nodes"] > 1 else ""
        asks += f", {submission.running} at once" if submission.running and not submission.is_lane else ""
        after = f" after {submission.dependency}" if submission.dependency else ""
        yield f"job {submission.job:>8}  {len(submission.elements):5} x {submission.name:44} {asks:24}{after}"
    count = sum(len(stages) for submission in report.submissions for stages in submission.elements.values())
    elements = sum(len(submission.elements) for submission in report.submissions)
    yield (
        f"{len(prepared.cached) + len(prepared.joined) + count} stages: {count} submitted as {elements} elements of "
        f"{len(report.submissions)} jobs, {len(prepared.cached)} cached, {len(prepared.joined)} joined to jobs in the "
        f"queue; scheduler calls: {scheduler.counted()}"
    )
    if any(submission.is_lane for submission in report.submissions):
        yield f"on an interruption: {prepared.strategy}"
    if report.rearmed:
        names = ", ".join(list(report.rearmed)[:5]) + (" ..." if len(report.rearmed) > 5 else "")
        yield f"{len(report.rearmed)} dependencies could never have been met; they were renewed: {names}"
    if prepared.stuck:
        yield f"{len(prepared.stuck)} elements could never have started; they were cancelled and submitted anew"
    if prepared.released:
        yield f"{len(prepared.released)} elements were held after a node failed to start them; they were released"
    yield from prepared.notes
    if prepared.elsewhere:
        yield (
            f"{len(prepared.elsewhere)} stages are not submitted here, because another cluster is to make them or what "
            "they read; tabgraphsyn repair --take-over submits them here"
        )
    kept_back = [unit for unit in prepared.held if not prepared.elsewhere.intersection(unit.stages)]
    if kept_back:
        yield (
            f"{len(kept_back)} elements are held back by the limit on queued jobs; "
            "tabgraphsyn repair submits them when there is room"
        )
