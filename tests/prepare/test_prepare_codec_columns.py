import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.pattern import Pattern
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.errors import ConfigError, DataError

US = pa.timestamp("us")


def fit(column, values, is_training=None, **config):
    """Fit one column; return the codec after a round of json, and the table."""
    table = Table(TableSchema("t", (column,)), pa.table({column.name: values}))
    mask = np.ones(len(values), dtype=bool) if is_training is None else is_training
    codec = TableCodec.fit(table, mask, [column.name], CodecConfig(**{"min_entities": 1, **config}))
    return TableCodec.from_dict(json.loads(json.dumps(codec.to_dict(), allow_nan=False)))


def kind(codec):
    return next(iter(codec.columns.values())).kind


def round_trip(codec, values, column="c", where=0.5):
    encoded = codec.encode(pa.table({column: values}))
    numbers = encoded.numerical[..., 0] + where * (encoded.numerical[..., 1] - encoded.numerical[..., 0])
    return codec.decode(numbers, encoded.categorical, np.random.default_rng(0)).column(0).combine_chunks()


NUMBER = Column("c", "numerical")
integers = st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), min_size=2, max_size=200)


@settings(max_examples=150, deadline=None)
@given(
    values=integers,
    normalisation=st.sampled_from(["quantile", "cdf", "standard", "none"]),
    where=st.floats(0.1, 0.9),
)
def test_integers_come_back(values, normalisation, where):
    array = pa.array(values, pa.int64())
    codec = fit(NUMBER, array, normalisation=normalisation)
    decoded = round_trip(codec, array, where=where)
    assert decoded.type == pa.int64()
    assert decoded.is_null().equals(array.is_null())
    exact, back = array.drop_null().to_numpy(), decoded.drop_null().to_numpy()
    assert np.abs(exact - back).max(initial=0) <= 1e-6 * (np.ptp(exact) if len(exact) else 0)


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=2, max_size=200),
    missing=st.sampled_from(["factor", "category"]),
)
def test_floats_come_back_within_precision(values, missing):
    array = pa.array([*values, None], pa.float64())
    codec = fit(NUMBER, array, missing=missing)
    decoded = round_trip(codec, array)
    assert decoded.null_count == 1 and decoded.is_null()[-1].as_py()
    exact, back = np.array(values), decoded.drop_null().to_numpy()
    assert np.abs(exact - back).max() <= 1e-5 * np.ptp(exact)
    assert back.min() >= exact.min() and back.max() <= exact.max()


def test_ranks_are_normal_and_ties_stay_ties():
    rng = np.random.default_rng(0)
    values = np.round(rng.lognormal(3, 1, 20_000), 0).astype(np.int64)
    codec = fit(NUMBER, pa.array(values), atom_share=1.0, max_discrete=0)
    encoded = codec.encode(pa.table({"c": values}))
    low, high = encoded.numerical[:, 0, 0], encoded.numerical[:, 0, 1]
    drawn = low + rng.random(len(values)) * (high - low)
    assert kstest(drawn, "norm").statistic < 0.02
    decoded = codec.decode(rng.normal(size=(20_000, 1)), np.empty((20_000, 0), int), rng).column(0).to_numpy()
    assert set(decoded) <= set(values)
    shares = [np.bincount(sample, minlength=values.max() + 1) / 20_000 for sample in (values, decoded)]
    assert np.abs(shares[0] - shares[1]).max() < 0.01


def test_many_distinct_values_keep_their_lattice_and_heaps():
    rng = np.random.default_rng(1)
    values = np.where(rng.random(40_000) < 0.5, rng.integers(0, 200, 40_000) * 500, rng.integers(0, 100_000, 40_000))
    codec = fit(NUMBER, pa.array(values))
    assert len(codec.columns["c"].normalisation.ranks.values) <= 2_000
    drawn = codec.decode(rng.normal(size=(40_000, 1)), np.zeros((40_000, 1), int), rng).column(0).to_numpy()
    assert abs((drawn % 500 == 0).mean() - (values % 500 == 0).mean()) < 0.03


def test_step_and_decimals_are_kept():
    rng = np.random.default_rng(2)
    values = rng.permutation(5_000)[:500] * 0.25 + 3
    codec = fit(NUMBER, pa.array(values))
    drawn = codec.decode(rng.normal(size=(1_000, 1)), np.empty((1_000, 0), int), rng).column(0).to_numpy()
    assert np.array_equal(drawn * 4, np.rint(drawn * 4))
    assert drawn.min() >= values.min() and drawn.max() <= values.max()


