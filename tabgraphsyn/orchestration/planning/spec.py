"""``spec.json``: what a worker needs to run a stage, and the proof that the folder's name is its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.data.untrusted import fields_of
from tabgraphsyn.errors import DataError, StageError, listing
from tabgraphsyn.generators.frame import own_kinds
from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.planning.signature import signature, without
from tabgraphsyn.orchestration.stored.packed import read_spec
from tabgraphsyn.orchestration.stored.store import write_spec
from tabgraphsyn.orchestration.stored.trust import PACKAGE, allowed


@dataclass(frozen=True)
class Runtime:
    """How a stage is run. None of it identifies the result.

    Attributes:
        module: imported for its ``run(context)``.
        is_resumable: see ``StageKind``.
        place_keys: see ``StageKind``.
        threads: CPU threads.
        device: ``auto``, ``cpu`` or ``cuda``.
        tracking: plain config of the tracker on top of metrics.jsonl; None for nothing.
        allow_targets: packages besides tabgraphsyn from which a ``_target_`` may come.
        group: ``<campaign>/<point>`` of the launch that starts the stage.
        code: version of the code that made the plan.
        heartbeat_s: see ``ClusterConfig``.
        lease_timeout_s: see ``ClusterConfig``.
        verify_mb: see ``ClusterConfig``.
        tasks_per_node: processes that train the stage together on one node.
        nodes: over how many nodes they are spread; on one machine it is not read.
        rank_timeout_s: see ``ClusterConfig``.
        packs_records: see ``ClusterConfig.pack_records``.
        checks_content: hold the user's data against the hash that the launch found: a job reads them hours later.
    """

    module: str
    is_resumable: bool = False
    place_keys: tuple[str, ...] = ()
    threads: int = 1
    device: str = "cpu"
    tracking: Mapping[str, Any] | None = None
    allow_targets: tuple[str, ...] = ()
    group: str = ""
    code: Mapping[str, Any] = field(default_factory=dict)
    heartbeat_s: float = 5.0
    lease_timeout_s: float = 60.0
    verify_mb: float = 1e6
    tasks_per_node: int = 1
    nodes: int = 1
    rank_timeout_s: float = 600.0
    packs_records: bool = False
    checks_content: bool = False


@dataclass(frozen=True)
class Spec:
    """A stage as its folder describes it."""

    stage: str
    version: int
    table: str | None
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    content: str | None
    runtime: Runtime

    @property
    def label(self) -> str:
        """``kind`` or ``kind/table``."""
        return self.stage if self.table is None else f"{self.stage}/{self.table}"


def stage_spec(stage: Stage, runtime: Runtime) -> dict[str, Any]:
    """Return what ``spec.json`` of a stage holds."""
    return {
        "stage": stage.kind.name,
        "version": stage.kind.version,
        "table": stage.table,
        "config": stage.config,
        "inputs": stage.inputs,
        "content": stage.content,
        "runtime": asdict(runtime),
    }


def save_spec(folder: Path, stage: Stage, runtime: Runtime) -> Path:
    """Write the spec of a stage and return its path."""
    return write_spec(folder, stage_spec(stage, runtime))


def load_spec(path: Path) -> Spec:
    """Return the spec that ``path`` holds.

    Raises:
        StageError: it cannot be read, the folder's name is not its signature, or it names code that nobody allowed.
    """
    try:
        form = read_spec(path.parent)  # of a stage that ended meanwhile it is packed
    except DataError as error:
        raise StageError(f"{path}: not a stage's spec ({error}). Launch again to have it written anew.") from error
    runtime = fields_of(form.runtime)
    places = {key: tuple(runtime[key]) for key in ("place_keys", "allow_targets")}
    spec = Spec(**{**fields_of(form), "runtime": Runtime(**{**runtime, **places})})
    found = signature(
        stage=spec.stage,
        version=spec.version,
        table=spec.table,
        config=without(spec.config, spec.runtime.place_keys),
        inputs=spec.inputs,
        content=spec.content,
    )
    if found != path.parent.name:
        raise StageError(f"{path}: its signature is {found!r}, the folder says {path.parent.name!r}. Launch again.")
    _require_trusted(spec, str(path))
    return spec


def _require_trusted(spec: Spec, where: str) -> None:
    """Hold what a spec says about code against what was allowed, and against this version's stages.

    Raises:
        StageError: the spec names other code than its launch could have.
    """
    module = spec.runtime.module
    packages = [name for name in (module.partition(".")[0], *spec.runtime.allow_targets) if name != PACKAGE]
    foreign = [name for name in packages if name not in allowed()]
    if foreign:
        raise StageError(
            f"{where}: it names code of {listing(foreign)}, which this launch did not allow. Look whose file it is; "
            "if it is yours, launch again with allow_targets."
        )
    if module.partition(".")[0] != PACKAGE:
        return
    known = [
        each for each in own_kinds(spec.stage) if (each.module, each.place_keys) == (module, spec.runtime.place_keys)
    ]
    if not known:
        raise StageError(f"{where}: {module!r} is not what runs {spec.stage!r}. Launch again to have it written anew.")
    if spec.version != known[0].version:
        raise StageError(
            f"{where}: version {spec.version} of {spec.stage!r} is wanted, this code makes version {known[0].version}. "
            "Launch again: another version is another result."
        )
