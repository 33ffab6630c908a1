"""Stage ``evaluate``: real rows and synthetic rows in, ``metrics.json`` and ``gate.json`` out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Database
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.gate import Gate
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext


def run(context: StageContext) -> None:
    """Score the synthetic database of the sweep point and write ``metrics.json`` and, small, its ``gate.json``.

    The stage is done whatever the gate says: scores and report must exist to see why. What a verdict means for the exit
    code is up to those who wait: a launch, or ``tabgraphsyn evaluate``.
    """
    config = context.config["evaluation"]
    metrics = built_metrics(config["metrics"], context.allow_targets)
    data = read_data(context, config)

    def finished(number: int, name: str, seconds: float) -> None:
        done = {"metrics_done": number, "metrics": len(metrics), "progress": number / len(metrics)}
        context.tracker.log({f"seconds/{name}": seconds, **done}, number)

    gate = built_gate(config, context.allow_targets)
    scored = run_metrics(metrics, data, context.log, finished, gate)
    # Artifacts hold no times: a stage that was interrupted and resumed ends with the same hashes.
    timing = scored.pop("timing")
    context.tracker.log({"reading_s": timing["reading_s"], "total_s": timing["total_s"]}, len(metrics))
    write_json(context.artifacts / "metrics.json", scored)
    write_json(context.artifacts / "gate.json", scored["gate"])


def built_metrics(configs: Mapping[str, Any], allow_targets: tuple[str, ...] = ()) -> dict[str, Metric]:
    """Return the metrics that the config lists, by the name they go by in it.

    Raises:
        ConfigError: no metric at all, or an entry that is no metric of its name.
    """
    if not configs:
        raise ConfigError("evaluation.metrics: at least one metric expected, found none.")
    return {name: build(config, Metric, allow_targets=allow_targets) for name, config in configs.items()}


def built_gate(config: Mapping[str, Any], allow_targets: tuple[str, ...] = ()) -> Gate | None:
    """Return the gate of a protocol, or None where it has none.

    Raises:
        ConfigError: an entry that is no gate, or limits that cannot be.
    """
    if not config.get("gate"):
        return None
    gate: Gate = build(config["gate"], Gate, allow_targets=allow_targets)
    return gate


def read_data(context: StageContext, config: Mapping[str, Any]) -> EvaluationData:
    """Return the data of the stage's inputs."""
    real = Database.ingested(context.input("ingest"))
    return split_data(
        real,
        Database.sampled(real.schema, context.input("sample")),
        Prepared(context.input("prepare")),
        context.input("sample") / "bundle",
        config,
        context.resources.threads,
    )


def split_data(
    real: Database, synthetic: Database, prepared: Prepared, bundle: Path, config: Mapping[str, Any], threads: int
) -> EvaluationData:
    """Return what metrics look at where a prepare stage has split the real rows.

    Args:
        real: all real rows.
        synthetic: rows drawn from ``bundle``.
        prepared: the split and what it found.
        bundle: what was trained on the split.
        config: composed protocol.
        threads: CPU threads.
    """
    return EvaluationData(
        real=real,
        synthetic=synthetic,
        is_holdout={name: prepared.holdout(name) for name in real.schema.table_names},
        plan=_plan(prepared, bundle),
        bundle=bundle,
        rules=prepared.rules,
        wanted=tuple(config["comparisons"]),
        seed=int(config["seed"]),
        threads=threads,
    )


def _plan(prepared: Prepared, bundle: Path) -> dict[str, Any]:
    """Return the plan; what was to be published but was generated (``sampling.reference_tables``) is not published."""
    plan = prepared.plan.to_dict()
    manifest = bundle / "bundle.json"
    if manifest.is_file() and read_json(manifest)["sampling"].get("reference_tables") == "generate":
        plan["published"] = {}
    return plan
