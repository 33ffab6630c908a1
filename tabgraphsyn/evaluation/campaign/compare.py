"""Points of a campaign -> its summary: means over seeds, and which differences between models are more than chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tabgraphsyn.evaluation.campaign.columns import baselines, estimates, loss, score_columns
from tabgraphsyn.evaluation.campaign.inference import Contrast, contrast, holm
from tabgraphsyn.evaluation.campaign.models import Model, datasets
from tabgraphsyn.evaluation.campaign.points import PointResult, read_points
from tabgraphsyn.evaluation.campaign.summary import (
    CampaignSummary,
    DatasetSummary,
    Difference,
    Gate,
    ModelSummary,
    Provenance,
    ScoreColumn,
)

SIGNIFICANCE = 0.05
_WORST_FIRST = ("fail", "warn", "not judged", "published by choice", "pass")

Hours = Callable[[Sequence[str]], tuple[float, float] | None]
"""Points -> hours and GPU-hours of running of all their stages, each counted once; None where no record is left."""


def summarise(
    folder: Path, overrides: Mapping[str, Sequence[str]], *, hours: Hours, provenance: Provenance
) -> CampaignSummary:
    """Return the summary of a campaign.

    Args:
        folder: of the campaign.
        overrides: of every point, by name.
        hours: of points.
        provenance: of the campaign; the versions that its points noted are added.

    Raises:
        StageError: results that cannot be read.
    """
    points, missing = read_points(folder, overrides)
    versions: dict[str, list[str]] = {}
    for name, version in ((name, each) for point in points for name, each in point.versions.items()):
        if version not in versions.setdefault(name, []):
            versions[name].append(version)
    return CampaignSummary(
        name=folder.name,
        datasets=tuple(_dataset(name, found, hours) for name, found in datasets(points).items()),
        missing=tuple(missing),
        reports=tuple(point.name for point in points if point.has_report),
        provenance=Provenance(
            command=provenance.command,
            commits=provenance.commits,
            versions={**provenance.versions, **{name: ", ".join(found) for name, found in versions.items()}},
            hours=provenance.hours,
            gpu_hours=provenance.gpu_hours,
            saved_hours=provenance.saved_hours,
        ),
    )


def _dataset(name: str, models: Sequence[Model], hours: Hours) -> DatasetSummary:
    points = [point for model in models for point in model.points.values()]
    columns = score_columns(points)
    made = [_model(model, columns, hours) for model in models]
    differences = [each for column in columns if column.level == "database" for each in _differences(column, made)]
    return DatasetSummary(
        name=name,
        rows=points[0].rows,
        scores=tuple(columns),
        models=tuple(made),
        baselines=baselines(points, columns),
        differences=tuple(differences),
        best={column.key: _best(column.key, made, differences) for column in columns if column.level == "database"},
        schema=next((point.schema for point in points if point.schema), None),
        children=_children(points[0]),
    )


def _children(point: PointResult) -> dict[str, tuple[float, float]]:
    """Return the mean number of children by foreign key, where cardinality was scored."""
    found = (score for score in point.book.select(metric="cardinality", level="relation"))
    return {score.where: (score.detail["mean_real"], score.detail["mean_other"]) for score in found}


def _model(model: Model, columns: Sequence[ScoreColumn], hours: Hours) -> ModelSummary:
    took = hours([point.name for point in model.points.values()])
    return ModelSummary(
        name=model.name,
        points={seed: point.name for seed, point in model.points.items()},
        gate=_gate(list(model.points.values())),
        settings=model.settings,
        estimates=estimates(model, columns),
        hours=took[0] if took else None,
        gpu_hours=took[1] if took else None,
    )


def _gate(points: Sequence[PointResult]) -> Gate:
    """Return the worst verdict: one seed that copies is a model that copies."""
    worst = min(points, key=lambda point: _WORST_FIRST.index(point.gate.verdict))
    return Gate(worst.gate.verdict, worst.gate.text, worst.name)


def _differences(column: ScoreColumn, models: Sequence[ModelSummary]) -> list[Difference]:
    """Return the differences of every pair of models by one score, with Holm's correction over these pairs."""
    scored = [model for model in models if column.key in model.estimates]
    pairs = [_ordered(column, *pair) for pair in itertools.combinations(scored, 2)]
    contrasts = [contrast(_losses(column, second), _losses(column, first)) for first, second in pairs]
    corrected = holm([found.p for found in contrasts])
    return [
        Difference(
            score=column.key,
            first=first.name,
            second=second.name,
            advantage=found.difference,
            low=found.low,
            high=found.high,
            p=found.p,
            p_holm=p,
            seeds=found.seeds,
            is_paired=found.is_paired,
            verdict=_verdict(found, p),
            note=found.note,
        )
        for (first, second), found, p in zip(pairs, contrasts, corrected, strict=True)
    ]


def _losses(column: ScoreColumn, model: ModelSummary) -> dict[str, float]:
    return {seed: loss(column, value) for seed, value in model.estimates[column.key].values.items()}


def _ordered(column: ScoreColumn, *pair: ModelSummary) -> tuple[ModelSummary, ModelSummary]:
    """Return the pair, the one with the smaller mean loss first; over common seeds where there are enough."""
    left, right = pair
    found = contrast(_losses(column, left), _losses(column, right))
    return (left, right) if found.difference <= 0 else (right, left)


def _verdict(found: Contrast, p: float | None) -> str:
    if p is not None:
        return "significant" if p < SIGNIFICANCE else "not significant"
    return "equal" if found.note.startswith("equal") else "no statement"


def _best(key: str, models: Sequence[ModelSummary], differences: Sequence[Difference]) -> str | None:
    """Return the model that beats every other one that did not fail the gate, each significantly."""
    allowed = {model.name for model in models if model.gate.verdict != "fail"}
    own = [each for each in differences if each.score == key and {each.first, each.second} <= allowed]
    for name in allowed:
        won = [each for each in own if each.first == name and each.verdict == "significant"]
        if len(allowed) > 1 and len(won) == len(allowed) - 1:
            return name
    return None
