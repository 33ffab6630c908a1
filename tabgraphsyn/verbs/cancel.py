"""``tabgraphsyn cancel``: stop a campaign; what is done stays done, what was saved is resumed by the next launch."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, running_stages
from tabgraphsyn.orchestration.campaign.running import ask_to_stop, read_runner
from tabgraphsyn.orchestration.slurm.cancellations import note_cancelled
from tabgraphsyn.orchestration.slurm.repair import cancel as cancel_jobs
from tabgraphsyn.orchestration.slurm.repair import was_submitted
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, one_campaign


def cancel(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Jobs on Slurm: print json.")] = False,
) -> None:
    """Ask the campaign's runner to stop; if it is gone, ask the stages that it left running."""
    found = one_campaign(output_dir, campaign)
    if was_submitted(found):
        _cancel_jobs(found, as_json)
        if read_runner(found.folder) is None:
            return
    record = read_runner(found.folder)
    if record is not None and record.is_alive() is None:
        raise StageError(
            f"{found.name}: its runner is process {record.owner.pid} on {record.owner.host}. Run cancel there."
        )
    if record is not None and record.is_alive() and ask_to_stop(record.owner):
        print(
            f"{found.name}: asked process {record.owner.pid} to stop. Its stages save and leave; launch resumes them."
        )
        return
    _stop_orphans(found)


def _cancel_jobs(campaign: Campaign, as_json: bool) -> None:
    scheduler = Scheduler()
    found = cancel_jobs(campaign, scheduler)
    note_cancelled(campaign.output_dir, campaign.name, found.cancelled)
    if as_json:
        print(json.dumps({**vars(found), "calls": scheduler.calls}, indent=2))
        return
    count = len(found.cancelled)
    print(f"{campaign.name}: cancelled {count} elements in the queue; scheduler calls: {scheduler.counted()}")
    for why, left in (("other campaigns' jobs wait for them", found.needed), ("of another user", found.foreign)):
        if left:
            print(f"{len(left)} elements run on, {why}: {', '.join(left[:10])}")
    for note in found.notes:
        print(note)


def _stop_orphans(campaign: Campaign) -> None:
    """Ask stages that still run without a runner to stop."""
    stopped = [label for label, attempt in running_stages(campaign) if ask_to_stop(attempt.owner)]
    names = ", ".join(stopped)
    print(f"{campaign.name}: no runner; asked {len(stopped)} stages to stop{f': {names}' if names else ''}.")
