"""The DAG of a whole sweep: points in, stages out, each stage once. Pure: no files, no clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tabgraphsyn.config.unread import unread_sections
from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.generators.kinds import Catalog, StageInput, StageKind
from tabgraphsyn.orchestration.planning.signature import selected, signature, without

START = "start_from"
"""A training's setting that names a model, and the head of the role by which its stage reads that model's weights."""


@dataclass(frozen=True)
class Given:
    """A done stage of a trained model that a sweep point uses.

    Attributes:
        stage_id: ``kind/signature``.
        table: of a per-table stage.
        config: as its spec says.
        inputs: as its spec says.
        where: the setting that asked for it.
    """

    stage_id: str
    table: str | None
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    where: str


@dataclass(frozen=True)
class PlannedPoint:
    """What the plan needs to know of a sweep point.

    Attributes:
        name: unique in the campaign.
        config: plain resolved values.
        content: hash of the user's data.
        tables: names of the tables in the data.
        reused: label -> the done stage that stands in its place.
        starts: label -> the done stage whose weights its training begins with.
    """

    name: str
    config: Mapping[str, Any]
    content: str
    tables: tuple[str, ...]
    reused: Mapping[str, Given] = field(default_factory=dict)
    starts: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One node of the DAG.

    Attributes:
        kind: what it does.
        table: of a per-table stage.
        signature: names its folder.
        config: plain values of the keys it reads.
        inputs: role -> id of the stage that is read.
        content: hash of the user's data, for the source kind.
        is_start: done, and read for the weights that a training begins with.
    """

    kind: StageKind
    table: str | None
    signature: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    content: str | None = None
    is_start: bool = False

    @property
    def id(self) -> str:
        """Folder of the stage under the root of the store: ``kind/signature``."""
        return f"{self.kind.name}/{self.signature}"

    @property
    def label(self) -> str:
        """Name of the stage within its point: ``kind`` or ``kind/table``."""
        return self.kind.name if self.table is None else f"{self.kind.name}/{self.table}"


@dataclass(frozen=True)
class Plan:
    """The merged DAG.

    Attributes:
        stages: id -> stage, inputs first.
        points: point -> label -> id.
    """

    stages: Mapping[str, Stage]
    points: Mapping[str, Mapping[str, str]]

    def needed_for(self, labels: Collection[str], is_done: Callable[[str], bool]) -> Plan:
        """Return the part of the plan that some stages of each point need: inputs of what is done are not needed.

        Raises:
            ConfigError: a label that no point has.
        """
        known = {label for own in self.points.values() for label in own}
        for label in labels:
            if label not in known:
                raise ConfigError(f"--until: no stage {label!r}.{nearest(label, known)} There are {listing(known)}.")
        waiting = [own[label] for own in self.points.values() for label in labels if label in own]
        wanted: dict[str, Stage] = {}
        while waiting:
            stage = self.stages[waiting.pop()]
            if stage.id not in wanted:
                wanted[stage.id] = replace(stage, inputs={}) if is_done(stage.id) else stage
                waiting += wanted[stage.id].inputs.values()
        points = {
            point: {label: each for label, each in own.items() if each in wanted} for point, own in self.points.items()
        }
        return Plan({each: wanted[each] for each in self.stages if each in wanted}, points)

    def shares(self) -> dict[str, int]:
        """Return how many points read each stage."""
        counts = dict.fromkeys(self.stages, 0)
        for labels in self.points.values():
            for stage_id in labels.values():
                counts[stage_id] += 1
        return counts


def source_stage(config: Mapping[str, Any], content: str, catalog: Catalog) -> Stage:
    """Return the stage that reads the user's data."""
    return _stage(catalog.kinds[catalog.source], None, config, {}, content)


def plan(points: Sequence[PlannedPoint], catalog: Catalog) -> Plan:
    """Return the DAG of ``points``; a stage that several points share is one node.

    Raises:
        ConfigError: a stage reads a key that the config does not have.
    """
    stages: dict[str, Stage] = {}
    labels: dict[str, dict[str, str]] = {}
    for point in points:
        own: dict[str, str] = {}
        for stage in _stages_of(point, catalog, own):
            own[_label(stage)] = stage.id
            if stage.id not in stages or stages[stage.id].is_start:
                stages[stage.id] = stage
        labels[point.name] = own
    return Plan(stages=stages, points=labels)


def _stages_of(point: PlannedPoint, catalog: Catalog, own: Mapping[str, str]) -> Iterator[Stage]:
    """Yield the stages of a point, inputs first; ``own`` must hold the ids of those already yielded."""
    for kind in catalog.of(point.config).kinds.values():
        tables: tuple[str | None, ...] = point.tables if kind.per_table else (None,)
        for table in tables:
            roles = [role for needed in kind.inputs for role in _roles(needed, table, point.tables)]
            content = point.content if kind.name == catalog.source else None
            label = kind.name if table is None else f"{kind.name}/{table}"
            inputs = {role: own[role] for role in roles}
            if label in point.starts:
                yield _standing(kind, point.starts[label])
                inputs[f"{START}/{label}"] = point.starts[label].stage_id
            made = _stage(kind, table, point.config, inputs, content)
            yield _reused(made, point.reused[label]) if label in point.reused else made


def _standing(kind: StageKind, given: Given) -> Stage:
    """Return a done stage that is read for its weights; it is never run, so its own inputs are none of the plan's."""
    return Stage(kind, given.table, given.stage_id.partition("/")[2], given.config, {}, is_start=True)


def _reused(made: Stage, given: Given) -> Stage:
    """Return the done stage in place of the planned one: trained otherwise, but on the very same inputs.

    Raises:
        ConfigError: it was trained on other inputs; its results would mean something else here.
    """
    if dict(given.inputs) != dict(made.inputs):
        other = [role for role in {**made.inputs, **given.inputs} if made.inputs.get(role) != given.inputs.get(role)]
        raise ConfigError(
            f"{given.where}: its {made.label} was trained on other results of {listing(sorted(other))}: other data, "
            f"other codecs or another training before it. Reuse those too, or begin with its weights: "
            f"training.{made.kind.name}.{START}=..."
        )
    return replace(made, signature=given.stage_id.partition("/")[2], config=given.config)


def _label(stage: Stage) -> str:
    """Return the name of a stage within its point; one that is only begun with has another than what begins with it."""
    return f"{START}/{stage.label}" if stage.is_start else stage.label


def _roles(needed: StageInput, table: str | None, tables: tuple[str, ...]) -> list[str]:
    if needed.tables == "one":
        return [needed.kind]
    if needed.tables == "own":
        return [f"{needed.kind}/{table}"]
    return [f"{needed.kind}/{name}" for name in tables]


def _stage(
    kind: StageKind,
    table: str | None,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    content: str | None,
) -> Stage:
    unread = unread_sections(config)
    chosen = selected(config, [key for key in kind.config_keys if key not in unread])
    # A name means another model tomorrow: what identifies the result is the input that it stood for.
    chosen = without(chosen, [f"{key}.{START}" for key in kind.config_keys if key.startswith("training.")])
    return Stage(
        kind=kind,
        table=table,
        signature=signature(
            stage=kind.name,
            version=kind.version,
            table=table,
            config=without(chosen, kind.place_keys),
            inputs=inputs,
            content=content,
        ),
        config=chosen,
        inputs=inputs,
        content=content,
    )
