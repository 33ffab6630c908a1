"""What records below an output folder may say: campaigns, stage lists, specs, ledgers. Others may have written them.

``PointRecord``, ``Wanted``, ``Spec`` and ``Submission`` have their forms here: a field that is written is one line.
Names are such that what is joined to a folder stays in it; ``below`` holds it against links.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tabgraphsyn.data.untrusted import Count, Form, Name, inside

MOST_RECORD_BYTES = 256 << 20
_PART = r"[^/\\\x00-\x1f\x7f]"

FolderName = Annotated[str, Meta(pattern=rf"^(?!\.){_PART}{{1,255}}\Z")]
"""Of a campaign or a sweep point: one part of a path, not hidden."""
STAGE_ID = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}/[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z"
StageId = Annotated[str, Meta(pattern=STAGE_ID)]
"""``kind/signature``."""
PublishedName = Annotated[str, Meta(pattern=rf"^(?!\.)(?!config\.yaml\Z){_PART}{{1,255}}\Z")]
"""A file or folder of the artifacts that a point shows; its config is not for a stage to write."""
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Text = Annotated[str, Meta(max_length=1_000_000)]


class PointForm(Form):
    """``PointRecord``."""

    overrides: list[Text]
    stages: dict[Name, StageId]
    publishes: dict[Name, list[PublishedName]] = field(default_factory=dict)
    inputs: dict[Name, list[Name]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = {*self.publishes, *self.inputs, *(name for names in self.inputs.values() for name in names)}
        if not labels <= set(self.stages):
            raise ValueError("labels of the point's stages")


class CampaignForm(Form):
    """``campaign.json``."""

    points: dict[FolderName, PointForm]
    lease_timeout_s: Seconds
    name: Text = ""
    launched: float = 0.0
    command: list[Text] = field(default_factory=list)
    code: dict[str, Any] = field(default_factory=dict)


class WantedForm(Form):
    """One line of ``wanted.jsonl``."""

    stage: StageId
    point: FolderName
    names: list[PublishedName]


class OutputForm(Struct):
    """One published file in ``done.json``."""

    bytes: Count
    sha256: Annotated[str, Meta(max_length=200)]


class DoneForm(Struct):
    """What commands read of ``done.json``; a later version may say more of how a stage ran."""

    outputs: dict[Annotated[str, Meta(min_length=1, max_length=4096)], OutputForm]
    table: str | None = None
    elapsed_s: float = 0.0
    peak_memory_mb: float = 0.0
    ranks: Annotated[int, Meta(ge=0, le=100_000)] = 1
    device: str = "cpu"
    code: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(part in ("", ".", "..") for path in self.outputs for part in path.split("/")):
            raise ValueError("outputs below artifacts/")


class RuntimeForm(Form):
    """``Runtime``."""

    module: Annotated[str, Meta(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")]
    is_resumable: bool = False
    place_keys: list[Name] = field(default_factory=list)
    threads: Annotated[int, Meta(ge=0, le=4096)] = 1
    device: Annotated[str, Meta(max_length=100)] = "cpu"
    tracking: dict[str, Any] | None = None
    allow_targets: list[Name] = field(default_factory=list)
    group: Text = ""
    code: dict[str, Any] = field(default_factory=dict)
    heartbeat_s: Seconds = 5.0
    lease_timeout_s: Seconds = 60.0
    verify_mb: Annotated[float, Meta(ge=0)] = 1e6
    tasks_per_node: Annotated[int, Meta(ge=1, le=4096)] = 1
    nodes: Annotated[int, Meta(ge=1, le=100_000)] = 1
    rank_timeout_s: Seconds = 600.0
    packs_records: bool = False
    checks_content: bool = False


class SpecForm(Form):
    """``spec.json``."""

    stage: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z")]
    version: Count
    table: Name | None
    config: dict[str, Any]
    inputs: dict[Name, StageId]
    content: Text | None
    runtime: RuntimeForm


class SubmissionForm(Form):
    """One line of the ledger."""

    job: Annotated[str, Meta(pattern=r"^\d{0,40}\Z")]
    campaign: Text
    name: Text
    time: float
    user: Text
    is_array: bool
    elements: dict[Annotated[int, Meta(ge=0, le=10**9)], list[StageId]]
    script: Text
    list_file: Text
    request: dict[str, Any] = field(default_factory=dict)
    dependency: Text | None = None
    cluster: Text | None = None
    is_lane: bool = False
    state: Text = "planned"
    asked: float = 0.0
    running: Annotated[int, Meta(ge=0)] = 0


def below(folder: Path, *parts: str) -> Path:
    """Return ``folder/parts``, reached without a link; see ``data.untrusted.inside``."""
    return inside(folder, *parts)
