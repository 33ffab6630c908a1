"""What became of a trial: its points' scores, the worst verdict of the privacy gate, its hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.data.untrusted import plain_bytes
from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, read_campaign
from tabgraphsyn.orchestration.campaign.studies import Objective
from tabgraphsyn.orchestration.registry.models import EVALUATE, Model
from tabgraphsyn.tracking.jsonl import step_lines

HOURS = "hours"
# Feasible is at most 0. What could not be judged is no reason to refuse a trial: tiny tables never can.
VERDICTS = {"pass": -1.0, "published by choice": -1.0, "not judged": 0.0, "warn": 0.0, "fail": 1.0}


@dataclass(frozen=True)
class Outcome:
    """A trial that was scored.

    Attributes:
        values: of the objectives, means over the trial's points.
        gate: the worst verdict.
        constraint: at most 0 where the gate does not fail.
    """

    values: tuple[float, ...]
    gate: str
    constraint: float


def outcome(output_dir: Path, campaign: str, points: Sequence[str], objectives: Sequence[Objective]) -> Outcome | None:
    """Return what a trial reached, or None while one of its points is not scored.

    Raises:
        StageError: an objective that the evaluation does not score for the whole database.
    """
    models = trial_models(output_dir, campaign, points)
    if len(models) < len(points) or not all(EVALUATE in model.done for model in models):
        return None
    verdicts = [model.gate or "not judged" for model in models]
    worst = max(verdicts, key=lambda word: VERDICTS.get(word, 1.0))
    values = tuple(sum(_value(model, each.metric) for model in models) / len(models) for each in objectives)
    return Outcome(values, worst, VERDICTS.get(worst, 1.0))


def trial_models(output_dir: Path, campaign: str, points: Sequence[str]) -> list[Model]:
    """Return those of a trial's points that were recorded."""
    if not (output_dir / "campaigns" / campaign / CAMPAIGN).is_file():
        return []
    found = read_campaign(output_dir, campaign)
    return [Model(found, point) for point in points if point in found.points]


def _value(model: Model, metric: str) -> float:
    if metric == HOURS:
        return model.hours
    if metric not in model.scores:
        raise StageError(
            f"{model.name}: no score {metric!r} of the whole database. There are {', '.join(model.scores)} and {HOURS}."
        )
    return model.scores[metric]


def curve(output_dir: Path, campaign: str, points: Sequence[str], score: str) -> dict[int, float]:
    """Return the scores while training of a trial, by step: means over the tables that have one at that step."""
    found: dict[int, list[float]] = {}
    for model in trial_models(output_dir, campaign, points):
        for label, stage_id in model.record.stages.items():
            if not label.startswith("diffusion/"):
                continue
            path = model.campaign.store.folder(stage_id) / "metrics.jsonl"
            for line in step_lines(plain_bytes(path).decode("utf-8", errors="replace")) if path.is_file() else ():
                value = line.get(f"score/{score}")
                if isinstance(value, int | float):
                    found.setdefault(int(line["step"]), []).append(float(value))
    return {step: sum(values) / len(values) for step, values in sorted(found.items())}
