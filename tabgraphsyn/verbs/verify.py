"""``tabgraphsyn verify``: hold every published file against the hash it was published with."""

from __future__ import annotations

from typing import Annotated

import typer

from tabgraphsyn.errors import EXIT_STAGE
from tabgraphsyn.orchestration.store import State, Store, discard, done_file_problems
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns


def verify(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; the whole store by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take back what is damaged, so that the next launch computes it again.")
    ] = False,
) -> None:
    """Recompute the hashes of all published files; exit code 3 if one is not what was published."""
    store = Store(output_dir.expanduser().resolve() / "stages")
    wanted = store.stage_ids() if campaign is None else chosen_campaigns(output_dir, campaign)[0].stage_ids()
    checked, damaged = 0, 0
    for stage_id in wanted:
        folder = store.folder(stage_id)
        problems = done_file_problems(folder)
        if problems is None:
            continue
        checked += 1
        if not problems:
            continue
        damaged += 1
        for text in problems:
            print(f"{stage_id.split('/')[0]}/{text}")
        if repair and store.state(stage_id) is not State.RUNNING:
            discard(folder)
            print(f"{stage_id}: taken back; the next launch computes it again")
    print(f"{checked} published stages checked, {damaged} damaged")
    if damaged and not repair:
        raise typer.Exit(EXIT_STAGE)
