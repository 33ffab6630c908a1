"""``crate.json``: what a crate says about its own result, the form of it, and where each published file lies.

A crate may come from a stranger: it is read by the form here and by nothing else, plain files and links not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import Count, Form, Name, Scalar, builtins, inside, read_form
from tabgraphsyn.errors import DataError
from tabgraphsyn.orchestration.code.stage_code import stage_code
from tabgraphsyn.orchestration.planning.signature import signature
from tabgraphsyn.orchestration.stored.records import FolderName, OutputForm, StageId, Text

FORMAT_VERSION = 1
CRATE = "crate.json"
CONFIG = "config.yaml"
ROCRATE = "ro-crate-metadata.json"
OUTCOMES = "outcomes"
METRICS = "metrics.json"
GATE = "gate.json"
REPORT = "report.html"
BUNDLE = "bundle"
TABLES = "synthetic"
CLAIMS = "claims.csv"
SHOWN_KINDS = ("sample", "evaluate", "report")
"""Stages whose artifacts leave, under their own names; none of them holds real rows that nobody published."""
UNLISTED = (CRATE, ROCRATE)
"""Files that ``files`` does not list, besides ``outcomes/``: the list itself, and what each new outcome adds to."""

_MOST_BYTES = 64 << 20
_Said = dict[Annotated[str, Meta(max_length=200)], Scalar]


class MadeForm(Form):
    """How a stage ran: from ``done.json``, without host, user and place."""

    started: float = 0.0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0
    device: Annotated[str, Meta(max_length=200)] = "cpu"
    threads: Count = 1
    ranks: Count = 1
    code: _Said = field(default_factory=dict)
    libraries: _Said = field(default_factory=dict)
    machine: _Said = field(default_factory=dict)


class StageForm(Form):
    """One stage of the point: what identifies it, how it ran, and the hashes of what it published."""

    id: StageId
    stage: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z")]
    version: Count
    table: Name | None
    config: dict[str, Any]
    inputs: dict[Name, StageId]
    content: Text | None
    outputs: dict[Name, OutputForm]
    made: MadeForm = field(default_factory=MadeForm)

    def __post_init__(self) -> None:
        if any(part in ("", ".", "..") for path in self.outputs for part in path.split("/")):
            raise ValueError("outputs below the artifacts")


class CrateForm(Form):
    """``crate.json``."""

    format_version: Literal[1]
    campaign: FolderName
    point: FolderName
    overrides: Annotated[list[Text], Meta(max_length=10_000)]
    dataset: Annotated[str, Meta(max_length=1_000)]
    tables: Annotated[list[Name], Meta(max_length=10_000)]
    stages: Annotated[dict[Name, StageForm], Meta(min_length=1, max_length=100_000)]
    license: Text | None
    written_by: Annotated[str, Meta(max_length=100)]
    files: dict[Name, OutputForm]

    def __post_init__(self) -> None:
        if any(part in ("", ".", "..") for path in self.files for part in path.split("/")):
            raise ValueError("files below the crate")

    @property
    def content(self) -> str | None:
        """Hash of the real data that the stages were computed from."""
        return next((stage.content for stage in self.stages.values() if stage.content is not None), None)


def stage_signature(stage: StageForm) -> str:
    """Return the signature that follows from what a stage says of itself."""
    return signature(
        stage=stage.stage,
        version=stage.version,
        table=stage.table,
        config=stage.config,
        inputs=stage.inputs,
        content=stage.content,
    )


def read_crate(folder: Path) -> CrateForm:
    """Return the record of a crate.

    Raises:
        DataError: no crate, or a record that no export writes.
    """
    path = folder / CRATE
    if not os.path.lexists(path):
        raise DataError(
            f"{folder}: a crate has a {CRATE}, found none. `tabgraphsyn export POINT --out FOLDER` makes one."
        )
    return read_form(path, CrateForm, _MOST_BYTES)


def write_crate(folder: Path, record: CrateForm) -> None:
    """Write the record of a crate; stages keep their order, in which they can run."""
    write_json(folder / CRATE, builtins(record))


def shown_files(record: CrateForm) -> Iterator[tuple[str, str, OutputForm]]:
    """Yield label, path in the crate and hash of every file that a stage published and that leaves."""
    for label, stage in record.stages.items():
        if stage.stage in SHOWN_KINDS:
            yield from ((label, path, output) for path, output in stage.outputs.items())


def documents_code() -> str:
    """Return the hash of the code that writes a crate's documents: other code may word them in another way."""
    return stage_code("tabgraphsyn.exports.documents", {})


def place(folder: Path, path: str) -> Path:
    """Return a file of a crate by its relative path, links not followed."""
    return inside(folder, path)
