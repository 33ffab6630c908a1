"""From metrics and data to ``metrics.json``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tabgraphsyn.errors import StageError, TabGraphSynError
from tabgraphsyn.evaluation.base import ComparisonMetric, Metric
from tabgraphsyn.evaluation.gate import NOT_JUDGED, Gate
from tabgraphsyn.evaluation.score import Result, Score, Unscored
from tabgraphsyn.evaluation.sides.data import EvaluationData

PACKAGES = ("tabgraphsyn", "sdmetrics", "xgboost", "xgboost-cpu", "scikit-learn", "numpy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Part:
    """A part of the work that begins: one metric on one comparison.

    Attributes:
        done: parts that have ended.
        total: number of parts; 0 before it is known.
        name: what begins.
    """

    done: int
    total: int
    name: str


def run_metrics(
    metrics: Mapping[str, Metric],
    data: EvaluationData,
    log: logging.Logger,
    finished: Callable[[int, str, float], None] | None = None,
    gate: Gate | None = None,
    begins: Callable[[Part], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the content of ``metrics.json``: privacy metrics first, then the others, each in the order given.

    Beside it stands ``timing``, which the stage takes out: what is hashed must not depend on the clock.

    The gate speaks as soon as the last privacy metric has ended, before any fidelity is computed or shown.

    Args:
        metrics: by name.
        data: what they look at.
        log: told of each metric as it ends.
        finished: told (number, name, seconds) of each metric as it ends.
        gate: judges the privacy scores; None judges nothing.
        begins: told of each part as it begins, and of the end.

    Raises:
        StageError: a metric failed; the others are not reported without it.
    """
    ordered = sorted(metrics.items(), key=lambda item: not item[1].is_privacy)
    privacy = [metric.name for _, metric in ordered if metric.is_privacy]
    results: list[Result] = []
    seconds: dict[str, float] = {}
    judgement = judged(gate, results, privacy, data, log) if not privacy else {}
    begins(Part(0, 0, "reading columns"))
    reading = time.perf_counter()
    parts = {name: _parts(metric, data) for name, metric in ordered}
    reading_s = round(time.perf_counter() - reading, 3)
    done, total = 0, sum(map(len, parts.values()))
    for number, (name, metric) in enumerate(ordered, 1):
        start = time.perf_counter()
        for title, part in parts[name]:
            begins(Part(done, total, title))
            results += _computed(metric, part)
            done += 1
        seconds[name] = round(time.perf_counter() - start, 3)
        log.info("%d/%d %s: %.1f s", number, len(ordered), name, seconds[name])
        if finished is not None:
            finished(number, name, seconds[name])
        if number == len(privacy):
            judgement = judged(gate, results, privacy, data, log)
    begins(Part(done, total, ""))
    return {
        "gate": judgement,
        "versions": versions(),
        "metrics": [described(metric) for _, metric in ordered],
        "comparisons": list(data.wanted),
        "rows": row_counts(data),
        "reference_tables": sorted(data.reference_tables),
        "published": dict(data.published),
        "coarse": list(data.plan.get("coarse", ())),
        "kept_back": dict(data.plan.get("kept_back", {})),
        "scores": [result.to_dict() for result in results if isinstance(result, Score)],
        "unscored": [result.to_dict() for result in results if not isinstance(result, Score)],
        "timing": {
            "total_s": round(reading_s + sum(seconds.values()), 3),
            "reading_s": reading_s,
            "metrics_s": seconds,
        },
    }


def judged(
    gate: Gate | None, results: Sequence[Result], privacy: Sequence[str], data: EvaluationData, log: logging.Logger
) -> dict[str, Any]:
    """Return the ``gate`` block, having said in the log what it found."""
    if gate is None:
        return {**NOT_JUDGED, "text": "evaluation.gate is null: nothing judges the privacy scores"}
    scores = [result for result in results if isinstance(result, Score)]
    unscored = [result for result in results if isinstance(result, Unscored)]
    block = gate.judge(scores, unscored, privacy, data.schema.table_names, data.published)
    level = logging.INFO if block["verdict"] == "pass" or gate.action == "off" else logging.WARNING
    log.log(level, "privacy gate: %s: %s", block["verdict"], block["text"])
    return block


def _parts(metric: Metric, data: EvaluationData) -> list[tuple[str, Callable[[], Sequence[Result]]]]:
    """Return what a metric computes, comparison by comparison where it can be taken apart."""
    if isinstance(metric, ComparisonMetric) and type(metric).compute is ComparisonMetric.compute:
        return [
            (f"{metric.name} ({comparison.name})", partial(metric.compare, data, comparison))
            for comparison in data.comparisons
        ]
    return [(metric.name, partial(metric.compute, data))]


def _computed(metric: Metric, part: Callable[[], Sequence[Result]]) -> Sequence[Result]:
    try:
        return part()
    except TabGraphSynError:
        raise
    except Exception as error:
        raise StageError(
            f"evaluation metric {metric.name!r} failed: {type(error).__name__}: {error}. "
            f"A failed metric fails its stage; leave it out with ~evaluation.metrics.{metric.name} if it must not run."
        ) from error


def described(metric: Metric) -> dict[str, Any]:
    """Return what a reader must know of a metric."""
    return {
        "name": metric.name,
        "title": metric.title,
        "measures": metric.measures,
        "range": metric.range,
        "direction": metric.direction,
        "reading": metric.reading,
        "source": metric.source,
        "privacy": metric.is_privacy,
    }


def row_counts(data: EvaluationData) -> dict[str, dict[str, int]]:
    """Return per table the rows of each part."""
    return {
        name: {
            "real": data.real[name].num_rows,
            "training": len(data.training_rows[name]),
            "holdout": len(data.holdout_rows[name]),
            "synthetic": data.synthetic[name].num_rows,
        }
        for name in data.schema.table_names
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that values depend on; without them tables cannot be compared."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # one of xgboost and xgboost-cpu is installed, the other is not
    return found
