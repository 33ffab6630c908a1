"""Scores beside what the same code gives real data, independent columns and a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tabgraphsyn.evaluation.report.scores import (
    COMPARISONS,
    MetricText,
    ScoreBook,
    distance_from_ideal,
    interval_of,
)
from tabgraphsyn.evaluation.report.wording import NONE, interval, path_text
from tabgraphsyn.evaluation.report.wording import score as score_text
from tabgraphsyn.evaluation.score import Score

_STRIP = 150
FAR = 0.2


@dataclass(frozen=True)
class ScoreRow:
    """One score and its baselines, as text, with a picture of where they lie."""

    title: str
    where: str
    values: tuple[str, ...]
    intervals: tuple[str, ...]
    strip: Markup


@dataclass(frozen=True)
class Cell:
    """A score of one place and, below it, what real data scores there."""

    value: str
    baseline: str
    is_low: bool
    interval: str = ""


@dataclass(frozen=True)
class Matrix:
    """Places down, metrics across."""

    metrics: tuple[MetricText, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def scoreboard(book: ScoreBook, *, privacy: bool) -> list[ScoreRow]:
    """Return a row per score of the whole database; a metric without one is listed by table in the matrix only."""
    rows = [s for s in book.select(level="database") if book.text_of(s.metric).is_privacy == privacy]
    return [_row(book, found) for found in rows]


def score_matrix(book: ScoreBook, *, level: str, privacy: bool, places: Sequence[str]) -> Matrix:
    """Return the scores of one level, tables or relations, by place and metric."""
    found = [s for s in book.select(level=level) if s.where in places and book.text_of(s.metric).is_privacy == privacy]
    names = list(dict.fromkeys(s.metric for s in found))
    by_place = {(s.where, s.metric): s for s in found}
    rows = tuple(
        (path_text(place), tuple(_cell(book, by_place.get((place, name))) for name in names))
        for place in places
        if any((place, name) in by_place for name in names)
    )
    return Matrix(tuple(book.text_of(name) for name in names), rows)


def _row(book: ScoreBook, found: Score) -> ScoreRow:
    beside = {name: found if name == "synthetic" else book.beside(found, name) for name in book.comparisons}
    values = tuple(score_text(each.value) if each else NONE for each in beside.values())
    where = "" if found.where == "database" else found.where
    intervals = tuple(interval(interval_of(each)) for each in beside.values())
    return ScoreRow(book.text_of(found.metric).title, where, values, intervals, _strip(beside))


def _cell(book: ScoreBook, found: Score | None) -> Cell | None:
    if found is None:
        return None
    baseline = book.beside(found, "real_real")
    beside = score_text(baseline.value) if baseline else ""
    return Cell(score_text(found.value), beside, _is_far(found, baseline), interval(interval_of(found)))


def _is_far(found: Score, baseline: Score | None) -> bool:
    """Return whether a score is ``FAR`` from its baseline, or from the ideal without one, wherever in its interval."""
    ends = interval_of(found) or (found.value, found.value)
    if found.direction == "half" and ends[0] <= 0.5 <= ends[1]:
        return False
    offset = distance_from_ideal(baseline) if baseline else 0.0
    return all(distance_from_ideal(replace(found, value=value)) - offset > FAR for value in (*ends, found.value))


def _strip(beside: dict[str, Score | None]) -> Markup:
    """Return markers on a line whose right end is the ideal value; empty where a score is no share."""
    places = {name: 1 - distance_from_ideal(each) for name, each in beside.items() if each}
    if any(not 0 <= place <= 1 for place in places.values()):
        return Markup("")
    alt = ", ".join(f"{COMPARISONS[name]} {place:.2f}" for name, place in places.items())
    marks = Markup("").join(
        Markup('<use href="#mark-{}" x="{:.1f}" y="9"/>').format(name, 6 + (_STRIP - 12) * place)
        for name, place in reversed(places.items())
    )
    return Markup(
        '<svg class="strip" width="{0}" height="18" viewBox="0 0 {0} 18" role="img" '
        'aria-label="{1} of the way to ideal">'
        '<path class="axis" d="M6 9H{2}M{2} 4v10"/>{3}</svg>'
    ).format(_STRIP, alt, _STRIP - 6, marks)
