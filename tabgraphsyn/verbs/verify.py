"""``tabgraphsyn verify``: hold every published file against the hash it was published with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from tabgraphsyn.errors import EXIT_STAGE, ConfigError
from tabgraphsyn.orchestration.sharing import is_shared, user_name
from tabgraphsyn.orchestration.store import DONE, State, Store, discard, done_file_problems
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns, own_folders


def verify(
    campaign: Annotated[str | None, typer.Argument(help="Name of a campaign; the whole store by default.")] = None,
    output_dir: OutputDir = OUTPUTS,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take back what is damaged, so that the next launch computes it again.")
    ] = False,
) -> None:
    """Recompute the hashes of all published files; exit code 3 if one is not what was published.

    The hashes are no signatures, they lie beside the files: they show damage, an accident, and a file that was replaced
    without its hash. They prove nothing about people who may write to the store: whoever replaces a file can renew its
    hash. There the owner of the files tells who published a stage, which is printed for a shared store.
    """
    store = Store(own_folders(output_dir) / "stages")
    wanted = store.stage_ids() if campaign is None else chosen_campaigns(output_dir, campaign)[0].stage_ids()
    owners: Counter[int] = Counter()
    checked, damaged = 0, 0
    for stage_id in wanted:
        folder = store.folder(stage_id)
        problems = done_file_problems(folder)
        if problems is None:
            continue
        checked += 1
        if not problems:
            owners[(folder / DONE).stat().st_uid] += 1
            continue
        damaged += 1
        for text in problems:
            print(f"{stage_id.split('/')[0]}/{text}")
        if repair and store.state(stage_id) is not State.RUNNING:
            discard(folder)
            print(f"{stage_id}: taken back; the next launch computes it again")
    if not checked:
        raise ConfigError(f"{store.root}: no published stage there, nothing was checked. --output-dir names a store.")
    print(f"{checked} published stages checked, {damaged} damaged")
    if is_shared(store.root.parent):
        print(f"published by {_counted(owners)}: trust them; whoever may write here can forge a stage with its hashes")
    if damaged and not repair:
        raise typer.Exit(EXIT_STAGE)


def _counted(owners: Counter[int]) -> str:
    named: Iterable[tuple[str, int]] = ((user_name(number), count) for number, count in owners.most_common())
    return ", ".join(f"{name} {count}" for name, count in named) or "nobody"