def test_atoms_gate_the_number():
    rng = np.random.default_rng(3)
    number = rng.normal(size=5_000)
    number[:1_000] = 0.0
    array = pa.array(number, mask=np.arange(5_000) >= 4_500)
    codec = fit(NUMBER, array)
    assert [(field.name, field.levels) for field in codec.layout.categorical] == [("c:gate", 3)]
    assert codec.layout.numerical[0].gate == 0
    encoded = codec.encode(pa.table({"c": array}))
    assert (encoded.categorical[:1_000, 0] == 1).all() and (encoded.categorical[4_500:, 0] == 2).all()
    outside = encoded.numerical[encoded.categorical[:, 0] > 0, 0]
    assert (outside == np.float32([-1.7, 1.7])).all()
    assert round_trip(codec, array)[:1_000].to_pylist() == [0.0] * 1_000


def test_missing_as_a_factor_has_its_own_field():
    array = pa.array([None, *np.arange(300.0)] + [7.5] * 100)
    codec = fit(NUMBER, array, missing="factor")
    assert [field.name for field in codec.layout.categorical] == ["c:gate", "c:missing"]
    assert round_trip(codec, array).null_count == 1


def test_small_tables_have_no_atoms_of_one_row():
    codec = fit(NUMBER, pa.array(np.arange(45) * 1000 + 7))
    assert not codec.layout.categorical
    assert len(codec.layout.numerical) == 1


def test_outliers_are_clipped():
    values = np.concatenate([np.linspace(0, 1, 1_999), [1e6]])
    codec = fit(NUMBER, pa.array(values), outliers="clip", outlier_quantile=0.01)
    assert round_trip(codec, pa.array(values)).to_numpy().max() < 1.0


categories = st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(values=categories)
def test_categories_come_back(values):
    array = pa.array(values, pa.string())
    codec = fit(Column("c", "categorical"), array)
    assert round_trip(codec, array).equals(array)
    assert bool(codec.layout.categorical) == (len(set(values)) > 1)


def test_a_category_that_names_rows_is_made_anew():
    column = Column("name", "categorical")
    names = pa.array([f"airport {number}" for number in range(40)] + [None])
    codec = fit(column, names, min_entities=5)
    assert [field.levels for field in codec.layout.categorical] == [2]  # only whether there is a name
    back = round_trip(codec, names, "name")
    assert not set(back.drop_null().to_pylist()) & set(names.to_pylist())
    assert back.is_null().to_pylist() == names.is_null().to_pylist()
    assert "airport" not in json.dumps(codec.to_dict())


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.booleans()), min_size=1))
def test_booleans_come_back(values):
    array = pa.array(values, pa.bool_())
    decoded = round_trip(fit(Column("c", "boolean"), array), array)
    assert decoded.equals(array)


@pytest.mark.parametrize("values", [[0.0, -0.0, 1.0, 1.0], [1, 2, 1, None], ["a", None], [True, None, False]])
def test_any_type_can_be_a_category(values):
    array = pa.array(values)
    assert round_trip(fit(Column("c", "categorical"), array), array).equals(array)


def test_rare_categories_share_a_level_and_come_back_by_frequency():
    array = pa.array(["x"] * 100 + ["a"] * 3 + ["b"])
    codec = fit(Column("c", "categorical"), array, min_count=5)
    assert codec.layout.categorical[0].levels == 2
    levels = np.ones((4_000, 1), dtype=int)
    decoded = codec.decode(np.empty((4_000, 0)), levels, np.random.default_rng(0)).column(0).to_pylist()
    assert set(decoded) == {"a", "b"}
    assert 0.70 < decoded.count("a") / 4_000 < 0.80


def test_a_category_of_the_holdout_does_not_exist():
    array = pa.array(["a", "b", "a", "secret"])
    codec = fit(Column("c", "categorical"), array, np.array([True, True, True, False]))
    assert "secret" not in json.dumps(codec.to_dict())
    with pytest.raises(DataError, match=r"c: values that the training rows do not hold.*'secret'"):
        codec.encode(pa.table({"c": array}))


def test_bounds_come_from_training_rows():
    values = np.concatenate([np.arange(1_000.0), [1e9]])
    codec = fit(NUMBER, pa.array(values), np.arange(1_001) < 1_000)
    drawn = codec.decode(np.full((1, 1), 9.0), np.empty((1, 0), int), np.random.default_rng(0))
    assert 990 < drawn.column(0).to_pylist()[0] <= 999.0


