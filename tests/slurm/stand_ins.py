"""Stand-ins for Slurm's commands on PATH, which write down how they were called; a submission of the ledger."""

from __future__ import annotations

import time
from pathlib import Path

from tabgraphsyn.orchestration.stored.ledger import Submission


def fake(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho {name} "$@" >> {folder}/calls\n{text}\n')
    path.chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def submission(job: str, **changed: object) -> Submission:
    values: dict = {
        "job": job,
        "campaign": "c",
        "name": "tgs:c:gnn:00000000",
        "time": time.time(),
        "user": "u",
        "is_array": True,
        "elements": {0: ("gnn/a",), 3: ("gnn/b",)},
        "script": f"/x/{job}.sh",
        "list_file": "/x/a.list",
    }
    return Submission(**{**values, **changed})
