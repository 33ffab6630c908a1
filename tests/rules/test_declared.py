"""Rules of a data set's yaml and of SDV metadata: read strictly, held against the real rows, before found ones."""

import json

import numpy as np
import pytest
from rule_cases import CASES
from rule_tables import database, family, grown, linked, rules_of, tables_of

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.rules.declared import declared_rules, held_against, metadata_rules
from tabgraphsyn.data.rules.find import find_rules
from tabgraphsyn.data.rules.store import load_rules
from tabgraphsyn.errors import ConfigError, DataError


def shop():
    rng = np.random.default_rng(0)
    whose, place = grown(rng)
    parent = {"id": np.arange(130), "total": np.bincount(whose, minlength=130), "born": np.full(130, 9)}
    return family({"p_id": whose, "nr": place + 1, "x": rng.integers(0, 9, len(whose))}, parent)


def test_keys_may_be_named_by_their_column_or_by_the_table_at_the_other_end():
    made = shop()
    raw = [
        {"kind": "parent_total", "table": "p", "column": "total", "relation": "c", "how": "count"},
        {"kind": "numbered", "table": "c", "column": "nr", "relation": "p"},
        {"kind": "order", "table": "c", "columns": ["x", {"column": "born", "through": "p_id"}]},
        {"kind": "bounds", "table": "c", "column": "x", "low": 0, "high": 5},
        {"kind": "multiple", "table": "c", "column": "nr", "step": 1},
        {"kind": "continued", "table": "c", "relation": "p", "column": "x", "of": "nr", "by": "nr"},
        {"kind": "parent_total", "table": "p", "column": "born", "relation": "c", "of": "x", "how": "last", "by": "nr"},
    ]
    rules = declared_rules(raw, made.schema)
    measured, notes = held_against(rules, tables_of(made))
    assert [one.support.broken for one in measured[:3]] == [0, 0, 0] and measured[4].support.broken == 0
    assert {one.support.source for one in measured} == {"declared"}
    wrong = measured[3].support.broken
    assert wrong > 0 and len(notes) == 3, "x goes on from nothing, and no p is born with an x"
    assert f"rule c: 0 <= x <= 5: {wrong} of {made['c'].num_rows} real rows break it" in notes[0]