@pytest.mark.parametrize("sdtype", ["numerical", "categorical", "datetime", "id", "text"])
def test_all_null_and_constant_columns_take_no_field(sdtype):
    arrow_type = {"numerical": pa.float64(), "datetime": US}.get(sdtype, pa.string())
    array = pa.nulls(30, arrow_type)
    codec = fit(Column("c", sdtype), array)
    assert codec.layout.is_empty
    assert codec.encode(pa.table({"c": array})).rows == 30
    assert round_trip(codec, array).equals(array)


TIME = Column("c", "datetime")
seconds = st.integers(-2_000_000_000, 4_000_000_000)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.one_of(st.none(), seconds), min_size=1, max_size=200), where=st.floats(0.2, 0.8))
def test_times_come_back_to_the_second(values, where):
    array = pa.array([None if value is None else value * 1_000_000 for value in values], pa.int64()).cast(US)
    codec = fit(TIME, array)
    decoded = round_trip(codec, array, where=where)
    assert decoded.equals(array)


def test_random_latents_decode_to_times_that_exist_and_dates_stay_dates():
    rng = np.random.default_rng(0)
    days = rng.integers(18_000, 18_060, 400) * 86_400_000_000  # around 29 February 2020: 60 days
    codec = fit(TIME, pa.array(days).cast(US), max_discrete=10)
    sizes = [field.levels for field in codec.layout.categorical]
    levels = np.stack([rng.integers(0, size, 3_000) for size in sizes], axis=1) if sizes else np.empty((3_000, 0), int)
    numbers = rng.normal(size=(3_000, len(codec.layout.numerical)))
    drawn = codec.decode(numbers, levels, rng).column(0)
    stamps = drawn.to_pylist()
    assert all((one.hour, one.minute, one.second) == (0, 0, 0) for one in stamps)
    assert days.min() <= drawn.cast(pa.int64()).to_numpy().min()
    assert drawn.cast(pa.int64()).to_numpy().max() <= days.max()


def test_weekday_is_kept_where_it_matters():
    rng = np.random.default_rng(0)
    days = rng.integers(17_000, 19_000, 4_000)
    days = days[(days + 3) % 7 < 5]
    codec = fit(TIME, pa.array(days * 86_400_000_000).cast(US))
    names = [field.name for field in codec.layout.categorical]
    assert names == ["c:weekday"]
    numbers, weekday = rng.normal(size=(2_000, 1)), rng.integers(0, 5, (2_000, 1))
    drawn = codec.decode(numbers, weekday, rng).column(0).to_pylist()
    assert [one.weekday() for one in drawn] == weekday[:, 0].tolist()


def test_second_time_is_a_lag_to_the_first_complete_one():
    rng = np.random.default_rng(0)
    rows = 3_000
    start = rng.integers(1_400_000_000, 1_500_000_000, rows) * 1_000_000
    lag = np.where(rng.random(rows) < 0.6, 0, rng.integers(1, 90, rows)) * 86_400_000_000
    columns = {
        "holed": pa.array(start, mask=rng.random(rows) < 0.5).cast(US),
        "start": pa.array(start).cast(US),
        "end": pa.array(start + lag, mask=rng.random(rows) < 0.1).cast(US),
    }
    table = Table(TableSchema("t", tuple(Column(name, "datetime") for name in columns)), pa.table(columns))
    codec = TableCodec.fit(table, np.ones(rows, dtype=bool), list(columns), CodecConfig(min_entities=1))
    codec = TableCodec.from_dict(json.loads(json.dumps(codec.to_dict())))
    assert [one.given for one in codec.columns.values()] == ["start", None, "start"]
    encoded = codec.encode(table.read())
    decoded = codec.decode(encoded.numerical.mean(axis=2), encoded.categorical, rng)
    for name in columns:
        assert decoded.column(name).combine_chunks().equals(columns[name]), name


def test_a_time_counted_from_one_that_is_missing_has_no_place_of_its_own():
    rng = np.random.default_rng(0)
    start = pa.array(rng.integers(1_400_000_000, 1_500_000_000, 500) * 1_000_000).cast(US)
    end = pa.array(start.cast(pa.int64()).to_numpy() + rng.integers(1, 90, 500) * 86_400_000_000).cast(US)
    table = Table(
        TableSchema("t", (Column("start", "datetime"), Column("end", "datetime"))),
        pa.table({"start": start, "end": end}),
    )
    codec = TableCodec.fit(table, np.ones(500, dtype=bool), ["start", "end"], CodecConfig(min_entities=1))
    assert codec.columns["end"].given == "start"
    lost = pa.array(start.to_pylist(), US, mask=np.arange(500) % 5 == 0)
    own = codec.columns["end"]
    assert (own.knows(end, lost) == (np.arange(500) % 5 != 0)).all()
    made = own.encode(end, lost)
    assert np.isfinite(made.numerical).all()
    back = own.decode(made.numerical.mean(axis=2), made.categorical, Draw(rng, given=lost))
    assert back.null_count == 100 and back.drop_null().equals(end.filter(lost.is_valid()))


