"""``tabgraphsyn sync``: offline W&B runs to the server, in order within a run, runs side by side, each file once."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

from tabgraphsyn.errors import EXIT_STAGE
from tabgraphsyn.orchestration.reading.wandb_sync import Uploader, find_runs, finish_runs
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir


def sync(
    output_dir: OutputDir = OUTPUTS,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Runs side by side.")] = 4,
    tries: Annotated[int, typer.Option("--tries", help="Tries of one file, with growing pauses.")] = 6,
    command: Annotated[str, typer.Option("--command", help="What uploads one directory.")] = "wandb sync",
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Upload what is not uploaded yet; run it on a login node, as often as you like."""
    folder = output_dir.expanduser().resolve()
    finish_runs(Store(folder / "stages"))
    uploader = Uploader(folder, shlex.split(command), tries=tries)
    report = uploader.upload(find_runs(folder / "stages"), jobs)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{report['uploaded']} uploaded, {report['known']} uploaded before, {len(report['failed'])} failed")
        for line in report["failed"]:
            print(f"  {line}")
    if report["failed"]:
        raise typer.Exit(EXIT_STAGE)
