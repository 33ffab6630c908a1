"""The gate catches generators that memorise, and only those."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from privacy_cases import PEOPLE, Rows, chosen, coarse, evaluated, held_out, isolated, people, together, with_noise

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.evaluation.gate import KEYS_ONLY, Gate
from tabgraphsyn.evaluation.run import run_metrics
from tabgraphsyn.evaluation.score import Score, Unscored
from tabgraphsyn.evaluation.statistics.evidence import Evidence, Share, auc_evidence, mean_difference, share_of
from tabgraphsyn.stages.evaluate import built_gate, built_metrics
from tabgraphsyn.stages.outside_sweep import composed_protocol

LOG = logging.getLogger("test")


@pytest.fixture(scope="module")
def judged() -> Callable[..., dict[str, Any]]:
    """``judged(real, synthetic, leave_out=(...), **settings)``: the gate's block by the privacy protocol."""
    config = composed_protocol("privacy")
    gate = built_gate(config)

    def judge(real: Rows, synthetic: Rows, only: tuple[str, ...] = (), **settings: Any) -> dict[str, Any]:
        metrics = built_metrics({name: each for name, each in config["metrics"].items() if not only or name in only})
        return run_metrics(metrics, evaluated(real, synthetic, **settings), LOG, gate=gate)["gate"]

    return judge


def failing(block: dict[str, Any]) -> set[tuple[str, str]]:
    return {(check["metric"], check["where"]) for check in block["checks"] if check["verdict"] == "fail"}


def trained(real: Rows) -> np.ndarray:
    return np.flatnonzero(~held_out(real)["person"])


def drawn(real: Rows, seed: int, count: int = PEOPLE) -> Rows:
    """What an exact memoriser gives back: training people with their visits, drawn with replacement."""
    return chosen(real, np.random.default_rng(seed).choice(trained(real), count))


def test_an_exact_memoriser_fails_by_every_metric_that_can_see_it(judged):
    real = people(0)
    block = judged(real, chosen(real, trained(real)))
    assert block["verdict"] == "fail"
    people_found = {metric for metric, where in failing(block) if where == "person"}
    assert people_found == {
        "copies",
        "near_copies",
        "dcr",
        "membership",
        "membership_classifier",
        "attribute_inference",
        "outlier_exposure",
        "copies_joined",
        "dcr_joined",
        "membership_joined",
    }
    assert block["checks"][0]["verdict"] == "fail" and "100.0% of" in block["text"]


def test_a_memoriser_with_noise_fails_without_one_exact_copy(judged):
    real = people(1)
    block = judged(real, with_noise(drawn(real, 2), 0.05, 3))
    exact = next(check for check in block["checks"] if (check["metric"], check["where"]) == ("copies", "person"))
    assert exact["value"] == 0.0
    assert {("near_copies", "person"), ("dcr", "person"), ("membership", "person")} <= failing(block)


@pytest.mark.parametrize("share", [0.05, 0.15])
def test_a_part_that_is_memorised_fails(judged, share):
    real, count = people(2), round(share * PEOPLE)
    mixed = together(drawn(real, 3, count), chosen(people(99), np.arange(PEOPLE - count)))
    assert ("copies", "person") in failing(judged(real, mixed, only=("copies", "near_copies")))


def test_memorised_outliers_fail_though_averages_hide_them(judged):
    real = people(2)
    rare = isolated(real, trained(real), 60)
    mixed = together(with_noise(chosen(real, rare), 0.02, 1), chosen(people(98), np.arange(PEOPLE - 60)))
    found = failing(judged(real, mixed))
    assert ("outlier_exposure", "person") in found
    assert not {("dcr", "person"), ("membership", "person")} & found


def test_copied_families_fail_where_their_rows_are_common(judged):
    real, fresh = coarse(people(3)), coarse(people(97))
    mixed = together(drawn(real, 4, 100), chosen(fresh, np.arange(PEOPLE - 100)))
    found = failing(judged(real, mixed))
    assert ("copies_joined", "person") in found
    assert not {("copies", "person"), ("copies", "visit"), ("near_copies", "visit"), ("dcr", "person")} & found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make", [lambda rows: rows, coarse], ids=["fine", "coarse"])
def test_fresh_rows_of_the_population_pass(judged, seed, make):
    block = judged(make(people(seed)), make(people(seed + 50)))
    assert block["verdict"] == "pass", block["text"]
    assert {check["table"] for check in block["checks"]} == {"person", "visit"}


@pytest.mark.parametrize("seed", range(2))
def test_the_holdout_itself_and_independent_columns_pass(judged, seed):
    real, rng = people(seed + 10), np.random.default_rng(seed)
    block = judged(real, chosen(real, np.flatnonzero(held_out(real)["person"])))
    assert block["verdict"] == "pass", block["text"]
    independent = {
        table: {name: v if name in ("id", "person") else rng.permutation(v) for name, v in columns.items()}
        for table, columns in chosen(real, trained(real)).items()
    }
    assert judged(real, independent)["verdict"] == "pass"


