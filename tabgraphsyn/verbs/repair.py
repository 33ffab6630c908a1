"""``tabgraphsyn repair``: after an outage, submit again what is missing of a campaign on Slurm, and only that."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from tabgraphsyn.orchestration.slurm.launching import described
from tabgraphsyn.orchestration.slurm.repair import repair as repaired
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.submission import Report
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, one_campaign


def repair(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; the latest by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Submit here also what was submitted on another cluster.")
    ] = False,
) -> None:
    """Submit what is neither done nor in the queue, and tell what waits for lost inputs to wait for the new ones."""
    found = one_campaign(output_dir, campaign)
    try:
        found.show_done()
    except OSError as error:  # a disk that is full right now; what is missing can be submitted all the same
        print(f"{found.name}: could not show results that are done: {error}", file=sys.stderr)
    scheduler = Scheduler()
    report = repaired(found, scheduler, take_over=take_over)
    if as_json:
        print(json.dumps({**_described(report), "calls": scheduler.calls}, indent=2))
        return
    print("\n".join(described(report, scheduler)))


def _described(report: Report) -> dict[str, Any]:
    """Return what a repair did as plain values."""
    return {
        "submitted": [asdict(submission) for submission in report.submissions],
        "joined": {stage_id: job.id for stage_id, job in report.prepared.joined.items()},
        "rearmed": [{"job": job, "dependency": dependency} for job, dependency in report.rearmed.items()],
        "cancelled": report.prepared.stuck,
        "released": report.prepared.released,
        "notes": report.prepared.notes,
        "held": [stage_id for unit in report.prepared.held for stage_id in unit.stages],
    }
