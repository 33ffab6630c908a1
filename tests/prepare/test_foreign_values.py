"""Values that no training row gave: a codec says which it does not take, and their fields stay empty."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.clock import ClockCodec, ClockLagCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.codec.table import TableCodec
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.errors import DataError

CONFIG = CodecConfig()
RNG = np.random.default_rng(0)
BEGIN = datetime.datetime(2020, 1, 1)


def moments(days: np.ndarray, hours: np.ndarray) -> pa.Array:
    made = [BEGIN + datetime.timedelta(days=int(day), hours=int(hour)) for day, hour in zip(days, hours, strict=True)]
    return pa.array(made, pa.timestamp("us"))


DAYS = RNG.integers(0, 900, 400)
START, END = moments(DAYS, np.full(400, 8)), moments(DAYS + RNG.choice([7, 30], 400), RNG.choice([9, 17], 400))
CLOCK = pa.array(RNG.choice([800, 930, 1745], 400))


def codecs() -> dict[str, tuple[ColumnCodec, pa.Array, pa.Array | None]]:
    """Return codecs, and for each a value that it takes and one that it does not, with what they count from."""
    lag = DatetimeCodec.fit("end", pa.chunked_array([END]), CONFIG, ("start", pa.chunked_array([START])))
    clock = ClockCodec.fit("clock", CLOCK, CONFIG)
    assert lag.given == "start" and clock is not None
    later = pa.array((CLOCK.to_numpy() + RNG.choice([100, 200], 400)).tolist())
    zero = moments(np.array([5, 5, 5]), np.array([8, 8, 8]))
    letters = CategoricalCodec.fit("c", ValueCounts.of(pa.array(["a", "b"] * 9)))
    return {
        "lag": (lag, moments(np.array([12, 16, 35]), np.array([9, 9, 17])), zero),
        "time": (lag, moments(np.array([12, 12, 35]), np.array([9, 11, 17])), zero),
        "clock": (clock, pa.array([800, 2203, 1745]), None),
        "clock lag": (
            ClockLagCodec.fit("later", later, "clock", CLOCK, CONFIG),
            pa.array([900, 907, 1130]),
            pa.array([800, 800, 930]),
        ),
        "category": (letters, pa.array(["a", "z", "b"]), None),
    }


@pytest.mark.parametrize("name", ["lag", "time", "clock", "clock lag", "category"])
def test_what_is_not_known_is_said_and_nothing_else_is_refused(name: str) -> None:
    codec, values, given = codecs()[name]
    known = codec.knows(values, given)
    assert known.tolist() == [True, False, True]
    with pytest.raises(DataError, match="training rows"):
        codec.encode(values, given)
    filled = pa.array(known)
    codec.encode(values.filter(filled), None if given is None else given.filter(filled))


def test_rows_from_elsewhere_are_encoded_but_for_what_is_not_known() -> None:
    lag, values, given = codecs()["lag"]
    start = DatetimeCodec.fit("start", pa.chunked_array([START]), CONFIG)
    table = TableCodec("t", {"start": start, "end": lag})
    fields, known = table.encode_known(pa.table({"start": given, "end": values}))
    assert known["start"].all() and known["end"].tolist() == [True, False, True]
    whole = table.encode(pa.table({"start": given, "end": values}).filter(pa.array(known["end"])))
    assert np.array_equal(fields.categorical[known["end"]], whole.categorical)
    assert np.array_equal(fields.numerical[known["end"]], whole.numerical)
