"""``tabgraphsyn doctor``: what this machine or cluster offers, what will go wrong, and what is chosen because of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tabgraphsyn.errors import EXIT_STAGE
from tabgraphsyn.orchestration.slurm.diagnosis import Finding, diagnose
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir
from tabgraphsyn.verbs.site_cluster import site_config


def doctor(
    output_dir: OutputDir = OUTPUTS,
    test: Annotated[
        bool, typer.Option("--test", help="Submit a one-minute job that looks at a node and requeues itself.")
    ] = False,
    site: Annotated[
        str | None, typer.Option("--site", help="Prove conf/cluster/<site>.yaml: with --test in jobs like its own.")
    ] = None,
    partition: Annotated[str | None, typer.Option("--partition", "-p", help="Partition of the test job.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Look at python, files, Slurm and its settings; exit code 3 if something will fail."""
    scheduler = Scheduler()
    folder = output_dir.expanduser().resolve()
    cluster = _cluster(site or "slurm", partition) if site or test else {}
    findings = diagnose(folder, scheduler)
    if site is not None:
        findings.append(Finding("ok", "site", f"{site}: every setting is known and in range, and the site allows it"))
    if test and not any(finding.level == "fails" for finding in findings):
        from tabgraphsyn.orchestration.slurm.node_test import test_on_node

        findings += test_on_node(_existing(folder), cluster, scheduler)
    elif test:
        findings.append(Finding("note", "test job", "not submitted", "Mend what fails first."))
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level == "fails" for finding in findings):
        raise typer.Exit(EXIT_STAGE)


def _cluster(site: str, partition: str | None) -> dict[str, Any]:
    """Return a site's settings, with another partition if one is named."""
    cluster: dict[str, Any] = dict(site_config(site)["cluster"])
    return cluster if partition is None else {**cluster, "cpu_partition": partition, "gpu_partition": None}


def _print(finding: Finding) -> None:
    mark = {"ok": "  ok   ", "note": "  note ", "fails": "  FAILS"}[finding.level]
    print(f"{mark} {finding.what}: {finding.found}" + (f"\n          {finding.advice}" if finding.advice else ""))


def _existing(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
