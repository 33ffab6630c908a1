"""Times of day, as hour and minute or as a lag, come back as they were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.data.codec.clock import ClockCodec, ClockLagCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.counts import ValueCounts

DRAW = Draw(np.random.default_rng(0))


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
