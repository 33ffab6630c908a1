"""From config to signature, from signature to artifacts, from code to both: what holds of a record by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tabgraphsyn.config.catalog import STAGES, generator_class
from tabgraphsyn.errors import TabGraphSynError, listing
from tabgraphsyn.exports.contents import leaves
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding, gathered
from tabgraphsyn.exports.record import BUNDLE, CrateForm, StageForm, stage_signature
from tabgraphsyn.generators.base import FIRST_GENERATOR
from tabgraphsyn.generators.frame import own_kinds
from tabgraphsyn.generators.kinds import Catalog
from tabgraphsyn.orchestration.code.snapshot import source_hash
from tabgraphsyn.orchestration.code.stage_code import STAGE, stage_code
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan
from tabgraphsyn.orchestration.planning.signature import without


def chain_findings(record: CrateForm, config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is found of signatures, inputs, config, trained weights and code."""
    yield from _signatures(record)
    yield from _inputs(record)
    yield from _config(record, config)
    yield from _weights(record, config)
    yield _code(record)


def _signatures(record: CrateForm) -> list[Finding]:
    wrong = [
        f"{label}: what it says of itself has the signature {stage_signature(stage)}, it is called {stage.id}"
        for label, stage in record.stages.items()
        if f"{stage.stage}/{stage_signature(stage)}" != stage.id
    ]
    return gathered("signatures of stages", wrong, f"{len(record.stages)} follow from settings, inputs and version")


def _inputs(record: CrateForm) -> list[Finding]:
    known = {stage.id: stage for stage in record.stages.values()}
    problems = []
    for label, stage in record.stages.items():
        name = stage.stage if stage.table is None else f"{stage.stage}/{stage.table}"
        if label != name:
            problems.append(f"{label}: it is the stage {name}")
        missing = [role for role, each in stage.inputs.items() if each not in known]
        if missing:
            problems.append(f"{label}: it read {listing(missing, 3)}, which is none of the stages listed")
        if not stage.inputs and any(kind.inputs for kind in own_kinds(stage.stage)):
            problems.append(f"{label}: it lists no inputs, and such a stage reads some")
    return gathered("inputs of stages", problems, "each is one of the stages listed")


def _config(record: CrateForm, config: Mapping[str, Any]) -> list[Finding]:
    """Plan the config anew, with the stage versions of the record, and compare signatures."""
    piece = "config.yaml to signatures"
    versions = {stage.stage: stage.version for stage in record.stages.values()}
    try:
        kinds = STAGES.of({"generator": FIRST_GENERATOR, **config}).kinds
    except TabGraphSynError as error:
        return [Finding(piece, NOT_CHECKED, f"its generator is none of this code's: {str(error)[:300]}")]
    foreign = sorted(set(versions) - set(kinds))
    if foreign or set(kinds) - set(versions):
        return [Finding(piece, NOT_CHECKED, f"this code has other kinds of stages ({listing(foreign) or 'more'})")]
    try:
        catalog = Catalog(STAGES.source, {name: replace(kind, version=versions[name]) for name, kind in kinds.items()})
        point = PlannedPoint(record.point, config, str(record.content), tuple(record.tables))
        planned = plan([point], catalog)
    except (TabGraphSynError, KeyError, TypeError, AttributeError) as error:
        return [Finding(piece, DIFFERS, f"it cannot be planned: {str(error)[:300]}")]
    stages = {stage.label: stage for stage in planned.stages.values()}
    problems = []
    for label, stage in record.stages.items():
        mine = stages.get(label)
        if mine is None:
            problems.append(f"{label}: by the config there is no such stage")
            continue
        found = dict(leaves(without(mine.config, mine.kind.place_keys)))
        said = dict(leaves(stage.config))
        keys = sorted(key for key in found.keys() | said.keys() if found.get(key, _NONE) != said.get(key, _NONE))
        if keys:
            problems.append(f"{label}: computed with other values of {listing(keys, 5)}")
    different = [label for label, stage in record.stages.items() if label in stages and stages[label].id != stage.id]
    if not problems and different:
        problems.append(f"other signatures follow for {listing(different, 5)}")
    raised = [name for name, version in versions.items() if kinds[name].version != version]
    if problems and raised:
        why = f"this code makes other versions of {listing(raised, 5)}, which may read other settings; {problems[0]}"
        return [Finding(piece, NOT_CHECKED, why)]
    return gathered(piece, problems, f"all {len(record.stages)} follow from it")


_NONE = object()


def _weights(record: CrateForm, config: Mapping[str, Any]) -> list[Finding]:
    """Hold the bundle's weights against what the stages that trained them published."""
    sample = next((stage for stage in record.stages.values() if stage.stage == "sample"), None)
    if sample is None:
        return []
    problems, count = [], 0
    for label, stage in record.stages.items():
        for artifact, name in _bundled(stage, config):
            trained, bundled = stage.outputs.get(artifact), sample.outputs.get(name)
            if trained is None or bundled is None:
                continue
            count += 1
            if trained.sha256 != bundled.sha256:
                problems.append(f"{name} is not what {label} trained")
    return gathered("bundle from trained stages", problems, f"{count} files are those that the stages published")


def _bundled(stage: StageForm, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a stage publishes for the bundle, and where the bundle keeps it."""
    if stage.stage == "structure":
        yield from ((f"structure.{ending}", f"{BUNDLE}/structure.{ending}") for ending in ("json", "safetensors"))
    try:
        contents = generator_class({"generator": FIRST_GENERATOR, **config}).contents
    except TabGraphSynError:  # of another package: said where its config is planned
        return
    for content in contents:
        if content.kind == stage.stage:
            name = content.name if stage.table is None else content.name.format(table=stage.table)
            yield content.artifact, f"{BUNDLE}/{name}"


def _code(record: CrateForm) -> Finding:
    """Say whether this code is what computed the stages."""
    piece = "code version"
    if all(stage.made.code.get("source") == source_hash() for stage in record.stages.values()):
        return Finding(piece, MATCHES, "this code computed every stage")
    other = [
        label
        for label, stage in record.stages.items()
        if not any(
            (stage.version, stage.made.code.get(STAGE)) == (kind.version, stage_code(kind.module, stage.config))
            for kind in own_kinds(stage.stage)
        )
    ]
    if not other:
        return Finding(piece, MATCHES, "what computes each stage is the same code, in another version of the package")
    made_by = {str(stage.made.code.get("commit") or stage.made.code.get("source")) for stage in record.stages.values()}
    why = f"this code differs from what computed {listing(other, 4)}: check out {listing(sorted(made_by), 2)}"
    return Finding(piece, NOT_CHECKED, why)
