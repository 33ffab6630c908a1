"""How a launch uses trained models: stages as they are (``reuse``), or as where a training begins (``start_from``).

Both are settled while launching: a name becomes the signatures that it stands for then, and those enter the signatures
of whatever reads them. A tag that moves later changes nothing that was launched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import ConfigError, listing, raise_collected
from tabgraphsyn.generators.kinds import Catalog, StageKind
from tabgraphsyn.orchestration.planning.plan import Given
from tabgraphsyn.orchestration.registry.models import Model, find_model
from tabgraphsyn.orchestration.stored.packed import read_spec


@dataclass(frozen=True)
class Used:
    """What a sweep point takes from trained models.

    Attributes:
        reused: label -> the done stage that stands in its place.
        starts: label -> the done stage that its training begins with.
    """

    reused: Mapping[str, Given] = field(default_factory=dict)
    starts: Mapping[str, Given] = field(default_factory=dict)


def used_models(config: Mapping[str, Any], catalog: Catalog, output_dir: Path) -> Used:
    """Return what a point's config takes from trained models of its store.

    Raises:
        ConfigError: no such model, or one that lacks what is asked of it; all of them at once.
    """
    kinds = catalog.of(config).kinds
    strange = [kind for kind, name in (config.get("reuse") or {}).items() if name and kind not in kinds]
    known = [kind.name for kind in kinds.values() if kind.trains or kind.name == "structure"]
    problems = [f"reuse.{kind}: this generator has no such stage. It has {listing(known)}." for kind in strange]
    reused = _given({f"reuse.{kind}": (kind, name) for kind, name in (config.get("reuse") or {}).items()}, output_dir)
    starts = _given(
        {f"training.{kind}.start_from": (kind, name) for kind, name in start_names(config).items()}, output_dir
    )
    found: list[dict[str, Given]] = []
    for wanted in (reused, starts):
        given: dict[str, Given] = {}
        for where, (kind, model) in wanted.items():
            stages = _stages_of(model, kind, where, kinds, problems)
            given.update(stages)
        found.append(given)
    raise_collected(ConfigError, problems)
    return Used(*found)


def start_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the kinds of stages that begin with weights of a model, and its name."""
    sections = config.get("training") or {}
    names = {kind: part.get("start_from") for kind, part in sections.items() if isinstance(part, Mapping)}
    return {kind: str(name) for kind, name in names.items() if name}


def _given(wanted: Mapping[str, tuple[str, Any]], output_dir: Path) -> dict[str, tuple[str, Model]]:
    return {where: (kind, find_model(output_dir, str(name), where)) for where, (kind, name) in wanted.items() if name}


def _stages_of(
    model: Model, kind: str, where: str, kinds: Mapping[str, StageKind], problems: list[str]
) -> dict[str, Given]:
    """Return the done stages of a kind of a model, by label."""
    labels = [label for label, stage_id in model.record.stages.items() if stage_id.split("/")[0] == kind]
    labels = [label for label in labels if label.split("/")[0] == kind]
    if not labels:
        problems.append(f"{where}={model.name}: it has no {kind!r}. It has {listing(model.record.stages)}.")
    undone = [label for label in labels if label not in model.done]
    if undone:
        problems.append(
            f"{where}={model.name}: {listing(undone)} is not done. Launch {model.campaign.name} again first."
        )
    found = {}
    for label in labels:
        if label in model.done:
            stage_id = model.record.stages[label]
            spec = read_spec(model.campaign.store.folder(stage_id))
            version = kinds[kind].version if kind in kinds else None
            if spec.version != version:
                problems.append(
                    f"{where}={model.name}: {label} is of version {spec.version}, this code makes version {version}. "
                    "Launch it again with this code."
                )
            found[label] = Given(
                stage_id=stage_id,
                table=spec.table,
                config=spec.config,
                inputs=spec.inputs,
                where=f"{where}={model.name}",
            )
    return found
