"""Arithmetic between columns: found only where it always holds, restored exactly."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.arithmetic import HourRule, SumRule, find_rules, rules_from_dict, rules_to_dict
from tabgraphsyn.data.schema import Column, Table, TableSchema


def clock(minutes):
    return minutes // 60 * 100 + minutes % 60


@pytest.fixture
def flights():
    rng = np.random.default_rng(0)
    planned, delay = rng.integers(0, 1440, 600), rng.integers(-30, 300, 600)
    day = np.datetime64("2013-01-01", "us") + rng.integers(0, 30, 600) * np.timedelta64(1, "D")
    known = rng.random(600) > 0.1
    return {
        "planned": pa.array(clock(planned)),
        "delay": pa.array(delay, mask=~known),
        "actual": pa.array(clock((planned + delay) % 1440), mask=~known),
        "hour": pa.array(day + (planned // 60) * np.timedelta64(1, "h"), pa.timestamp("us")),
        "price": pa.array(rng.normal(100, 10, 600)),
    }


def test_clock_sums_and_hours_are_found(flights):
    rules = find_rules(flights)
    assert SumRule("actual", "planned", "delay") in rules
    assert HourRule("hour", "planned") in rules
    assert len(rules) == 2
    assert rules_from_dict(json.loads(json.dumps(rules_to_dict(rules)))) == rules


def test_one_exception_is_no_rule(flights):
    actual = flights["actual"].to_pylist()
    row = next(number for number, value in enumerate(actual) if value is not None)
    actual[row] = clock((actual[row] // 100 * 60 + actual[row] % 100 + 1) % 1440)
    rules = find_rules({**flights, "actual": pa.array(actual)})
    assert [rule.column for rule in rules] == ["hour"]


def test_sums_of_other_numbers_are_left_to_the_rules():
    rng = np.random.default_rng(1)
    net, tax = rng.integers(100, 9_000, 300), rng.integers(1, 99, 300)
    rules = find_rules({"net": pa.array(net), "tax": pa.array(tax), "gross": pa.array(net + tax)})
    assert rules == ()


def test_unrelated_columns_have_no_rules():
    rng = np.random.default_rng(2)
    assert find_rules({name: pa.array(rng.integers(0, 50, 400)) for name in "abcde"}) == ()


def test_decoded_rows_keep_the_rules_and_missing_values(flights):
    kinds = {"hour": "datetime"}
    columns = tuple(Column(name, kinds.get(name, "numerical")) for name in flights)
    table = Table(TableSchema("flights", columns), pa.table(flights))
    codec = TableCodec.fit(table, np.ones(600, bool), list(flights), CodecConfig())
    codec = TableCodec.from_dict(json.loads(json.dumps(codec.to_dict())))
    encoded = codec.encode(pa.table(flights))
    rng = np.random.default_rng(3)
    blurred = encoded.numerical.mean(axis=2) + 0.3 * rng.normal(size=encoded.numerical.shape[:2])
    rows = codec.decode(blurred, encoded.categorical, rng)
    made = {
        name: rows[name].combine_chunks().cast(pa.float64(), safe=False).to_numpy(False) for name in columns_of(flights)
    }
    known = ~np.isnan(made["delay"])
    minute = (made["planned"] // 100 * 60 + made["planned"] % 100 + made["delay"])[known] % 1440
    assert np.array_equal(made["actual"][known], minute // 60 * 100 + minute % 60)
    assert np.isnan(made["actual"]).mean() == pytest.approx(0.1, abs=0.05)
    assert np.array_equal(np.array([t.hour for t in rows["hour"].to_pylist()]), made["planned"] // 100)


def columns_of(flights):
    return [name for name in flights if name != "hour"]
