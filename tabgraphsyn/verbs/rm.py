"""``tabgraphsyn rm``: remove a campaign with the stages that nobody else needs."""

from __future__ import annotations

import os
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, StageError, listing
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, running_stages
from tabgraphsyn.orchestration.campaign.running import read_runner
from tabgraphsyn.orchestration.reading.garbage import Removal, removal
from tabgraphsyn.orchestration.reading.status import campaign_status
from tabgraphsyn.orchestration.registry.tags import read_tags, tags_of
from tabgraphsyn.orchestration.slurm.queue_status import with_queue
from tabgraphsyn.orchestration.slurm.repair import was_submitted
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.verbs.gc import delete
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns, one_campaign, own_folders


def rm(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    output_dir: OutputDir = OUTPUTS,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a campaign: its results, its launches, and its stages that no other campaign and no other user needs."""
    if Path(campaign).name != campaign or campaign in (".", ".."):
        raise ConfigError(f"{campaign!r}: the name of a campaign, not a path. `tabgraphsyn status` lists them.")
    own_folders(output_dir)
    found = one_campaign(output_dir, campaign)
    if not is_mine(found.folder):
        raise ConfigError(f"{found.folder}: another user's campaign. Ask {_owner(found.folder)} to remove it.")
    refuse_if_alive(found)
    refuse_tagged(found)
    others = [each for each in chosen_campaigns(output_dir, None) if each.name != campaign]
    going = removal(found, others, is_mine)
    show_removal(found.name, len(found.points), going)
    if not yes and not confirmed():
        raise ConfigError("nothing was removed. --yes removes it without a question.")
    remove(found.folder, going)
    print(f"{campaign}: removed")


def remove(folder: Path, going: Removal) -> None:
    """Delete a folder of results and what goes with it.

    Out of sight first: what a kill leaves behind then belongs to no campaign, and gc lists it.
    """
    aside = folder.with_name(f".removed-{uuid.uuid4().hex[:8]}")
    if folder.exists():
        folder.rename(aside)
    delete([replace(going.results, path=aside), *going.launches, *going.stages])


def refuse_tagged(campaign: Campaign, point: str | None = None) -> None:
    """Refuse to remove what somebody gave a name to.

    Raises:
        ConfigError: the campaign, or the point of it, is tagged.
    """
    tags = tags_of(read_tags(campaign.output_dir), campaign.name, point)
    if tags:
        raise ConfigError(
            f"{campaign.name}: {listing(tags)} {'names' if len(tags) == 1 else 'name'} a model of it. Take the tag "
            f"away first: `tabgraphsyn models rm {tags[0]}`."
        )


def is_mine(path: Path) -> bool:
    """Return whether this user made a folder."""
    return os.getuid() in (0, path.lstat().st_uid)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"uid {path.lstat().st_uid}"


def refuse_if_alive(campaign: Campaign) -> None:
    """Refuse while anything of a campaign runs or waits; where Slurm cannot be asked, nobody knows.

    Raises:
        StageError: it does, or may.
    """
    advice = f"Run `tabgraphsyn cancel {campaign.name}` first."
    record = read_runner(campaign.folder)
    if record is not None and record.is_alive() is not False:
        raise StageError(f"{campaign.name}: process {record.owner.pid} on {record.owner.host} runs it. {advice}")
    running = [label for label, _ in running_stages(campaign)]
    if running:
        raise StageError(f"{campaign.name}: {listing(running)} run now. {advice}")
    if was_submitted(campaign):
        found = with_queue(campaign_status(campaign), campaign, Scheduler())
        unsure = [stage.reason for point in found.points for stage in point.stages if "cannot be asked" in stage.reason]
        if found.runner == "slurm":
            why = unsure[0] if unsure else "jobs of it are in the queue, or Slurm cannot be asked"
            raise StageError(f"{campaign.name}: {why}. {advice}")


def show_removal(name: str, points: int, going: Removal) -> None:
    """Print what would be removed, and what stays."""
    size = sum(each.bytes for each in going.items)
    files = sum(each.files for each in going.items)
    print(f"{name}: {points} points, {len(going.stages)} stages, {files} files, {size / 1e6:.1f} MB would be removed")
    for why, left in (("other campaigns refer to them", going.shared), ("other users made them", going.foreign)):
        if left:
            print(f"{len(left)} stages stay, {why}: {', '.join(left[:5])}{' ...' if len(left) > 5 else ''}")


def confirmed() -> bool:
    """Ask on a terminal; elsewhere nobody answers."""
    if not sys.stdin.isatty():
        return False
    return input("Remove it? yes or no: ").strip().lower() in ("yes", "y")
