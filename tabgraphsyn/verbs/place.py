"""The options that every verb about campaigns shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, find_campaigns, read_campaign
from tabgraphsyn.orchestration.stored.records import below
from tabgraphsyn.orchestration.stored.sharing import settle_rights

OutputDir = Annotated[Path, typer.Option("--output-dir", help="The launch's output_dir.", envvar="TABGRAPHSYN_OUTPUT")]
OUTPUTS = Path("outputs")


def chosen_campaigns(output_dir: Path, name: str | None) -> list[Campaign]:
    """Return the campaign of that name, or all of them, the latest first.

    Raises:
        ConfigError: there is none of that name.
    """
    folder = output_dir.expanduser().resolve()
    settle_rights(folder)
    return [read_campaign(folder, each) for each in ([name] if name else find_campaigns(folder))]


def own_folders(output_dir: Path) -> Path:
    """Return the output folder, resolved, whose parts are its own: what is deleted below it lies in it.

    Raises:
        DataError: one of them is a link to elsewhere, somebody else's store perhaps.
    """
    folder = output_dir.expanduser().resolve()
    for name in ("campaigns", "stages", "slurm"):
        below(folder, name)
    return folder


def one_campaign(output_dir: Path, name: str | None) -> Campaign:
    """Return the campaign of that name, or the latest.

    Raises:
        ConfigError: there is none.
    """
    found = chosen_campaigns(output_dir, name)
    if not found:
        raise ConfigError(f"{output_dir}: no campaign there. --output-dir names another folder.")
    return found[0]
