"""The paragraph says what the scores say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.report.copying import Sign, copying
from tabgraphsyn.evaluation.report.left_out import Codecs, LeftOut, left_out
from tabgraphsyn.evaluation.report.scores import MetricText, ScoreBook, distance_from_ideal
from tabgraphsyn.evaluation.report.verdict import tiles, verdict, worst_columns
from tabgraphsyn.evaluation.score import Score, Unscored

TEXTS = [MetricText(name, name, is_privacy=True) for name in ("copies", "dcr")]
PASSED = {"verdict": "pass", "metric": "copies", "where": "t", "table": "t", "text": ""}
FOUND = {**PASSED, "verdict": "fail", "text": "90% of rows equal a training row"}
SLIGHT = {**PASSED, "verdict": "warn", "where": "u", "table": "u", "text": "4% of rows equal a training row"}


def gate(*checks: dict[str, Any], verdict: str = "", **other: Any) -> dict[str, Any]:
    """The block of metrics.json; worst check first."""
    block = {"verdict": verdict or checks[0]["verdict"], "text": "why", "checks": list(checks)}
    return {"gate": {**block, "confidence": 0.99, "warn_confidence": 0.99, "weak": {}, "not_judged": {}, **other}}


GOOD = copying(gate(PASSED))


def book(*scores: Score, unscored: tuple[Unscored, ...] = ()) -> ScoreBook:
    return ScoreBook(scores, unscored, TEXTS)


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
    assert words in verdict(scores, GOOD, None)


def test_no_score_is_no_claim() -> None:
    text = verdict(book(), copying(gate(verdict="not judged")), None)
    assert "was not judged" in text
    assert "could not be judged in any table" in text


@pytest.mark.parametrize(
    ("checks", "severity", "words"),
    [
        ([PASSED], "good", "No sign of copying</span> in the table"),
        ([SLIGHT, PASSED], "warn", "There are signs of copying in u</span>: 4%"),
        ([FOUND, SLIGHT], "bad", "Copying was found in t</span>: 90% of rows equal a training row (1 more below)"),
    ],
)
def test_the_gate_is_said_in_the_paragraph(checks: list[dict[str, Any]], severity: str, words: str) -> None:
    found = copying(gate(*checks))
    assert found.severity == severity
    assert [sign.table for sign in found.signs] == [check["where"] for check in checks if check["verdict"] != "pass"]
    assert words in verdict(book(), found, None)


def test_unjudged_and_weak_tables_are_named_with_the_reason() -> None:
    found = copying(gate(PASSED, not_judged={"small": "tiny: 3 rows"}, weak={"t": "tiny: over 40%"}))
    assert found.unjudged == {"small": "tiny: 3 rows"}
    assert found.weak == {"t": "tiny: over 40%"}


def test_a_table_that_is_not_judged_is_not_named_twice_for_one_reason() -> None:
    tiny, alone = "tiny: 3 rows", "no columns besides keys"
    tables = {"a": {"verdict": "not judged", "why": tiny}, "b": {"verdict": "not judged", "why": alone}}
    found = copying(gate(PASSED, tables=tables, weak={"a": tiny, "b": "over 40%", "t": "over 30%"}))

    assert found.skipped == {"a": tiny, "b": alone}
    assert found.weak == {"b": "over 40%", "t": "over 30%"}


def test_nothing_judged_is_a_warning_and_scores_without_a_gate_say_so() -> None:
    assert copying(gate(verdict="not judged")).severity == "warn"
    old = copying({"scores": []})
    assert old.severity == "warn"
    assert "older than the gate" in verdict(book(), old, None)


def test_broken_keys_are_said_loudly() -> None:
    scores = book(Score("keys", "database", "database", 0.97, "higher"))
    assert "Keys are broken: validity .970" in verdict(scores, GOOD, None)


def test_worst_columns_are_the_lowest_shapes(make_scores: Callable[..., list[Score]]) -> None:
    scores = ScoreBook([*make_scores(), Score("null_rates", "column", "customers.age", 0.01, "higher")])
    worst = worst_columns(scores, 2)
    assert [score.value for score in worst] == [0.75, 0.83]


def test_names_in_the_paragraph_are_escaped() -> None:
    low = Score("column_shapes", "column", "t.<b>", 0.4, "higher")
    text = verdict(book(low), GOOD, ("t.<b>", low, "It's <i>off</i>."))
    assert "t.&lt;b&gt;" in text
    assert "<i>" not in text


def test_found_copying_comes_first_and_qualifies_the_rest() -> None:
    scores = book(*c2st(0.2, 0.5))
    text = str(verdict(scores, copying(gate(FOUND)), None))
    assert text.index("Copying was found") < text.index("how close a copy is") < text.index("A classifier")
    assert "rows repeat on both sides" in text


def test_good_worst_column_is_no_news() -> None:
    low = Score("column_shapes", "column", "t.c", 0.985, "higher")
    assert "No column matches worse than .985." in verdict(book(low), GOOD, ("t.c", low, "Nothing."))


def test_tiles_stand_beside_their_baselines(make_scores: Callable[..., list[Score]]) -> None:
    scores = ScoreBook(make_scores(), (), TEXTS)
    shown = {tile.name: tile for tile in tiles(scores, GOOD)}
    assert shown["1-hop trends"].beside == ("real .950", "independent .792")
    assert shown["Privacy"].value == "no copies found"


@pytest.mark.parametrize(
    ("direction", "value", "distance"), [("higher", 0.9, 0.1), ("lower", 0.2, 0.2), ("half", 0.4, 0.2)]
)
def test_distance_from_ideal(direction: Any, value: float, distance: float) -> None:
    assert distance_from_ideal(Score("m", "table", "t", value, direction)) == pytest.approx(distance)


NEAR = c2st(0.5, 0.5)


def said(beyond: LeftOut, *scores: Score) -> str:
    return str(verdict(book(*(scores or NEAR)), GOOD, None, beyond))


@pytest.mark.parametrize(
    ("beyond", "words"),
    [
        (LeftOut(broken=[("t: a = b + c", 0.18), ("t: a <= b", 0.05)]), "breaks in 18"),
        (LeftOut(made_anew=["t.mail", "t.note"]), "made anew: 2 columns"),
        (LeftOut(tiny=["u"]), "Two rows or fewer are all that u has"),
        (LeftOut(coarse=["u"]), "drawn column by column: u"),
        (LeftOut(broken_keys=0.97), "In the columns that were judged"),
    ],
)
def test_rows_are_not_praised_beyond_what_was_measured(beyond: LeftOut, words: str) -> None:
    text = said(beyond)
    assert words in text
    assert "cannot be told from real ones" not in text


def test_what_was_left_out_is_named_where_nothing_speaks_against_the_rows() -> None:
    text = said(LeftOut(skipped=["small"], published=["airports"], merged=7))
    assert "cannot be told from real ones" in text
    assert "not judged</span> in small" in text and "by choice</span>, under new keys: airports" in text
    assert "7 rows of the real data held a category" in text
    assert text.index("airports") < text.index("cannot be told")


def test_the_worst_is_said_first_and_copies_are_not_praised() -> None:
    unjudged = str(
        verdict(book(*NEAR), replace(GOOD, severity="warn", word="not judged"), None, LeftOut(skipped=["u"]))
    )
    assert unjudged.index("not judged</span> in u") < unjudged.index("No sign of copying")
    copied = str(verdict(book(*NEAR), replace(GOOD, severity="bad", signs=(Sign("t", "bad", "copies"),)), None))
    assert (
        copied.index("Copying was found") < copied.index("A classifier does not tell")
        and "cannot be told" not in copied
    )


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_rules_count_whichever_way_they_are_scored(direction: Any) -> None:
    def rule(where: str, share: float, **detail: Any) -> Score:
        return Score("rules", "pair", where, 1 - share if direction == "higher" else share, direction, detail=detail)

    scores = book(
        Score("rules", "database", "database", 0.5, direction),
        rule("t: a", 0.02),
        rule("t: b", 0.4),
        rule("t: c", 0.009),
        rule("t: d", 0.9, counts=False),
    )
    found = left_out(scores, GOOD, {})
    assert [where for where, _ in found.broken] == ["t: b", "t: a"]
    assert found.forbids_praise


def test_published_and_skipped_tables_come_from_the_gate() -> None:
    tables = {
        "a": {"verdict": "not judged", "why": "tiny"},
        "b": {"verdict": "published by choice", "why": "declared"},
        "t": {"verdict": "pass", "why": ""},
    }
    found = copying(gate(PASSED, verdict="not judged", tables=tables))
    assert (found.judged, found.skipped, found.published) == (("t",), {"a": "tiny"}, {"b": "declared"})
    raws = {"t": {"columns": [{"name": "x", "codec": {"kind": "personal"}}]}}
    raws["b"] = {"columns": [{"name": "y", "codec": {"kind": "text"}}]}
    raws["t"]["columns"].append({"name": "z", "codec": {"kind": "categorical", "merged_rows": 3}})
    beyond = left_out(book(), found, {"rows": {"t": {"real": 2}}, "coarse": ["a"]}, Codecs.of(raws))
    assert (beyond.made_anew, beyond.merged, beyond.tiny, beyond.coarse) == (("t.x",), 3, ("t",), ("a",))


def test_a_declared_key_that_is_not_kept_is_named() -> None:
    dropped = (Relation("visit", ("ward",), "ward", ("code",)),)
    found = left_out(book(*c2st(0.5, 0.5)), GOOD, {}, None, dropped)
    text = verdict(book(*c2st(0.5, 0.5)), GOOD, None, found)
    assert "A declared key is not kept</span>: visit.ward to ward.code." in text
    assert "cannot be told from" not in text
