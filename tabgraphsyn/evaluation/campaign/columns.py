"""Which scores a campaign compares, and what a model and a baseline have in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabgraphsyn.evaluation.campaign.inference import mean_interval
from tabgraphsyn.evaluation.campaign.models import Model
from tabgraphsyn.evaluation.campaign.points import PointResult
from tabgraphsyn.evaluation.campaign.summary import Baseline, Estimate, ScoreColumn
from tabgraphsyn.evaluation.report.scores import COMPARISONS, ScoreBook
from tabgraphsyn.evaluation.score import Score

WORST_TABLE = "worst table"
#: Shown first and drawn, where they were computed: metric and place.
HEADLINES: tuple[tuple[str, str], ...] = (
    ("dcr", WORST_TABLE),
    ("c2st", ""),
    ("c2st_agg", ""),
    ("rules", ""),
    ("column_shapes", ""),
    ("pair_trends", ""),
    ("khop_trends", "1-hop"),
    ("khop_trends", "2-hop"),
    ("cardinality", ""),
    ("utility", ""),
)
_LEVELS = {"database": 0, "table": 1, "relation": 2}

Scores = Mapping[str, Score]
"""Scores of one sweep point and comparison, by key."""


def scores_of(book: ScoreBook, comparison: str = "synthetic") -> dict[str, Score]:
    """Return the scores of one comparison by key; privacy metrics also have their worst place as the database's."""
    own = [score for score in book.scores if score.comparison == comparison]
    worst: dict[str, Score] = {}
    for score in own:
        if book.text_of(score.metric).is_privacy and score.level != "database":
            kept = worst.get(score.metric)
            worst[score.metric] = score if kept is None or _badness(score) > _badness(kept) else kept
    derived = [replace(score, level="database", where=WORST_TABLE) for score in worst.values()]
    return {f"{score.metric}/{score.level}/{score.where}": score for score in (*derived, *own)}


def _badness(score: Score) -> float:
    return -score.value if score.direction == "higher" else score.value


def score_columns(points: Sequence[PointResult]) -> list[ScoreColumn]:
    """Return every score that some point has: headlines first, then the database's, then those of places."""
    found: dict[str, ScoreColumn] = {}
    for point in points:
        for key, score in scores_of(point.book).items():
            if key not in found:
                found[key] = _column(key, score, point.book)
    return sorted(found.values(), key=lambda column: (_headline_place(column), _LEVELS[column.level]))


def _column(key: str, score: Score, book: ScoreBook) -> ScoreColumn:
    text = book.text_of(score.metric)
    where = "" if score.where == "database" else score.where
    baseline = book.beside(score, "real_real")
    return ScoreColumn(
        key=key,
        metric=score.metric,
        title=text.title,
        where=where,
        level=score.level,
        direction=score.direction,
        is_privacy=text.is_privacy,
        is_headline=score.level == "database" and (score.metric, where) in HEADLINES,
        aim=min(0.5, baseline.value) if baseline is not None and not text.is_privacy else 0.5,
    )


def _headline_place(column: ScoreColumn) -> int:
    return HEADLINES.index((column.metric, column.where)) if column.is_headline else len(HEADLINES)


def loss(column: ScoreColumn, value: float) -> float:
    """Return how far a value is from the best one; less is better.

    A score whose ideal is one half counts its distance from what real rows reach against real rows: there rows repeat,
    and a model of rows that do not is no better. For copying only what exceeds one half counts against a model.
    """
    if column.direction == "half":
        return value if column.is_privacy else abs(value - column.aim)
    return -value if column.direction == "higher" else value


def estimates(model: Model, columns: Sequence[ScoreColumn]) -> dict[str, Estimate]:
    """Return what a model has in each column that all of its points could be scored in."""
    by_seed = {seed: scores_of(point.book) for seed, point in model.points.items()}
    found: dict[str, Estimate] = {}
    for column in columns:
        if all(column.key in scores for scores in by_seed.values()):
            found[column.key] = _estimate({seed: scores[column.key] for seed, scores in by_seed.items()})
    return found


def _estimate(scores: Mapping[str, Score]) -> Estimate:
    values = {seed: score.value for seed, score in scores.items()}
    over = mean_interval(list(values.values()))
    return Estimate(
        mean=over.mean,
        sd=over.sd,
        low=over.low,
        high=over.high,
        values=values,
        runs={seed: _run_interval(score) for seed, score in scores.items()},
    )


def _run_interval(score: Score) -> tuple[float, float] | None:
    found = score.detail.get("interval")
    return (float(found[0]), float(found[1])) if found else None


def baselines(points: Sequence[PointResult], columns: Sequence[ScoreColumn]) -> dict[str, dict[str, Baseline]]:
    """Return, per column and comparison, what the first point that has it scored: real rows are the same for all."""
    found: dict[str, dict[str, Baseline]] = {column.key: {} for column in columns}
    for comparison in COMPARISONS:
        if comparison == "synthetic":
            continue
        for point in points:
            for key, score in scores_of(point.book, comparison).items():
                if key in found:
                    low, high = _run_interval(score) or (None, None)
                    found[key].setdefault(comparison, Baseline(score.value, low, high))
    return {key: each for key, each in found.items() if each}
