"""Where the numbers come from: stages, their time, seeds, versions and configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabgraphsyn.evaluation.report.sources import ReportSources, StageRecord
from tabgraphsyn.evaluation.report.wording import NONE, count, duration, moment


@dataclass(frozen=True)
class StageLine:
    """One stage of the sweep point."""

    role: str
    signature: str
    device: str
    memory: str
    time: str


@dataclass(frozen=True)
class Provenance:
    """What one needs to make the same report again."""

    stages: tuple[StageLine, ...]
    total: str
    gpu_time: str
    versions: tuple[tuple[str, str], ...]
    seeds: tuple[tuple[str, str], ...]
    commit: str
    sampled: str
    configs: tuple[tuple[str, str], ...]


def provenance(sources: ReportSources) -> Provenance:
    """Collect it from the manifests of the stages; what a manifest lacks is left out, not guessed."""
    timed = [(record, _number(record.done, "elapsed_s")) for record in sources.stages]
    known = [seconds for _, seconds in timed if seconds is not None]
    on_gpu = [seconds for record, seconds in timed if seconds is not None and record.done.get("device") == "cuda"]
    return Provenance(
        stages=tuple(_line(record, seconds) for record, seconds in timed),
        total=duration(sum(known)) if known else "",
        gpu_time=duration(sum(on_gpu)) if on_gpu else "",
        versions=_versions(sources),
        seeds=_seeds(sources),
        commit=_commit(sources),
        sampled=_sampled(sources),
        configs=tuple((r.role, _pretty(r.spec["config"])) for r in sources.stages if r.spec.get("config")),
    )


def _line(record: StageRecord, seconds: float | None) -> StageLine:
    memory = _number(record.done, "peak_memory_mb")
    threads = _number(record.done, "threads")
    device = str(record.done.get("device", NONE))
    return StageLine(
        role=record.role,
        signature=str(record.done.get("signature", NONE))[:12],
        device=f"{device}, {threads:.0f} threads" if threads and threads > 1 else device,
        memory=f"{count(round(memory))} MB" if memory else NONE,
        time=duration(seconds),
    )


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) else None


def _versions(sources: ReportSources) -> tuple[tuple[str, str], ...]:
    """Return every version that a stage or the evaluation noted; stages that differ are listed once for each."""
    noted: dict[str, list[str]] = {}
    for versions in (
        *(record.done.get("libraries", {}) for record in sources.stages),
        sources.metrics.get("versions", {}),
    ):
        for name, version in versions.items():
            if str(version) not in noted.setdefault(str(name), []):
                noted[str(name)].append(str(version))
    return tuple((name, ", ".join(found)) for name, found in sorted(noted.items()))


def _seeds(sources: ReportSources) -> tuple[tuple[str, str], ...]:
    given = {r.role: r.spec.get("config", {}).get("seed") for r in sources.stages}
    seeds = {role: str(seed) for role, seed in given.items() if seed is not None}
    return (("seed", next(iter(seeds.values()))),) if len(set(seeds.values())) == 1 else tuple(seeds.items())


def _commit(sources: ReportSources) -> str:
    codes = [record.done.get("code", {}) for record in sources.stages]
    found = [
        f"{code['commit']}{' with changes' if code.get('changes') else ''}" for code in codes if code.get("commit")
    ]
    return ", ".join(dict.fromkeys(found))


def _sampled(sources: ReportSources) -> str:
    """Return when the synthetic rows were drawn; from the manifest, so that the same inputs make the same page."""
    record = sources.stage("sample")
    started = _number(record.done, "started") if record else None
    return moment(1e6 * started, 0.0) if started else ""


def _pretty(config: Mapping[str, Any]) -> str:
    return json.dumps(_without_places(config), indent=2, ensure_ascii=False)


def _without_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage's config without where its data lay: a report is handed on, and the content's hash says more."""
    dataset = config.get("dataset")
    if not isinstance(dataset, Mapping):
        return dict(config)
    return {**config, "dataset": {key: value for key, value in dataset.items() if key not in ("path", "metadata")}}
