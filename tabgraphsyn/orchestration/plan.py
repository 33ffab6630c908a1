"""The DAG of a whole sweep: points in, stages out, each stage once. Pure: no files, no clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabgraphsyn.config.unread import unread_sections
from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.orchestration.signature import selected, signature, without
from tabgraphsyn.stages.catalog import Catalog, StageInput, StageKind


@dataclass(frozen=True)
class PlannedPoint:
    """What the plan needs to know of a sweep point.

    Attributes:
        name: unique in the campaign.
        config: plain resolved values.
        content: hash of the user's data.
        tables: names of the tables in the data.
    """

    name: str
    config: Mapping[str, Any]
    content: str
    tables: tuple[str, ...]


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
    """

    kind: StageKind
    table: str | None
    signature: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    content: str | None = None

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
            own[stage.label] = stage.id
            stages.setdefault(stage.id, stage)
        labels[point.name] = own
    return Plan(stages=stages, points=labels)


def _stages_of(point: PlannedPoint, catalog: Catalog, own: Mapping[str, str]) -> Iterator[Stage]:
    """Yield the stages of a point, inputs first; ``own`` must hold the ids of those already yielded."""
    for kind in catalog.kinds.values():
        tables: tuple[str | None, ...] = point.tables if kind.per_table else (None,)
        for table in tables:
            roles = [role for needed in kind.inputs for role in _roles(needed, table, point.tables)]
            content = point.content if kind.name == catalog.source else None
            yield _stage(kind, table, point.config, {role: own[role] for role in roles}, content)


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
