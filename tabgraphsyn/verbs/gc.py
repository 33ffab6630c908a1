"""``tabgraphsyn gc``: list, then delete, what no campaign refers to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.orchestration.store import State, Store
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns


def gc(
    output_dir: OutputDir = OUTPUTS,
    yes: Annotated[bool, typer.Option("--yes", help="Delete what is listed.")] = False,
) -> None:
    """List stage folders that no campaign refers to and left-overs of dead attempts; ``--yes`` deletes them."""
    store = Store(output_dir.expanduser().resolve() / "stages")
    kept = {stage_id for campaign in chosen_campaigns(output_dir, None) for stage_id in campaign.stage_ids()}
    total = 0
    count = 0
    for path in _garbage(store, kept):
        size = sum(entry.lstat().st_size for entry in path.rglob("*") if entry.is_file())
        total += size
        count += 1
        print(f"{size / 1e6:10.1f} MB  {path.relative_to(store.root)}")
        if yes:
            shutil.rmtree(path)
    doing = "deleted" if yes else "would be deleted; --yes deletes them"
    print(f"{count} folders, {total / 1e6:.1f} MB {doing}")


def _garbage(store: Store, kept: set[str]) -> Iterator[Path]:
    for stage_id in list(store.stage_ids()):
        if store.state(stage_id) is State.RUNNING:
            continue
        folder = store.folder(stage_id)
        if stage_id not in kept:
            yield folder
        else:
            yield from sorted([*folder.glob(".artifacts-*"), *folder.glob(".damaged-*")])
