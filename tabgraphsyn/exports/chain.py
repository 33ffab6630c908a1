"""From config to signature, from signature to artifacts, from code to both: what holds of a record by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tabgraphsyn.errors import TabGraphSynError, listing
from tabgraphsyn.exports.contents import leaves
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding, gathered
from tabgraphsyn.exports.record import BUNDLE, CrateForm, StageForm, stage_signature
from tabgraphsyn.orchestration.plan import Plan, PlannedPoint, plan
from tabgraphsyn.orchestration.signature import without
from tabgraphsyn.orchestration.snapshot import source_hash
from tabgraphsyn.orchestration.stage_code import STAGE, stage_code
from tabgraphsyn.stages.catalog import STAGES

_TRAINED = ("autoencoder", "diffusion", "gnn", "structure")


def chain_findings(record: CrateForm, config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is found of signatures, inputs, config, trained weights and code."""
    yield from _signatures(record)
    yield from _inputs(record)
    yield from _config(record, config)
    yield from _weights(record)
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
        kind = STAGES.kinds.get(stage.stage)
        if kind is not None and not stage.inputs and kind.inputs:
            problems.append(f"{label}: it lists no inputs, and such a stage reads some")
    return gathered("inputs of stages", problems, "each is one of the stages listed")


def _config(record: CrateForm, config: Mapping[str, Any]) -> list[Finding]:
    """Plan the config anew, with the stage versions of the record, and compare signatures."""
    piece = "config.yaml to signatures"
    versions = {stage.stage: stage.version for stage in record.stages.values()}
    foreign = sorted(set(versions) - set(STAGES.kinds))
    if foreign or set(STAGES.kinds) - set(versions):
        return [Finding(piece, NOT_CHECKED, f"this code has other kinds of stages ({listing(foreign) or 'more'})")]
    try:
        planned = _planned(record, config, versions)
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
    raised = [name for name, version in versions.items() if STAGES.kinds[name].version != version]
    if problems and raised:
        why = f"this code makes other versions of {listing(raised, 5)}, which may read other settings; {problems[0]}"
        return [Finding(piece, NOT_CHECKED, why)]
    return gathered(piece, problems, f"all {len(record.stages)} follow from it")


_NONE = object()


def _planned(record: CrateForm, config: Mapping[str, Any], versions: Mapping[str, int]) -> Plan:
    kinds = {name: replace(kind, version=versions[name]) for name, kind in STAGES.kinds.items()}
    point = PlannedPoint(record.point, config, str(record.content), tuple(record.tables))
    return plan([point], replace(STAGES, kinds=kinds))


def _weights(record: CrateForm) -> list[Finding]:
    """Hold the bundle's weights against what the stages that trained them published."""
    sample = next((stage for stage in record.stages.values() if stage.stage == "sample"), None)
    if sample is None:
        return []
    problems, count = [], 0
    for label, stage in record.stages.items():
        if stage.stage not in _TRAINED:
            continue
        for ending in ("json", "safetensors"):
            trained = stage.outputs.get(f"{stage.stage}.{ending}")
            bundled = sample.outputs.get(_bundled(stage, ending))
            if trained is None or bundled is None:
                continue
            count += 1
            if trained.sha256 != bundled.sha256:
                problems.append(f"{_bundled(stage, ending)} is not what {label} trained")
    return gathered("bundle from trained stages", problems, f"{count} files are those that the stages published")


def _bundled(stage: StageForm, ending: str) -> str:
    """Return where the bundle keeps what a stage trained."""
    name = stage.stage if stage.table is None else f"{stage.stage}/{stage.table}"
    return f"{BUNDLE}/{name}.{ending}"


def _code(record: CrateForm) -> Finding:
    """Say whether this code is what computed the stages."""
    piece = "code version"
    if all(stage.made.code.get("source") == source_hash() for stage in record.stages.values()):
        return Finding(piece, MATCHES, "this code computed every stage")
    other = [
        label
        for label, stage in record.stages.items()
        if (kind := STAGES.kinds.get(stage.stage)) is None
        or stage.version != kind.version
        or stage.made.code.get(STAGE) != stage_code(kind.module, stage.config)
    ]
    if not other:
        return Finding(piece, MATCHES, "what computes each stage is the same code, in another version of the package")
    made_by = {str(stage.made.code.get("commit") or stage.made.code.get("source")) for stage in record.stages.values()}
    why = f"this code differs from what computed {listing(other, 4)}: check out {listing(sorted(made_by), 2)}"
    return Finding(piece, NOT_CHECKED, why)
