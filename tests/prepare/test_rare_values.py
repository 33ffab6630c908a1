"""What fewer than k entities hold leaves a codec in no form: not as a level, a knot, a bound, or a count."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.codec.groups import drawn_in, groups, knots
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.schema import Column, Table, TableSchema

K = 5


def fitted(columns, values, entities=None, table="t", **config):
    rows = pa.table(values)
    schema = TableSchema(table, tuple(Column(name, kind) for name, kind in columns.items()))
    is_training = np.ones(rows.num_rows, dtype=bool)
    codec = TableCodec.fit(Table(schema, rows), is_training, list(columns), CodecConfig(**config), entities)
    return TableCodec.from_dict(json.loads(json.dumps(codec.to_dict(), allow_nan=False)))


def drawn(codec, rows=2_000, seed=0):
    """Rows of random fields: whatever a model may come up with."""
    rng = np.random.default_rng(seed)
    layout = codec.layout
    numerical = rng.normal(size=(rows, len(layout.numerical))) * 2
    categorical = np.stack([rng.integers(0, f.levels, rows) for f in layout.categorical] or [np.zeros(rows)], axis=1)
    return codec.decode(numerical, categorical[:, : len(layout.categorical)].astype(int), rng)


def scalars(raw):
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key not in ("step", "decimals", "low", "high", "offset", "span"):
                yield from scalars(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from scalars(value)
    else:
        yield raw


def holders(values, entities):
    found = {}
    for value, entity in zip(values, entities, strict=True):
        found.setdefault(value, set()).add(entity)
    return {value: len(held) for value, held in found.items()}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_group_is_held_by_enough_entities_and_no_rare_number_is_listed(data):
    rows = data.draw(st.integers(1, 200))
    values = np.array(data.draw(st.lists(st.integers(-30, 60), min_size=rows, max_size=rows))) * 1.5
    entities = np.array(data.draw(st.lists(st.integers(0, 25), min_size=rows, max_size=rows)))
    counted = ValueCounts.of(pa.array(values), entities)
    numbers = counted.distinct.to_numpy()
    for group in groups(counted, K, 400):
        inside = (values >= numbers[group.first]) & (values <= numbers[group.last])
        assert len(np.unique(entities[inside])) >= K and inside.sum() == group.rows
    found = knots(counted, numbers, K, 400, None)
    held = holders(values.tolist(), entities.tolist())
    bounds = {float(found.values[0]), float(found.values[-1])} if len(found.ties) == 0 else set()
    rare = {value for value in found.values.tolist() if 0 < held.get(value, 0) < K}
    assert rare <= bounds  # where not even two groups can be made, bounds are powers of ten: any value may be one
    assert (np.diff(found.values) >= 0).all()
    ranks = np.stack([found.low, found.high], axis=1).reshape(-1)
    assert (np.diff(ranks) >= 0).all() and ranks[0] == 0 and ranks[-1] == 1


def test_one_entity_with_many_rows_is_one_entity():
    """A dialysis patient with 240 readings around 8 is nobody's group."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(8, 0.2, 240), rng.normal(1, 0.2, 1_760)]).round(2)
    entities = np.concatenate([np.full(240, 17), rng.integers(100, 400, 1_760)])
    codec = fitted({"creatinine": "numerical"}, {"creatinine": values}, entities)
    assert drawn(codec)["creatinine"].to_numpy().max() < 2
    listed = {round(v, 6) for v in scalars(codec.columns["creatinine"].to_dict()) if isinstance(v, float)}
    assert not listed & set(values[:240].tolist())