def test_unique_ids_are_made_anew_in_their_pattern():
    values = [f"TX-{number:05d}" for number in range(0, 9_000, 3)]
    codec = fit(Column("c", "id"), pa.array(values))
    assert codec.layout.is_empty
    rng, made = np.random.default_rng(0), []
    for first in (0, 5_000):
        empty = np.empty((5_000, 0))
        made += codec.decode(empty, empty.astype(int), rng, first_row=first).column(0).to_pylist()
    assert len(set(made)) == 10_000
    assert all(one.startswith("TX-") and one[3:].isdigit() and len(one) == 8 for one in made)
    assert not any(value in json.dumps(codec.to_dict()) for value in values)


def test_whole_number_ids_are_unique_beyond_their_span_and_keep_nulls():
    codec = fit(Column("c", "id"), pa.array([*range(100, 200), None]))
    levels = np.zeros((500, 1), dtype=int)
    levels[0] = 1
    made = codec.decode(np.empty((500, 0)), levels, np.random.default_rng(0)).column(0).to_pylist()
    assert made[0] is None
    assert len(set(made)) == 500 and min(made[1:]) >= 100


def test_repeated_ids_repeat_as_often():
    values = [f"g{number}" for number in range(50) for _ in range(10)]
    codec = fit(Column("c", "id"), pa.array(values))
    empty = np.empty((5_000, 0))
    made = codec.decode(empty, empty.astype(int), np.random.default_rng(0)).column(0).to_pylist()
    assert len(set(made)) == 50


def test_regex_of_the_metadata_is_used():
    codec = fit(Column("c", "id", regex_format=r"(AB|C)-[0-9]{3}"), pa.array(["AB-123", "C-001"]))
    empty = np.empty((300, 0))
    made = codec.decode(empty, empty.astype(int), np.random.default_rng(0)).column(0).to_pylist()
    assert len(set(made)) == 300
    assert {one.split("-")[0] for one in made} == {"AB", "C"}


@pytest.mark.parametrize(
    ("regex", "message"),
    [
        ("(", "no regular expression"),
        (r"(?=a)b", "assert"),
        ("[^a]", "not_literal"),
        ("[^ab]", "negate"),
        (r"\Bx\1", "no regular expression"),
    ],
)
def test_regex_that_cannot_make_ids(regex, message):
    with pytest.raises(DataError, match=message):
        Pattern.from_regex(regex)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=40), count=st.integers(1, 300))
def test_learned_patterns_make_unique_ids_of_seen_lengths(values, count):
    values = [value for value in values if "\0" not in value] or ["a"]
    pattern = Pattern.from_dict(json.loads(json.dumps(Pattern.learn(values).to_dict())))
    made = pattern.make(np.arange(count)).tolist()
    assert len(made) == count
    plain = [one for one in made if len(one) in {len(value) for value in values}]
    assert len(set(plain)) == len(plain)


def test_text_is_never_copied_unless_it_is_common():
    rare = [f"private remark number {number}" for number in range(200)]
    array = pa.array(rare + ["thanks"] * 100 + [None] * 10)
    codec = fit(Column("c", "text"), array, text_min_count=10)
    assert "private" not in json.dumps(codec.to_dict())
    encoded = codec.encode(pa.table({"c": array}))
    decoded = codec.decode(np.empty((310, 0)), encoded.categorical, np.random.default_rng(0)).column(0)
    assert decoded.null_count == 10
    texts = decoded.drop_null().to_pylist()
    assert not set(texts) & set(rare)
    assert 60 < texts.count("thanks") < 140
    assert {len(one.split()) for one in texts if one != "thanks"} == {4}


@pytest.mark.parametrize(("pii", "text"), [(True, "vocabulary"), (False, "mask")])
def test_pii_and_masked_text_have_no_vocabulary(pii, text):
    codec = fit(Column("c", "text", pii=pii), pa.array(["Jane Roe"] * 100), text=text)
    assert "Roe" not in json.dumps(codec.to_dict())


@pytest.mark.parametrize(
    "wrong",
    [{"normalisation": "minmax"}, {"atom_share": 0.0}, {"outlier_quantile": 0.7}, {"min_count": -1}, {"text": "copy"}],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError, match=f"codec.{next(iter(wrong))}:"):
        CodecConfig(**wrong)
