"""Whether copying was found, table by table, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tabgraphsyn.evaluation.base import Score
from tabgraphsyn.evaluation.report.scores import ScoreBook
from tabgraphsyn.evaluation.report.wording import percent
from tabgraphsyn.evaluation.report.wording import score as score_text

Severity = Literal["good", "warn", "bad"]


@dataclass(frozen=True)
class Sign:
    """One sign of copying in one table."""

    table: str
    severity: Severity
    text: str


@dataclass(frozen=True)
class Copying:
    """What the privacy scores say.

    Attributes:
        severity: ``bad`` where a table copies, ``warn`` where one may, or none could be judged.
        word: the severity in a word or two.
        signs: every sign, worst first.
        judged: tables that could be judged.
        unjudged: table -> why it could not.
    """

    severity: Severity
    word: str
    signs: tuple[Sign, ...]
    judged: tuple[str, ...]
    unjudged: Mapping[str, str]


def copying(book: ScoreBook) -> Copying:
    """Judge every privacy score of the synthetic tables."""
    scores = [s for s in book.select(level="table") if book.text_of(s.metric).is_privacy]
    signs = sorted((sign for s in scores for sign in _signs(s)), key=lambda sign: sign.severity != "bad")
    judged = tuple(dict.fromkeys(s.where for s in scores))
    unjudged = {
        note.where: note.reason
        for note in book.unscored
        if note.comparison == "synthetic" and book.text_of(note.metric).is_privacy and note.where not in judged
    }
    if not judged:
        return Copying("warn", "not judged", (), judged, unjudged)
    if any(sign.severity == "bad" for sign in signs):
        return Copying("bad", "copies found", tuple(signs), judged, unjudged)
    if signs:
        return Copying("warn", "look closer", tuple(signs), judged, unjudged)
    return Copying("good", "no copies found", (), judged, unjudged)


def _signs(found: Score) -> Iterator[Sign]:
    judge = _JUDGES.get(found.metric)
    result = judge(found) if judge else None
    if result is not None:
        yield Sign(found.where, *result)


def _copies(found: Score) -> tuple[Severity, str] | None:
    excess, error = _detail(found, "excess"), _detail(found, "excess_sd")
    if excess <= max(0.005, 3 * error):
        return None
    usual = percent(_detail(found, "holdout"))
    text = f"{percent(found.value)} of rows equal a training row; of unseen real rows {usual} do"
    return ("bad" if excess > 0.05 else "warn"), text


def _near_copies(found: Score) -> tuple[Severity, str] | None:
    excess = found.value - _detail(found, "holdout")
    if excess <= 0.05:
        return None
    text = (
        f"{percent(found.value)} of rows are near copies; of unseen real rows {percent(_detail(found, 'holdout'))} are"
    )
    return ("bad" if excess > 0.2 else "warn"), text


def _dcr(found: Score) -> tuple[Severity, str] | None:
    expected, rows = _detail(found, "expected_share", 0.5), max(1.0, _detail(found, "rows", 1.0))
    chance = 3 * (expected * (1 - expected) / min(rows, _detail(found, "holdout_records", rows) or 1.0)) ** 0.5
    if found.value <= 0.6 or _detail(found, "plain_share", found.value) <= expected + chance:
        return None
    text = f"rows lie closer to training rows than to unseen ones (DCR share {score_text(found.value)}; .500 is even)"
    return ("bad" if found.value > 0.8 else "warn"), text


def _membership(found: Score) -> tuple[Severity, str] | None:
    if found.value <= 0.5 + max(0.06, 3 * _detail(found, "sd")):
        return None
    text = f"distances give away who was trained on (AUC {score_text(found.value)}; .500 is guessing)"
    return ("bad" if found.value > 0.7 else "warn"), text


_JUDGES: Mapping[str, Callable[[Score], tuple[Severity, str] | None]] = {
    "copies": _copies,
    "near_copies": _near_copies,
    "dcr": _dcr,
    "membership": _membership,
}


def _detail(found: Score, key: str, otherwise: float = 0.0) -> float:
    value = found.detail.get(key, otherwise)
    return float(value) if isinstance(value, int | float) else otherwise
