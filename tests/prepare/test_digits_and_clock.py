"""Categories as two digits and times of day as hour and minute come back as they were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.clock import ClockCodec, ClockLagCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.digits import DigitsCodec, is_told
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.schema import Column, Table, TableSchema

DRAW = Draw(np.random.default_rng(0))


def digits(values: pa.Array, min_count: int = 1) -> DigitsCodec:
    return DigitsCodec(CategoricalCodec.fit("c", ValueCounts.of(values), min_count))


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 120, 121, 122, 1625])
def test_digits_come_back(levels: int) -> None:
    values = pa.array([None if i == 1 else f"v{i:04d}" for i in np.random.default_rng(1).integers(0, levels, 5000)])
    codec = DigitsCodec.from_dict(digits(values).to_dict())
    encoded = codec.encode(values)
    sizes = [field.levels for field in codec.categorical_fields]
    assert (encoded.categorical.max(axis=0) < sizes).all()
    assert sum(sizes) <= 2 * np.ceil(np.sqrt(levels + 1)) + 1
    assert codec.decode(encoded.numerical, encoded.categorical, DRAW).equals(values)


def test_every_pair_of_digits_is_some_value() -> None:
    values = pa.array(np.repeat(np.arange(123), 3))
    codec = digits(values)
    blocks, places = (field.levels for field in codec.categorical_fields)
    pairs = np.stack(np.meshgrid(np.arange(blocks), np.arange(places)), axis=-1).reshape(-1, 2)
    decoded = codec.decode(np.zeros((len(pairs), 0, 2)), pairs, DRAW).to_numpy()
    assert set(decoded) == set(range(123))


def test_neighbouring_values_share_a_block() -> None:
    values = pa.array(np.random.default_rng(0).permutation(400))
    codec = digits(values)
    block = codec.encode(pa.array(np.arange(400))).categorical[:, 0]
    assert (np.diff(block) >= 0).all()


def test_rare_values_share_the_last_place_and_are_drawn_again() -> None:
    values = pa.array([f"often{i}" for i in range(30) for _ in range(20)] + ["rare1", "rare2"])
    codec = digits(values, min_count=5)
    encoded = codec.encode(values)
    decoded = codec.decode(encoded.numerical, encoded.categorical, DRAW).to_pylist()
    assert decoded[:600] == values.to_pylist()[:600]
    assert set(decoded[600:]) <= {"rare1", "rare2"}


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 23), st.integers(0, 59))), min_size=1))
def test_a_clock_comes_back(times: list[tuple[int, int] | None]) -> None:
    values = pa.array([None if time is None else 100 * time[0] + time[1] for time in [*times, (7, 30)]], pa.int64())
    codec = ClockCodec.from_dict(ClockCodec.fit("c", values, CodecConfig(min_entities=1)).to_dict())
    encoded = codec.encode(values)
    assert codec.decode(encoded.numerical, encoded.categorical, DRAW).equals(values)


def test_midnight_written_as_2400_has_no_minutes_after_it() -> None:
    codec = ClockCodec.fit("c", pa.array([2400.0, 1215.0, 930.0]), CodecConfig(min_entities=1))
    hour = codec.encode(pa.array([2400.0])).categorical[0, 0]
    minute = codec.encode(pa.array([1215.0])).categorical[0, 1]
    assert codec.decode(np.zeros((1, 0, 2)), np.array([[hour, minute]]), DRAW).to_pylist() == [2400.0]


@given(st.lists(st.tuples(st.integers(0, 1439), st.one_of(st.none(), st.integers(0, 1439))), min_size=3))
def test_a_lag_comes_back_across_midnight(times: list[tuple[int, int | None]]) -> None:
    start = pa.array([first // 60 * 100 + first % 60 for first, _ in times])
    end = pa.array([None if last is None else last // 60 * 100 + last % 60 for _, last in times], pa.float64())
    if end.null_count == len(end):
        return
    fitted = ClockLagCodec.fit("end", end, "start", start, CodecConfig(min_entities=1))
    codec = ClockLagCodec.from_dict(fitted.to_dict())
    encoded = codec.encode(end, start)
    middle = encoded.numerical.mean(axis=-1)
    assert codec.decode(middle, encoded.categorical, Draw(np.random.default_rng(0), given=start)).equals(end)


def test_a_lag_is_used_where_it_is_tighter() -> None:
    rng = np.random.default_rng(0)
    start, anywhere = rng.integers(0, 1440, 2000), rng.integers(0, 1440, 2000)
    end = (start + rng.integers(60, 180, 2000)) % 1440
    clock = [pa.array(minute // 60 * 100 + minute % 60) for minute in (start, end, anywhere)]
    assert ClockLagCodec.suits(clock[1], clock[0])
    assert not ClockLagCodec.suits(clock[2], clock[0])


def test_the_middle_of_a_smooth_distribution_is_no_atom_but_a_spike_is() -> None:
    delay = np.round(np.random.default_rng(0).normal(0, 25, 20_000))
    delay = np.append(delay, np.full(2_000, 40.0))
    smooth = NumericalCodec.fit("delay", ValueCounts.of(pa.array(delay)), CodecConfig(atom_share=0.01))
    assert smooth.atoms.values == (40.0,)


def test_digits_are_for_categories_that_other_columns_tell() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 40, 6000)
    told = pa.array([f"{k}-{i}" for k, i in zip(kind, rng.integers(0, 10, 6000), strict=True)])
    free = pa.array([f"w{i}" for i in rng.integers(0, 400, 6000)])
    noise, number = pa.array(rng.integers(0, 12, 6000)), pa.array(kind + rng.normal(size=6000) / 9)
    assert is_told("told", {"told": told, "number": number})
    assert is_told("told", {"told": told, "noise": noise, "kind": pa.array(kind)})
    assert not is_told("free", {"free": free, "number": number, "noise": noise, "told": told})
    assert not is_told("free", {"free": free})
    columns = (Column("told", "categorical"), Column("free", "categorical"), Column("number", "numerical"))
    table = Table(TableSchema("t", columns), pa.table({"told": told, "free": free, "number": number}))
    codec = TableCodec.fit(table, np.ones(6000, bool), ["told", "free", "number"], CodecConfig())
    assert [one.kind for one in codec.columns.values()] == ["digits", "categorical", "numerical"]
