"""``tabgraphsyn models``: the trained models of a store: list, show, compare, tag, rm."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import ConfigError, command_line, listing, nearest
from tabgraphsyn.orchestration.registry.models import find_model, models_of
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, own_folders

ACTIONS = ("list", "show", "compare", "tag", "rm")


def models(
    action: Annotated[str, typer.Argument(help="list | show NAME | compare NAME NAME ... | tag NAME TAG | rm NAME")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Tags, CAMPAIGN/POINT, or campaigns of one sweep point.")
    ] = None,
    output_dir: OutputDir = OUTPUTS,
    note: Annotated[str, typer.Option(help="tag: why it is worth a name.")] = "",
    move: Annotated[bool, typer.Option("--move", help="tag: take the tag from the model that has it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="rm: do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="list, show, compare: print json.")] = False,
) -> None:
    """Show, compare, name and remove trained models; a launch uses one by name: reuse.gnn=NAME, start_from=NAME."""
    if action not in ACTIONS:
        raise ConfigError(f"models: one of {listing(ACTIONS)} expected, found {action!r}.{nearest(action, ACTIONS)}")
    folder = own_folders(output_dir)
    given = list(names or [])
    _check_count(action, given)
    if action == "list":
        _list(folder, as_json)
    elif action == "tag":
        _tag(folder, given[0], given[1], note, move=move)
    elif action == "rm":
        _rm(folder, given[0], yes=yes)
    else:
        from tabgraphsyn.verbs import models_view

        found = [find_model(folder, name) for name in given]
        show = models_view.show if action == "show" else models_view.compare
        show(found, as_json=as_json)


def _check_count(action: str, names: Sequence[str]) -> None:
    least, most = {"list": (0, 0), "show": (1, 1), "compare": (2, 20), "tag": (2, 2), "rm": (1, 1)}[action]
    if not least <= len(names) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ConfigError(f"models {action}: {wanted} names expected, found {len(names)}: {listing(names)}.")


def _list(folder: Path, as_json: bool) -> None:
    found = list(models_of(folder))
    if as_json:
        print(json.dumps([model.to_dict() for model in found]))
        return
    if not found:
        print(f"{folder}: no trained model; python -m tabgraphsyn.launch trains one, --output-dir looks elsewhere")

        return
    from rich.table import Table
    from rich.text import Text

    from tabgraphsyn.verbs.console import output

    table = Table("model", "tags", "data", "gate", "shapes", "c2st agg", "hours", "MB", "made", box=None)
    for model in found:
        shapes, agg = (model.scores.get(name) for name in ("column_shapes", "c2st_agg"))
        cells = (
            *(model.name + ("" if model.is_whole else " (not whole)"), " ".join(model.tags), model.data, model.gate),
            *("-" if value is None else f"{value:.3f}" for value in (shapes, agg)),
            *(f"{model.hours:.2f}", f"{model.megabytes:.1f}", time.strftime("%Y-%m-%d", time.localtime(model.made))),
        )
        table.add_row(*(Text(cell) for cell in cells))
    output().print(table)


def _tag(folder: Path, name: str, tag: str, note: str, *, move: bool) -> None:
    from tabgraphsyn.orchestration.registry.tags import give_tag

    model = find_model(folder, name)
    give_tag(folder, tag, model.campaign.name, model.point, note, move=move)
    print(f"{tag}: {model.name}")


def _rm(folder: Path, name: str, *, yes: bool) -> None:
    """Take a tag away, or remove a sweep point with the stages that nobody else needs."""
    from tabgraphsyn.orchestration.registry.tags import read_tags, take_tags

    tags = read_tags(folder)
    if name in tags:
        take_tags(folder, [name])
        gone = f"{tags[name].campaign}/{tags[name].point}"
        print(f"{name}: is no name any more; the model stands as {gone}")
        print(command_line("tabgraphsyn", "models", "rm", gone, "--output-dir", folder), "removes it")
        return
    from tabgraphsyn.verbs.models_rm import remove_model

    remove_model(find_model(folder, name), yes=yes)
