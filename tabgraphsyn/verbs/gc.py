"""``tabgraphsyn gc``: what each rule would free, by age, size, campaign and point; then, with ``--yes``, delete it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.reading.garbage import RECORDS, RULES, UNUSED, Item, garbage
from tabgraphsyn.orchestration.stored.packed import pack
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns, own_folders

_DAY_S = 86_400
_SHOWN = 40


def gc(
    output_dir: OutputDir = OUTPUTS,
    rule: Annotated[list[str] | None, typer.Option("--rule", help=f"Only these: {', '.join(RULES)}.")] = None,
    older_than: Annotated[float, typer.Option("--older-than", help="Only what nobody changed for so many days.")] = 0,
    larger_than: Annotated[float, typer.Option("--larger-than", help="Only folders of more than so many MB.")] = 0,
    campaign: Annotated[str | None, typer.Option("--campaign", "-c", help="Only stages of this campaign.")] = None,
    point: Annotated[
        list[str] | None, typer.Option("--point", "-p", help="Only stages of these points: names or patterns.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete what is listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Say what each rule would free; ``--yes`` deletes it. ``tabgraphsyn rm`` removes a campaign with its stages."""
    folder = own_folders(output_dir)
    rules = _rules(rule or [])
    campaigns = chosen_campaigns(output_dir, None)
    if not campaigns and any(Store(folder / "stages").stage_ids()) and UNUSED in rules:
        print(
            f"{folder / 'campaigns'}: no campaign there, so nothing says which stages are wanted, and none is called "
            "unused. Put campaigns/ back, or delete the folder yourself if nothing of it is wanted."
        )
    wanted = _stages(campaigns, campaign, point or [])
    found = [
        each
        for each in garbage(folder, campaigns)
        if each.rule in rules
        and each.age_s >= older_than * _DAY_S
        and each.bytes >= larger_than * 1e6
        and (wanted is None or each.stage in wanted)
    ]
    if as_json:
        print(json.dumps([{**vars(each), "path": str(each.path)} for each in found]))
    else:
        _print(found, rules, folder)
    if yes:
        deleted = delete(found)
        if not as_json:
            print(f"{deleted} folders deleted or packed")
    elif found and not as_json:
        print("nothing was deleted; --yes deletes what is listed")


def _rules(chosen: Sequence[str]) -> list[str]:
    for each in chosen:
        if each not in RULES:
            raise ConfigError(f"--rule: there is no rule {each!r}.{nearest(each, RULES)} There are {listing(RULES)}.")
    return list(chosen) or [each for each in RULES if each != RECORDS]  # that one deletes nothing, and is asked for


def _stages(campaigns: Sequence[Campaign], name: str | None, points: Sequence[str]) -> set[str] | None:
    """Return the stages that the options ask for, or None for all."""
    if name is None and not points:
        return None
    known = {each.name: each for each in campaigns}
    if name is not None and name not in known:
        raise ConfigError(f"--campaign: there is no {name!r}.{nearest(name, known)} There are {listing(known)}.")
    chosen = [known[name]] if name is not None else list(campaigns)
    found = {
        stage_id
        for each in chosen
        for point, record in each.points.items()
        if not points or any(fnmatchcase(point, pattern) or pattern in record.overrides for pattern in points)
        for stage_id in record.stages.values()
    }
    if not found:
        raise ConfigError(f"--point: no sweep point is like {listing(points)}. `tabgraphsyn status` lists them.")
    return found


def _print(found: Sequence[Item], rules: Sequence[str], folder: Path) -> None:
    for each in sorted(found, key=lambda item: -item.bytes)[:_SHOWN]:
        days = each.age_s / _DAY_S
        print(f"{each.bytes / 1e6:10.1f} MB  {days:5.1f} days  {each.rule:11}  {each.path.relative_to(folder)}")
    if len(found) > _SHOWN:
        print(f"       ... and {len(found) - _SHOWN} more; --json lists all")
    for rule in rules:
        print(f"{rule:11}  {_summed(each for each in found if each.rule == rule)}  {RULES[rule]}")
    print(f"{'all':11}  {_summed(found)}")


def _summed(found: Iterable[Item]) -> str:
    items = list(found)
    size, files = sum(each.bytes for each in items), sum(each.files for each in items)
    return f"{len(items):5} folders {files:7} files {size / 1e6:10.1f} MB"


def delete(found: Iterable[Item]) -> int:
    """Delete folders, pack records, and return how many; what is gone already is none the worse."""
    count = 0
    for each in found:
        if each.rule == RECORDS:
            count += pack(each.path) > 0
        elif each.path.is_dir() and not each.path.is_symlink():
            shutil.rmtree(each.path)
            count += 1
    return count