def test_a_declared_rule_wins_over_the_found_one():
    made = CASES["strict"][0](np.random.default_rng(7))
    rules = declared_rules([{"kind": "order", "table": "t", "columns": ["first", "last"]}], made.schema)
    masks = {"t": np.ones(made["t"].num_rows, bool)}
    found = find_rules(made, linked(made), masks, (), rules)
    assert [(one.statement(), one.support.source) for one in found] == [("first <= last", "declared")]
    assert [(one.statement(), one.support.source) for one in rules_of(made)] == [("first < last", "found")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "order", "table": "q", "columns": ["a", "b"]}, "no table 'q'"),
        ({"kind": "order", "table": "c", "columns": ["x", "ny"]}, "c has no column 'ny'"),
        ({"kind": "numbered", "table": "c", "column": "nr", "relation": "q"}, "no key 'q' of c"),
        (
            {"kind": "order", "table": "c", "columns": ["x", {"column": "bron", "through": "p"}]},
            "p has no column 'bron'",
        ),
        ({"kind": "parent_total", "table": "p", "column": "total", "relation": "c", "of": "y"}, "c has no column 'y'"),
        (
            {
                "kind": "parent_total",
                "table": "p",
                "column": "born",
                "relation": "c",
                "of": "x",
                "how": "last",
                "by": "n",
            },
            "c has no column 'n'",
        ),
        ({"kind": "continued", "table": "c", "relation": "p", "column": "x", "of": "z"}, "c has no column 'z'"),
        ("x <= y", "an object with a 'kind'"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(rule, said):
    with pytest.raises(DataError, match=r"dataset\.rules 2") as error:
        declared_rules([{"kind": "unique", "table": "c", "columns": ["nr"]}, rule], shop().schema)
    assert said in str(error.value)


SDV = [
    ({"constraint_class": "Inequality", "low_column_name": "a", "high_column_name": "b"}, "a <= b"),
    (
        {
            "constraint_class": "Range",
            "constraint_parameters": {"low_column_name": "a", "middle_column_name": "b", "high_column_name": "c"},
        },
        "a < b < c",
    ),
    ({"constraint_name": "Positive", "column_name": "a"}, "0 <= a"),
    ({"constraint_class": "Negative", "column_name": "a", "strict_boundaries": True}, "a < 0"),
    ({"constraint_class": "ScalarInequality", "column_name": "a", "relation": ">=", "value": 3}, "3 <= a"),
    ({"constraint_class": "ScalarRange", "column_name": "a", "low_value": 1, "high_value": 9}, "1 < a < 9"),
    ({"constraint_class": "FixedIncrements", "column_name": "a", "increment_value": 5}, "a is a multiple of 5"),
    ({"constraint_class": "Unique", "column_names": ["a", "b"]}, "a and b together are unique"),
    ({"constraint_class": "OneHotEncoding", "column_names": ["a", "b"]}, "exactly one of a, b is set"),
    ({"constraint_class": "FixedCombinations", "column_names": ["a", "b"]}, "a, b stand together only as in real rows"),
    ({"constraint_class": "FixedNullCombinations", "column_names": ["a", "b"]}, "a, b are filled only as in real rows"),
]


@pytest.mark.parametrize(("raw", "statement"), SDV)
def test_constraints_of_sdv_are_read(tmp_path, raw, statement):
    schema = database({"t": {name: np.arange(5) for name in "abc"}}).schema
    path = tmp_path / "metadata.json"
    for spelled in ({"constraints": [raw]}, {"tables": {"t": {"constraints": [raw]}}}):
        path.write_text(json.dumps(spelled), encoding="utf-8")
        rules, notes = metadata_rules(path, schema)
        assert [(one.statement(), one.support.source) for one in rules] == [(statement, "metadata")] and not notes


def test_constraints_that_are_not_read_are_named_and_wrong_ones_refused(tmp_path):
    schema = database({"t": {"a": np.arange(5)}}).schema
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps({"constraints": [{"constraint_class": "mine.Odd", "column_name": "a"}]}))
    rules, notes = metadata_rules(path, schema)
    assert rules == [] and "constraint 1 (Odd): of no kind that is read" in notes[0]
    wrong = [{"constraint_class": "Positive", "column_name": "z"}, {"constraint_class": "Inequality"}, 7]
    path.write_text(json.dumps({"constraints": wrong}))
    with pytest.raises(DataError) as error:
        metadata_rules(path, schema)
    for said in (
        "constraint 1: t has no column 'z'",
        "constraint 2: it needs 'low_column_name'",
        "constraint 3: an object",
    ):
        assert said in str(error.value)


def test_ingest_reads_both_and_notes_what_real_rows_break(tmp_path):
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"{k},{k % 7},{k % 7 + k % 3}" for k in range(60))
    (tmp_path / "data" / "t.csv").write_text("k,low,high\n" + rows)
    rules = [
        {"kind": "order", "table": "t", "columns": ["low", "high"]},
        {"kind": "order", "table": "t", "columns": ["high", "low"]},
    ]
    options = DatasetOptions.from_mapping({"path": str(tmp_path / "data"), "rules": rules})
    profile = ingest_database(options, tmp_path / "out")
    kept = load_rules(tmp_path / "out" / "rules.json")
    assert [one.support.broken for one in kept] == [0, 40]
    assert any("high <= low: 40 of 60 real rows break it" in note for note in profile["notes"])
    assert read_json(tmp_path / "out" / "rules.json")["version"] == 1
    with pytest.raises(ConfigError, match=r"dataset\.rules: a list of rules"):
        DatasetOptions.from_mapping({"path": str(tmp_path / "data"), "rules": "low <= high"})