def test_tiny_tables_do_not_fail_by_chance_and_say_what_they_cannot_show(judged):
    for seed in range(3):
        real = chosen(people(seed + 20), np.arange(120))
        block = judged(real, chosen(people(seed + 70), np.arange(120)))
        assert block["verdict"] == "pass", block["text"]
    real = chosen(people(5), np.arange(40))
    block = judged(real, chosen(people(6), np.arange(40)))
    assert "only exact copies were judged (tiny: 4 rows held out" in block["weak"]["person"]
    # Exact copies need no holdout: a tiny table cannot hide behind its size.
    assert ("copies", "person") in failing(judged(real, chosen(real, trained(real))))


def test_without_a_holdout_exact_copies_are_judged_and_the_rest_is_named(judged):
    real = people(7)
    block = judged(real, real, trained_without_holdout=False)
    assert ("copies", "person") in failing(block)
    assert "no holdout is known" in block["weak"]["person"]
    # Exact copies are not all that copying can be: without a holdout nothing passes.
    assert judged(real, people(8), trained_without_holdout=False)["verdict"] == "not judged"


def test_a_published_table_is_named_and_no_part_of_a_pass(judged):
    real = people(9)
    plan = {"reference_tables": ["person"], "published": {"person": "declared, reference: true"}}
    block = judged(real, drawn(people(59), 1), plan=plan)
    assert block["tables"]["person"] == {"verdict": "published by choice", "why": "declared, reference: true"}
    assert block["verdict"] == "published by choice" and "'person' (declared, reference: true)" in block["text"]
    assert "kept on purpose" in block["not_judged"]["person"]
    assert all(check["table"] == "visit" for check in block["checks"])


def test_a_table_that_is_shared_but_not_published_is_still_searched_for_copies(judged):
    real = people(9)
    block = judged(real, drawn(real, 1), only=("copies",), plan={"reference_tables": ["person"], "published": {}})
    assert ("copies", "person") in failing(block)


def test_every_table_has_a_verdict_and_the_worst_is_the_databases():
    def found(*checks, tables="abcd", published=None):
        scores = [Score("dcr", "table", t, 0.5, "lower", detail={"evidence": e.to_dict()}) for t, e in checks]
        notes = [Unscored("dcr", t, why, "synthetic") for t, why in (("b", "tiny: 4 rows"), ("d", KEYS_ONLY))]
        return gate().judge(scores, notes, ["dcr"], list(tables), published or {})

    good, bad = Evidence(0.001, sd=0.001), Evidence(0.9, sd=0.001)
    block = found(("a", good), published={"c": "declared"})
    assert {t: one["verdict"] for t, one in block["tables"].items()} == {
        "b": "not judged",
        "c": "published by choice",
        "a": "pass",
    }
    assert next(iter(block["tables"])) == "b" and block["verdict"] == "not judged"
    assert "1 of 3 tables judged" in block["text"] and "'b' (b: tiny: 4 rows)" in block["text"]
    assert "published, real values under new keys: 'c' (declared)" in block["text"]
    assert found(("a", good), ("b", good), published={"c": "x"})["verdict"] == "published by choice"
    assert found(("a", good), ("b", good), ("c", good))["verdict"] == "pass"
    assert found(("a", good), ("c", bad))["verdict"] == "fail"
    assert found(tables="d")["verdict"] == "not judged"
    assert found(tables="c", published={"c": "x"})["verdict"] == "published by choice"


def score(evidence: Evidence, metric: str = "dcr") -> Score:
    return Score(metric, "table", "t", 0.5, "lower", detail={"evidence": evidence.to_dict(), "finding": "found"})


def gate(**changes: Any) -> Gate:
    limits = {"default": {"warn": 0.02, "fail": 0.1}}
    return Gate(
        **{"action": "warn", "confidence": 0.99, "warn_confidence": 0.99, "blind": 0.2, "limits": limits} | changes
    )


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (Evidence(0.3, sd=0.05), "fail"),
        (Evidence(0.3, sd=0.1), "warn"),
        (Evidence(0.3, sd=0.2), "pass"),
        (Evidence(0.05, sd=0.001), "warn"),
        (Evidence(0.01, sd=0.0001), "pass"),
        (Evidence(1.0, share=Share(1.0, 12), baselines=(Share(0.0, 12),)), "fail"),
        (Evidence(0.5, share=Share(0.5, 4), baselines=(Share(0.0, 4),)), "pass"),
        (Evidence(0.5, share=Share(0.9, 900), baselines=(Share(0.4, 900), Share(0.9, 900))), "pass"),
    ],
)
def test_a_verdict_asks_for_size_and_for_certainty(evidence, verdict):
    assert gate().judge([score(evidence)], [], ["copies"])["verdict"] == verdict


def test_more_checks_ask_for_more_certainty():
    one, many = [score(Evidence(0.3, sd=0.075))], [score(Evidence(0.3, sd=0.075))] * 40
    assert gate().judge(one, [], ["copies"])["verdict"] == "fail"
    assert gate().judge(many, [], ["copies"])["verdict"] == "warn"


