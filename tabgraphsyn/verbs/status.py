"""``tabgraphsyn status``: what became of the campaigns, from any shell, whether launch still runs or not."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.config.site import read_site
from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.campaign.studies import summary_lines
from tabgraphsyn.orchestration.reading.status import STATES, CampaignStatus, campaign_status
from tabgraphsyn.orchestration.reading.status_rows import Filter, lines, printable
from tabgraphsyn.orchestration.slurm import bad_nodes
from tabgraphsyn.orchestration.slurm.queue_status import with_queue
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.stored.ledger import folder_of
from tabgraphsyn.terminal import raw
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns

_WATCH_S = 2.0
_SLURM_WATCH_S = 30.0  # controllers ask clients not to poll
_ROWS = 200
_GATES = 10


def status(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; all of them by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only stages in this state.")] = None,
    stage: Annotated[list[str] | None, typer.Option("--stage", help="Only this kind, label or signature.")] = None,
    point: Annotated[
        list[str] | None, typer.Option("--point", help="Only this point: its name, a pattern, or an override.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every stage in a row of its own.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again until nothing runs.")] = False,
    rpc_report: Annotated[bool, typer.Option("--rpc-report", help="Say how often the scheduler was asked.")] = False,
) -> None:
    """Show every sweep point and stage: state, progress, why it waits. Many stages are counted by kind."""
    gc.disable()  # a million small objects that all live until the end: looking for garbage is a quarter of the time
    scheduler = Scheduler()
    pause_s = read_site().poll_s
    chosen = Filter(tuple(state or ()), tuple(stage or ()), tuple(point or ()))
    while True:
        campaigns = chosen_campaigns(output_dir, campaign)
        found = [_looked_at(each, scheduler) for each in campaigns]
        chosen.check(found)
        shown = [chosen.applied(each) for each in found]
        if as_json:
            print(json.dumps({"campaigns": shown}, default=vars))
        else:
            detailed = campaign is not None or len(found) == 1 or bool(chosen)
            _print(shown, detailed=detailed, one_by_one=everything or bool(chosen), clear=watch, everything=everything)
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
    except (OSError, StageError) as error:  # a full disk, damage, a worker that shows them now
        print(f"{campaign.name}: could not show results that are done: {error}", file=sys.stderr)
    return with_queue(campaign_status(campaign), campaign, scheduler)


def _print(found: list[CampaignStatus], *, detailed: bool, one_by_one: bool, clear: bool, everything: bool) -> None:
    if clear and sys.stdout.isatty():
        raw(sys.stdout).write("\x1b[2J\x1b[H")
    if not found:
        print("no campaigns here; python -m tabgraphsyn.launch starts one, --output-dir looks elsewhere")
    for each in found:
        counts = ", ".join(f"{each.counts[word]} {word}" for word in STATES if word in each.counts)
        count = len(each.points)
        print(f"{each.name}: {count} point{'' if count == 1 else 's'}, {counts or 'nothing'}; runner: {each.runner}")
        if detailed:
            text = "\n".join(lines(each, one_by_one=one_by_one, most=sys.maxsize if everything else _ROWS))
            print(text, end="\n" if text else "")
        for text in summary_lines(Path(each.folder).parents[1], each.name):
            print(f"  {printable(text)}")
        _print_gates(each, detailed=detailed)
        slurm_folder = folder_of(Path(each.folder).parents[1])
        for text in bad_nodes.described(bad_nodes.read(slurm_folder, each.name)):
            print(f"  {text}")
        print(f"  results: {each.folder}")


def _print_gates(campaign: CampaignStatus, *, detailed: bool) -> None:
    """Print the privacy gate's verdicts: those that did not pass first, and no more than a screen takes."""
    gates = [(point.gate.startswith("pass"), point) for point in campaign.points if point.gate]
    gates = [pair for pair in gates if detailed or not pair[0]]
    gates.sort(key=lambda pair: pair[0])
    for _, point in gates[:_GATES]:
        print(f"  privacy gate of {point.name}: {printable(point.gate)}")
    if len(gates) > _GATES:
        passed = sum(is_passed for is_passed, _ in gates[_GATES:])
        print(f"  privacy gate of {len(gates) - _GATES} more points: {passed} pass; report shows them")
