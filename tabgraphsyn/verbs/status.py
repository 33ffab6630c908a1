"""``tabgraphsyn status``: what became of the campaigns, from any shell, whether launch still runs or not."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.local.view import duration
from tabgraphsyn.orchestration.slurm.queue_status import with_queue
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.site import read_site
from tabgraphsyn.orchestration.status import CampaignStatus, StageStatus, campaign_status
from tabgraphsyn.verbs.console import output
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns

_WATCH_S = 2.0
_SLURM_WATCH_S = 30.0  # controllers ask clients not to poll
_ORDER = (
    "done",
    "running",
    "starting",
    "waiting",
    "held back",
    "stuck",
    "ended",
    "unknown",
    "not started",
    "stopped",
    "failed",
    "blocked",
)


def status(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; all of them by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again until nothing runs.")] = False,
    rpc_report: Annotated[bool, typer.Option("--rpc-report", help="Say how often the scheduler was asked.")] = False,
) -> None:
    """Show every sweep point and stage: state, progress, why it waits."""
    scheduler = Scheduler()
    pause_s = read_site().poll_s
    while True:
        campaigns = chosen_campaigns(output_dir, campaign)
        found = [_looked_at(each, scheduler) for each in campaigns]
        if as_json:
            print(json.dumps({"campaigns": [asdict(each) for each in found]}, indent=2))
        else:
            _print(found, detailed=campaign is not None or len(found) == 1, clear=watch)
        if rpc_report:
            print(f"scheduler calls: {scheduler.counted()}", file=sys.stderr)
        if not watch or all(each.is_settled for each in found):
            return
        on_slurm = any(each.runner == "slurm" for each in found)
        time.sleep(max(_SLURM_WATCH_S, pause_s) if on_slurm else _WATCH_S)


def _looked_at(campaign: Campaign, scheduler: Scheduler) -> CampaignStatus:
    """Return the status, having shown results whose launch or worker could not."""
    try:
        campaign.show_done()
    except OSError as error:  # a full disk, or a worker that shows the same results right now
        print(f"{campaign.name}: could not show results that are done: {error}", file=sys.stderr)
    found = campaign_status(campaign)
    try:
        return with_queue(found, campaign, scheduler)
    except SubmissionError as error:  # no scheduler here, or it does not answer: the files still tell
        print(f"{campaign.name}: {error} What follows is from files alone.", file=sys.stderr)
        return found


def _print(found: list[CampaignStatus], *, detailed: bool, clear: bool) -> None:
    console = output()
    if clear and console.is_terminal:
        console.clear()
    if not found:
        text = "no campaigns here; python -m tabgraphsyn.launch starts one, --output-dir looks elsewhere"
        console.print(text, soft_wrap=True)
    for each in found:
        counts = ", ".join(f"{each.counts[word]} {word}" for word in _ORDER if word in each.counts)
        console.print(f"{each.name}: {len(each.points)} points, {counts}; runner: {each.runner}", markup=False)
        if detailed:
            _print_stages(each, console)
        for point in each.points:
            if point.gate and (detailed or not point.gate.startswith("pass")):
                console.print(f"  privacy gate of {point.name}: {point.gate}", markup=False, soft_wrap=True)
        console.print(f"  results: {each.folder}", markup=False, soft_wrap=True)


def _print_stages(campaign: CampaignStatus, console: Any) -> None:
    """Print each stage once; a stage that several points share names how many."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("point", "stage", "state", "attempt", "since", "progress and reason"):
        is_last = name == "progress and reason"
        # Without a least width a narrow terminal leaves the last column nothing, and the rows have no lines at all.
        table.add_column(name, overflow="fold", no_wrap=not is_last, min_width=20 if is_last else None)
    points: dict[str, list[str]] = {}
    stages: dict[str, StageStatus] = {}
    for point in campaign.points:
        for stage in point.stages:
            points.setdefault(stage.id, []).append(point.name)
            stages.setdefault(stage.id, stage)
    for stage_id, stage in stages.items():
        names = points[stage_id]
        where = names[0] if len(names) == 1 else f"{len(names)} points"
        age = "" if stage.age_s is None else duration(stage.age_s)
        words = " ".join(text for text in (stage.progress, stage.reason) if text)
        table.add_row(where, stage.label, stage.state, str(stage.attempt or ""), age, _escaped(words))
    console.print(table)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
