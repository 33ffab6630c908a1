"""``tabgraphsyn usage``: hours that the stages took: used, saved by sharing, lost to interruptions and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.reading.accounting import Usage, usage_of
from tabgraphsyn.orchestration.reading.measured import Key, Measured, measured
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns


def usage(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; all of them by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only what the next launch should ask for, as overrides.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Show hours of running and GPU-hours per stage kind and user, and what the next stages should ask for."""
    campaigns = chosen_campaigns(output_dir, campaign)
    if as_json and not propose:
        print(json.dumps([asdict(each) for each in usage_of(campaigns)], indent=2))
        return
    took = _took(campaigns)
    if as_json:
        kinds = {kind: {**asdict(each), **_asked(each)} for (kind, table), each in took.items() if table is None}
        print(json.dumps(kinds, indent=2))
        return
    if propose:
        print(" ".join(overrides(took)))
        return
    _print(usage_of(campaigns))
    if took:
        print("\nmost that a done stage took, and what the next one should ask for (resources=measured takes it):")
        for (kind, table), each in sorted(took.items(), key=lambda pair: (pair[0][0], pair[0][1] or "")):
            label = kind if table is None else f"  {table}"
            asks = f"asks for {each.mem_gb:5.1f} GB {each.timeout_min:5} min"
            print(f"{label:26}{each.stages:6} stages {each.memory_mb:8.0f} MB {each.seconds / 60:8.1f} min   {asks}")


def _took(campaigns: Sequence[Campaign]) -> dict[Key, Measured]:
    """Return what the stages of campaigns of one store took."""
    if not campaigns:
        return {}
    return measured(campaigns[0].store, dict.fromkeys(each for chosen in campaigns for each in chosen.stage_ids()))


def _asked(took: Measured) -> dict[str, float]:
    return {"mem_gb": took.mem_gb, "timeout_min": took.timeout_min}


def overrides(took: Mapping[Key, Measured]) -> Iterator[str]:
    """Yield what a launch is told to ask for no more than it needs."""
    for (kind, table), each in took.items():
        if table is None:
            yield f"resources.{kind}.mem_gb={each.mem_gb:g}"
            yield f"resources.{kind}.timeout_min={each.timeout_min}"


_COLUMNS = ("used_h", "running_h", "saved_h", "lost_h", "gpu_used_h", "gpu_running_h", "gpu_lost_h")


def _print(found: Sequence[Usage]) -> None:
    heads = ("attempts", "used h", "running h", "saved h", "lost h", "GPU used", "GPU run", "GPU lost")
    print(f"{'stage':14}{'user':12}" + "".join(f"{head:>10}" for head in heads))
    for each in [*found, _total(found)]:
        hours = [getattr(each, name) for name in _COLUMNS]
        print(f"{each.stage:14}{each.user:12}{each.attempts:10}" + "".join(f"{value:10.3f}" for value in hours))


def _total(found: Sequence[Usage]) -> Usage:
    sums = {name: sum(getattr(each, name) for each in found) for name in _COLUMNS}
    return Usage("all", "", sum(each.attempts for each in found), **sums)
