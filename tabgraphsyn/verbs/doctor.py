"""``tabgraphsyn doctor``: what this machine or cluster offers, what will go wrong, and what is chosen because of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.errors import EXIT_STAGE
from tabgraphsyn.orchestration.slurm.diagnosis import Finding, diagnose, test_on_node
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir


def doctor(
    output_dir: OutputDir = OUTPUTS,
    test: Annotated[
        bool, typer.Option("--test", help="Submit a one-minute job that looks at a node and requeues itself.")
    ] = False,
    partition: Annotated[str | None, typer.Option("--partition", "-p", help="Partition of the test job.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Look at python, files, Slurm and its settings; exit code 3 if something will fail."""
    scheduler = Scheduler()
    folder = output_dir.expanduser().resolve()
    findings = diagnose(folder, scheduler)
    if test:
        findings += test_on_node(_existing(folder), partition, scheduler)
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level == "fails" for finding in findings):
        raise typer.Exit(EXIT_STAGE)


def _print(finding: Finding) -> None:
    mark = {"ok": "  ok   ", "note": "  note ", "fails": "  FAILS"}[finding.level]
    print(f"{mark} {finding.what}: {finding.found}" + (f"\n          {finding.advice}" if finding.advice else ""))


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
