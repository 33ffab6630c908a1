"""How each network trained, thinned to what a picture can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.report.sources import ReportSources, StageRecord
from tabgraphsyn.evaluation.report.wording import short
from tabgraphsyn.generators.frame import FRAME

#: Scores of samples that were drawn while a stage trained; shares, on an axis of their own.
_SCORES = "score/"


@dataclass(frozen=True)
class Curve:
    """One metric over steps; ``points`` were thinned from ``logged``."""

    name: str
    steps: list[float]
    values: list[float]
    logged: int

    @property
    def summary(self) -> str:
        """The course of the curve in words."""
        return f"{self.name} from {short(self.values[0])} to {short(self.values[-1])}"


@dataclass(frozen=True)
class TrainingView:
    """Curves of one stage and the last value of everything that is no loss, or the scores of its samples."""

    role: str
    curves: tuple[Curve, ...]
    last: Mapping[str, float]
    steps: int
    seconds: float | None
    is_scored: bool = False


def training_views(sources: ReportSources, points: int) -> list[TrainingView]:
    """Return the training stages that logged something, in the order in which they ran."""
    return [view for record in trained_stages(sources) for view in _views(record, points)]


def trained_stages(sources: ReportSources) -> list[StageRecord]:
    """Return the records of the training stages that logged something, in the order in which they ran."""
    return [record for record in sources.stages if record.role.split("/", 1)[0] not in FRAME and record.metrics]


def _views(record: StageRecord, points: int) -> list[TrainingView]:
    names = list(dict.fromkeys(name for line in record.metrics for name in line if name not in ("step", "time_s")))
    series = {
        name: [(line["step"], line[name]) for line in record.metrics if _is_number(line.get(name))] for name in names
    }
    scores = {name: series.pop(name) for name in names if name.startswith(_SCORES)}
    view = _view(record, points, series)
    return [view, _scored(view, points, scores)] if any(scores.values()) else [view]


def _scored(view: TrainingView, points: int, scores: Mapping[str, list[tuple[float, float]]]) -> TrainingView:
    curves = tuple(_curve(name.removeprefix(_SCORES), pairs, points) for name, pairs in scores.items() if pairs)
    return TrainingView(f"{view.role}: samples of it", curves, {}, view.steps, view.seconds, is_scored=True)


def _view(record: StageRecord, points: int, series: Mapping[str, list[tuple[float, float]]]) -> TrainingView:
    names = list(series)
    losses = [name for name in names if "loss" in name] or names[:2]
    return TrainingView(
        role=record.role,
        curves=tuple(_curve(name, series[name], points) for name in losses if series[name]),
        last={name: series[name][-1][1] for name in names if name not in losses and series[name]},
        steps=int(record.metrics[-1]["step"]),
        seconds=record.metrics[-1].get("time_s"),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _curve(name: str, pairs: list[tuple[float, float]], points: int) -> Curve:
    """Return means over equal runs of steps: single noisy steps vanish, the course stays."""
    runs = np.array_split(np.array(pairs, dtype=float), min(points, len(pairs)))
    means = np.array([run.mean(axis=0) for run in runs])
    return Curve(name, [float(f"{x:.6g}") for x in means[:, 0]], [float(f"{y:.5g}") for y in means[:, 1]], len(pairs))