@pytest.mark.parametrize("kind", ["int", "float", "date", "timestamp"])
def test_rare_numbers_and_times_are_not_listed_and_bounds_are_drawn_in(kind):
    rng = np.random.default_rng(1)
    values = {
        "int": pa.array(rng.lognormal(10, 1, 600).astype(int)),
        "float": pa.array(rng.lognormal(3, 1, 600).round(3)),
        "date": pa.array([dt.datetime(1990, 1, 1) + dt.timedelta(days=int(n)) for n in rng.integers(0, 9000, 600)]),
        "timestamp": pa.array(
            [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=int(n)) for n in rng.integers(0, 10**8, 600)]
        ),
    }[kind]
    codec = fitted({"c": "numerical" if kind in ("int", "float") else "datetime"}, {"c": values})
    raw = codec.columns["c"].to_dict()
    plain = (
        values.cast(pa.timestamp("us")).cast(pa.int64())
        if "datetime" in str(values.type) or pa.types.is_timestamp(values.type)
        else values
    )
    numbers = plain.to_numpy()
    rare = set(numbers.tolist())
    if kind in ("date", "timestamp"):
        rare |= set((numbers // 86_400_000_000).tolist()) if kind == "date" else set()
    listed = [v for v in scalars(raw) if isinstance(v, int | float) and not isinstance(v, bool)]
    assert not rare & set(listed)
    new = drawn(codec)["c"].combine_chunks()
    new = (new.cast(pa.timestamp("us")).cast(pa.int64()) if pa.types.is_timestamp(new.type) else new).to_numpy()
    ordered = np.sort(numbers)
    slack = 86_400_000_000 if kind in ("date", "timestamp") else 0
    assert ordered[0] - slack <= new.min() and new.max() <= ordered[-1] + slack
    if kind in ("int", "float"):
        assert new.min() >= ordered[K - 1] and new.max() <= ordered[-K]
    assert 0.5 < np.std(np.log1p(new)) / np.std(np.log1p(numbers)) < 2 or kind in ("date", "timestamp")


def test_the_distribution_is_kept():
    rng = np.random.default_rng(2)
    values = rng.gamma(2, 10, 1_000).round(1)
    codec = fitted({"c": "numerical"}, {"c": values})
    new = codec.decode(rng.normal(size=(20_000, 1)), np.empty((20_000, 0), int), rng)["c"].to_numpy()
    grid = np.unique(values)
    gap = np.abs((values[:, None] <= grid).mean(axis=0) - (new[:, None] <= grid).mean(axis=0)).max()
    assert gap < 0.02
    assert np.array_equal(new, new.round(1))


WORDS = [("flu", 300), ("asthma", 200), ("Fabry disease", 1), ("Pompe disease", 4), ("gout", 5)]


@pytest.mark.parametrize("missing", [0, 30])
def test_rare_categories_stand_neither_in_the_codec_nor_in_the_output(missing):
    values = pa.array([word for word, count in WORDS for _ in range(count)] + [None] * missing)
    codec = fitted({"c": "categorical"}, {"c": values})
    text = json.dumps(codec.to_dict())
    assert "Fabry" not in text and "Pompe" not in text and "gout" in text
    one = codec.columns["c"]
    assert (one.merged_values, one.merged_rows) == (2, 5)
    new = set(drawn(codec)["c"].to_pylist())
    assert new == {"flu", "asthma", "gout"} | ({None} if missing else set())


def test_a_value_of_one_person_in_many_rows_is_rare():
    values = pa.array(["usual"] * 400 + ["special"] * 100)
    entities = np.concatenate([np.arange(400) % 80, np.full(100, 999)])
    assert "special" not in json.dumps(fitted({"c": "categorical"}, {"c": values}, entities).to_dict())
    assert "special" in json.dumps(fitted({"c": "categorical"}, {"c": values}).to_dict())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([10115 + 7 * n for n in range(80)]),
        pa.array([f"PX-{n:05d}" for n in range(80)]),
        pa.array([f"Saint Elmo {n} clinic" for n in range(80)]),
        pa.array([f"item{n // 3}" for n in range(80)]),
    ],
    ids=["whole_numbers", "codes", "labels", "codes_of_three"],
)
def test_categories_that_name_rows_are_made_anew(values):
    codec = fitted({"c": "categorical"}, {"c": values})
    text = json.dumps(codec.to_dict())
    assert not [one for one in values.to_pylist() if str(one) in text]
    new = drawn(codec, 80)["c"].combine_chunks()
    assert new.type == values.type and new.null_count == 0
    if pa.types.is_integer(values.type):
        assert pa.compute.min_max(new).as_py()["min"] >= 10_000 and pa.compute.min_max(new).as_py()["max"] < 100_000


def test_what_follows_from_a_rare_value_is_not_shipped_either():
    code = ["a"] * 300 + ["b"] * 300 + ["z"] * 2
    price = [1.25] * 300 + [2.5] * 300 + [77.77] * 2
    codec = fitted({"code": "categorical", "price": "numerical"}, {"code": code, "price": price})
    text = json.dumps(codec.to_dict())
    assert "77.77" not in text and '"z"' not in text
    new = drawn(codec)
    assert set(zip(new["code"].to_pylist(), new["price"].to_pylist(), strict=True)) == {("a", 1.25), ("b", 2.5)}


def test_numbers_of_few_values_take_the_nearest_that_may_be_named():
    values = [1] * 50 + [2] * 60 + [3] * 55 + [17] * 2
    codec = fitted({"c": "numerical"}, {"c": values})
    back = codec.decode(*middle(codec, {"c": values}), np.random.default_rng(0))["c"].to_pylist()
    assert back == [1] * 50 + [2] * 60 + [3] * 55 + [3] * 2


def middle(codec, values):
    encoded = codec.encode(pa.table(values))
    return encoded.numerical.mean(axis=2), encoded.categorical


@pytest.mark.parametrize("rows", [1, 2, 4, 7, 9])
def test_a_handful_of_rows_tells_nothing(rows):
    values = [101_234.5 + 1_111.1 * n for n in range(rows)]
    codec = fitted({"c": "numerical"}, {"c": values})
    listed = [v for v in scalars(codec.to_dict()["columns"]) if isinstance(v, float)]
    assert not {round(v, 1) for v in values} & {round(v, 1) for v in listed}
    assert len(drawn(codec, 10)) == 10


def test_repeated_codes_say_no_frequency_of_one():
    counts = [300, 100, *range(60, 10, -1)]
    values = [f"C{n:04d}" for n, count in enumerate(counts) for _ in range(count)]
    codec = fitted({"c": "id"}, {"c": values})
    assert 300 not in codec.columns["c"].head and len(set(codec.columns["c"].head)) < len(counts) / 5


def test_drawn_in_bounds_are_nobodys():
    values = np.arange(100.0) ** 2
    low, high = drawn_in(values, None, K)
    assert values[K - 1] < low < values[K] and values[-K - 1] < high < values[-K]
    assert drawn_in(values, np.zeros(100, int), K) == (0.0, 10_000.0)


@pytest.mark.parametrize("unit_s", [60, 3_600, 86_400])
def test_ends_of_times_on_a_grid_are_times_of_nobody(unit_s):
    moments = np.repeat(1_357_005_600 // unit_s * unit_s + np.arange(200) * unit_s, 3)  # each of three rows
    values = pa.chunked_array([pa.array(moments * 1_000_000).cast(pa.timestamp("us"))])
    codec = DatetimeCodec.fit("t", values, CodecConfig(), None, None)
    assert not {codec.minimum_us, codec.maximum_us} & set((moments * 1_000_000).tolist())
    first, last = (int(end) // 86_400 for end in (moments.min(), moments.max()))
    assert first <= codec.minimum_us // 86_400_000_000 <= first + 1
    assert last - 1 <= codec.maximum_us // 86_400_000_000 <= last
