"""The paragraph says what the scores say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tabgraphsyn.evaluation.base import Score, Unscored
from tabgraphsyn.evaluation.report.copying import copying
from tabgraphsyn.evaluation.report.scores import MetricText, ScoreBook, distance_from_ideal
from tabgraphsyn.evaluation.report.verdict import tiles, verdict, worst_columns

TEXTS = [MetricText(name, name, is_privacy=True) for name in ("copies", "near_copies", "dcr", "membership")]


def book(*scores: Score, unscored: tuple[Unscored, ...] = ()) -> ScoreBook:
    return ScoreBook(scores, unscored, TEXTS)


def privacy(metric: str, value: float, **detail: Any) -> Score:
    return Score(metric, "table", "t", value, "half" if metric in ("dcr", "membership") else "lower", detail=detail)


def c2st(value: float, real: float) -> list[Score]:
    found = Score("c2st", "database", "database", value, "half", detail={"worst": "t"})
    return [found, replace(found, value=real, comparison="real_real")]


@pytest.mark.parametrize(
    ("value", "real", "words"),
    [
        (0.51, 0.5, "cannot be told from"),
        (0.57, 0.5, "are close to"),
        (0.7, 0.5, "can be recognised"),
        (0.9, 0.5, "easily told"),
        (0.30, 0.29, "cannot be told from"),
        (0.47, 0.26, "can be recognised"),
    ],
)
def test_closeness_is_measured_from_real_against_real(value: float, real: float, words: str) -> None:
    scores = book(*c2st(value, real))
    assert words in verdict(scores, copying(scores), None)


def test_no_score_is_no_claim() -> None:
    text = verdict(book(), copying(book()), None)
    assert "was not judged" in text
    assert "could not be judged in any table" in text


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        (privacy("copies", 0.012, holdout=0.01, excess=0.002, excess_sd=0.004), "good"),
        (privacy("copies", 0.04, holdout=0.01, excess=0.03, excess_sd=0.004), "warn"),
        (privacy("copies", 0.30, holdout=0.01, excess=0.29, excess_sd=0.01), "bad"),
        (privacy("copies", 0.949, holdout=0.95, excess=-0.001, excess_sd=0.01), "good"),
        (privacy("near_copies", 0.08, holdout=0.05), "good"),
        (privacy("near_copies", 0.6, holdout=0.05), "bad"),
        (privacy("dcr", 0.52, plain_share=0.905, expected_share=0.9, rows=2000, holdout_records=500), "good"),
        (privacy("dcr", 0.95, plain_share=0.995, expected_share=0.9, rows=2000, holdout_records=500), "bad"),
        (privacy("membership", 0.53, sd=0.03), "good"),
        (privacy("membership", 0.66, sd=0.03), "warn"),
        (privacy("membership", 0.95, sd=0.03), "bad"),
    ],
)
def test_signs_of_copying(score: Score, severity: str) -> None:
    found = copying(book(score))
    assert found.severity == severity
    assert bool(found.signs) == (severity != "good")
    text = verdict(book(score), found, None)
    assert ("No sign of copying" in text) == (severity == "good")
    assert ("Copying was found in t" in text) == (severity == "bad")


def test_unjudged_tables_are_named_with_the_reason() -> None:
    found = copying(book(unscored=(Unscored("copies", "small", "tiny: 3 rows"), Unscored("khop", "x", "no path"))))
    assert found.severity == "warn"
    assert found.unjudged == {"small": "tiny: 3 rows"}


def test_broken_keys_are_said_loudly() -> None:
    scores = book(Score("keys", "database", "database", 0.97, "higher"))
    assert "Keys are broken: validity .970" in verdict(scores, copying(scores), None)


def test_worst_columns_are_the_lowest_shapes(make_scores: Callable[..., list[Score]]) -> None:
    scores = ScoreBook([*make_scores(), Score("null_rates", "column", "customers.age", 0.01, "higher")])
    worst = worst_columns(scores, 2)
    assert [score.value for score in worst] == [0.75, 0.83]


def test_names_in_the_paragraph_are_escaped() -> None:
    low = Score("column_shapes", "column", "t.<b>", 0.4, "higher")
    text = verdict(book(low), copying(book(low)), ("t.<b>", low, "It's <i>off</i>."))
    assert "t.&lt;b&gt;" in text
    assert "<i>" not in text


def test_found_copying_comes_first_and_qualifies_the_rest() -> None:
    scores = book(*c2st(0.2, 0.5), privacy("copies", 0.9, holdout=0.0, excess=0.9, excess_sd=0.01))
    text = str(verdict(scores, copying(scores), None))
    assert text.index("Copying was found") < text.index("how close a copy is") < text.index("cannot be told")
    assert "rows repeat on both sides" in text


def test_good_worst_column_is_no_news() -> None:
    low = Score("column_shapes", "column", "t.c", 0.985, "higher")
    assert "No column matches worse than .985." in verdict(book(low), copying(book(low)), ("t.c", low, "Nothing."))


def test_tiles_stand_beside_their_baselines(make_scores: Callable[..., list[Score]]) -> None:
    scores = ScoreBook(make_scores(), (), TEXTS)
    shown = {tile.name: tile for tile in tiles(scores, copying(scores))}
    assert shown["1-hop trends"].beside == ("real .950", "independent .792")
    assert shown["Privacy"].value == "no copies found"


@pytest.mark.parametrize(
    ("direction", "value", "distance"), [("higher", 0.9, 0.1), ("lower", 0.2, 0.2), ("half", 0.4, 0.2)]
)
def test_distance_from_ideal(direction: Any, value: float, distance: float) -> None:
    assert distance_from_ideal(Score("m", "table", "t", value, direction)) == pytest.approx(distance)