def test_nothing_to_judge_is_said():
    assert gate().judge([], [], [])["text"] == "this protocol has no privacy metric"
    assert gate().judge([], [], ["copies"])["verdict"] == "not judged"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "fial"}, "Did you mean 'fail'"),
        ({"confidence": 1.0}, "confidence: a probability"),
        ({"limits": {"default": {"warn": 0.2, "fail": 0.1}}}, "limits.default"),
        ({"limits": {"copies": {"warn": 0.0, "fail": 0.1}}}, "'default' is missing"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        gate(**changes)


def test_intervals_by_hand():
    # Wilson's interval of 0 of 10 at z = 2 ends at 4 / 14; Newcombe's of two such shares is as wide on both sides.
    assert Share(0.0, 10).interval(2.0) == pytest.approx((0.0, 4 / 14))
    low, high = Evidence(0.0, share=Share(0.0, 10), baselines=(Share(0.0, 10),)).interval(0.9772498680518208)
    assert (low, high) == pytest.approx((-4 / 14, 4 / 14))
    known = Evidence(0.2, share=Share(0.5, 100), baselines=(Share(0.3, float("inf")),))
    assert Evidence.from_dict(known.to_dict()) == known


def test_rows_of_one_entity_count_once():
    counted = np.repeat([True, False, True, False], 25)
    assert share_of(counted, np.arange(100)).rows == 100
    assert share_of(counted, np.repeat(np.arange(4), 25)).rows == pytest.approx(4)
    assert share_of(np.ones(100, bool), np.repeat(np.arange(4), 25)).rows == 4


def test_chance_labels_are_within_their_spread():
    rng, beyond = np.random.default_rng(0), 0
    for _ in range(200):
        entities = np.repeat(np.arange(60), 5)
        values = np.repeat(rng.random(60), 5)
        member = np.isin(entities, rng.permutation(60)[:50])
        found = mean_difference(values[member], values[~member], entities[member], entities[~member])
        beyond += found.interval(0.95)[0] > 0
    assert 3 <= beyond <= 20  # 5 % of 200


def test_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    members, others = np.round(rng.normal(0.5, 1, 300), 1), np.round(rng.normal(0, 1, 80), 1)
    value, _ = auc_evidence(members, others, np.arange(300), np.arange(300, 380))
    label = np.repeat([1, 0], [300, 80])
    assert value == pytest.approx(roc_auc_score(label, np.concatenate([members, others])), abs=1e-9)


def without_column(rows: Rows, table: str, name: str) -> Rows:
    return {**rows, table: {key: values for key, values in rows[table].items() if key != name}}


def with_values(rows: Rows, table: str, name: str, values: Any) -> Rows:
    return {**rows, table: {**rows[table], name: values}}


@pytest.mark.parametrize(
    "hide",
    [
        lambda rows: without_column(rows, "person", "height"),
        lambda rows: with_values(rows, "person", "height", np.array(["tall"] * PEOPLE)),
        lambda rows: with_values(rows, "person", "height", np.full(PEOPLE, 170.0)),
        lambda rows: with_values(rows, "person", "height", np.full(PEOPLE, np.nan)),
    ],
    ids=["absent", "other_type", "constant", "not_a_number"],
)
def test_a_copy_does_not_hide_behind_a_spoilt_column(judged, hide):
    real = people(4)
    found = failing(judged(real, hide(drawn(real, 5)), only=("copies", "dcr", "copies_joined", "membership_joined")))
    assert {("copies", "person"), ("dcr", "person"), ("copies_joined", "person")} <= found
    assert judged(real, hide(people(60)), only=("copies", "dcr", "copies_joined"))["verdict"] == "pass"


def broken_keys(rows: Rows) -> Rows:
    return with_values(rows, "visit", "person", rows["visit"]["person"] + 10**6)


def unseen(rows: Rows) -> Rows:
    return with_values(rows, "person", "city", np.array(["Atlantis", "Utopia"])[np.arange(PEOPLE) % 2])


def spoilt(rows: Rows) -> Rows:
    person = {name: values if name == "id" else np.full(PEOPLE, np.nan) for name, values in rows["person"].items()}
    return {**rows, "person": person}


@pytest.mark.parametrize("change", [broken_keys, unseen, spoilt], ids=lambda change: change.__name__)
def test_bad_joined_rows_are_judged_or_explained(judged, change):
    block = judged(people(4), change(people(61)))
    assert block["verdict"] == ("not judged" if change is spoilt else "pass"), block["text"]
    if change is spoilt:
        assert "only joined rows were judged (every column is absent" in block["weak"]["person"]


def test_keys_that_cross_the_split_are_not_joined(judged):
    real = people(4)
    crossing = {"person": held_out(real)["person"], "visit": np.arange(len(real["visit"]["id"])) % 10 == 0}
    block = judged(real, people(62), only=("copies", "copies_joined"), is_holdout=crossing)
    assert "meet along this key" in block["not_judged"]["visit.person--person"]
