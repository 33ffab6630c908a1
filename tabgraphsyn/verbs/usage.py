"""``tabgraphsyn usage``: hours that the stages took: used, saved by sharing, lost to interruptions and failures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from tabgraphsyn.orchestration.accounting import Usage, usage_of
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns


def usage(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; all of them by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Show hours of running and GPU-hours per stage kind and user."""
    found = usage_of(chosen_campaigns(output_dir, campaign))
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
        return
    heads = ("attempts", "used h", "saved h", "lost h", "GPU used", "GPU lost")
    print(f"{'stage':14}{'user':12}" + "".join(f"{head:>10}" for head in heads))
    for each in [*found, _total(found)]:
        hours = (each.used_h, each.saved_h, each.lost_h, each.gpu_used_h, each.gpu_lost_h)
        print(f"{each.stage:14}{each.user:12}{each.attempts:10}" + "".join(f"{value:10.3f}" for value in hours))


def _total(found: list[Usage]) -> Usage:
    def total(name: str) -> float:
        return sum(float(getattr(each, name)) for each in found)

    return Usage(
        "all",
        "",
        int(total("attempts")),
        total("used_h"),
        total("saved_h"),
        total("lost_h"),
        total("gpu_used_h"),
        total("gpu_lost_h"),
    )
