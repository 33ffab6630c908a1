"""``tabgraphsyn report``: a campaign's sweep points side by side, with what is more than chance."""

from __future__ import annotations

from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, one_campaign


def report(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; default: the latest.")] = None,
    output_dir: OutputDir = OUTPUTS,
) -> None:
    """Write report.html and report.json of a campaign: means over seeds, intervals, significance, figures."""
    from tabgraphsyn.orchestration.reading.campaign_report import SUMMARY, write_report

    chosen = one_campaign(output_dir, campaign)
    chosen.show_done()
    if not any((chosen.folder / name / "metrics.json").is_file() for name in chosen.points):
        raise ConfigError(
            f"{chosen.folder}: none of its {len(chosen.points)} sweep points has scores yet. "
            f"`tabgraphsyn status {chosen.name}` says how far they are."
        )
    page = write_report(chosen)
    print(f"{page}\n{page.with_name(SUMMARY)}")
