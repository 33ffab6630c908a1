"""``tabgraphsyn repair``: after an outage, submit again what is missing of a campaign on Slurm, and only that."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from tabgraphsyn.orchestration.slurm.launching import described
from tabgraphsyn.orchestration.slurm.repair import repair as repaired
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, one_campaign


def repair(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; the latest by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Cancel elements that can never start, and submit what is neither done nor in the queue."""
    found = one_campaign(output_dir, campaign)
    found.show_done()
    scheduler = Scheduler()
    report = repaired(found, scheduler)
    if as_json:
        submitted = [asdict(submission) for submission in report.submissions]
        print(
            json.dumps({"submitted": submitted, "joined": report.prepared.joined, "calls": scheduler.calls}, indent=2)
        )
        return
    print("\n".join(described(report, scheduler)))
