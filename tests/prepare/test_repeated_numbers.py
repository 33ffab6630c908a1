"""Numbers that are often the very number of another column of the row come back as that number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.forms import TableCodecForm
from tabgraphsyn.data.codec.repeated import RepeatedCodec
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.data.untrusted import decoded
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.fixing.condition import Condition
from tabgraphsyn.generation.fixing.demands import Cells, Demands
from tabgraphsyn.generation.fixing.units import Conditioned, standing
from tabgraphsyn.models.absorbing.columns.units import Units

ROWS = 3000
DRAW = Draw(np.random.default_rng(0))


def orders(seed: int = 0) -> dict[str, pa.Array]:
    """What is billed, paid (30 % all of it, some nothing, some missing) and refunded (10 % what was paid)."""
    rng = np.random.default_rng(seed)
    billed = np.round(rng.lognormal(5, 1, ROWS), 2)
    paid = np.where(rng.random(ROWS) < 0.3, billed, np.round(rng.lognormal(5, 1, ROWS), 2))
    paid[rng.random(ROWS) < 0.2] = 0.0
    refunded = np.where(rng.random(ROWS) < 0.1, paid, np.round(rng.lognormal(3, 1, ROWS), 2))
    missing = rng.random(ROWS) < 0.1
    near = np.round(billed + rng.normal(0, 0.01, ROWS), 2)
    return {
        "near": pa.array(near),
        "billed": pa.array(billed),
        "paid": pa.array(paid, mask=missing),
        "pieces": pa.array(rng.integers(1, 200, ROWS)),
        "refunded": pa.array(refunded),
    }


def fitted(columns: dict[str, pa.Array], **settings: Any) -> TableCodec:
    schema = TableSchema("t", tuple(Column(name, "numerical") for name in columns), ())
    table = Table(schema, pa.table(columns))
    return TableCodec.fit(
        table,
        np.ones(len(next(iter(columns.values()))), bool),
        list(columns),
        CodecConfig(**{"min_entities": 1, **settings}),
    )


def back(codec: TableCodec, columns: dict[str, pa.Array]) -> dict[str, np.ndarray]:
    encoded = codec.encode(pa.table(columns))
    made = codec.decode(encoded.numerical.mean(axis=-1), encoded.categorical, np.random.default_rng(0))
    return {name: made.column(name).to_numpy() for name in columns}


def test_a_number_repeats_one_before_it_exactly_and_what_is_near_or_whole_by_chance_does_not() -> None:
    columns = orders()
    codec = fitted(columns)
    assert {name: one.given for name, one in codec.columns.items() if isinstance(one, RepeatedCodec)} == {
        "paid": "billed", "refunded": "paid"
    }  # fmt: skip
    codec = TableCodec.from_dict(json.loads(json.dumps(codec.to_dict())))
    decoded(json.dumps(codec.to_dict()).encode(), TableCodecForm, "t.json")
    real, made = {name: one.to_numpy(zero_copy_only=False) for name, one in columns.items()}, back(codec, columns)
    for one, other in (("paid", "billed"), ("refunded", "paid")):
        same = real[one] == real[other]
        assert same.mean() > 0.05 and (made[one][same] == made[other][same]).all()
        assert not (made[one] == made[other])[~same].any()
    assert (np.isnan(made["paid"]) == np.isnan(real["paid"])).all()
    assert (made["paid"] == 0).sum() == (real["paid"] == 0).sum()


def test_whole_numbers_repeat_decimals_within_their_bounds_and_a_column_may_be_another() -> None:
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 100_000, ROWS)
    wide = np.where(rng.random(ROWS) < 0.5, whole, rng.integers(0, 400_000, ROWS))
    columns = {
        "wide": pa.array(wide.astype(float)),
        "whole": pa.array(whole),
        "again": pa.array(whole.astype(np.int32)),
    }
    codec = fitted(columns)
    assert [one.given for one in codec.columns.values()] == [None, "wide", "whole"]
    blank = np.zeros((ROWS, 3))
    numbers = np.concatenate([rng.uniform(-2, 2, (ROWS, 1)), blank[:, 1:]], axis=1)
    gates = np.ones((ROWS, 2), np.int64)
    made = codec.decode(numbers, gates, rng)
    assert made.schema.types == [pa.float64(), pa.int64(), pa.int32()]
    assert made.column("again").to_numpy().max() <= 100_000 < made.column("wide").to_numpy().max()
    inside = made.column("wide").to_numpy() < 90_000
    assert (made.column("again").to_numpy() == made.column("wide").to_numpy())[inside].all()


def test_where_the_other_number_is_missing_a_number_is_its_own() -> None:
    columns = orders()
    codec = fitted(columns).columns["refunded"]
    assert isinstance(codec, RepeatedCodec)
    level = codec.categorical_fields[0].levels - 1
    draw = Draw(np.random.default_rng(0), given=pa.array([None, 7.25]))
    made = codec.decode(np.zeros((2, 1)), np.array([[level], [level]]), draw).to_pylist()
    assert made[0] is not None and made[0] > 0 and made[1] == 7.25


@pytest.mark.parametrize("settings", [{"dependencies": "ignore"}, {"missing": "factor"}])
def test_nothing_is_repeated_where_it_may_not_be(settings: dict[str, str]) -> None:
    assert all(one.given is None for one in fitted(orders(), **settings).columns.values())


def test_hostile_codecs_are_refused() -> None:
    raw = fitted(orders()).to_dict()
    place = next(k for k, one in enumerate(raw["columns"]) if one["name"] == "paid")

    def changed(**change: Any) -> bytes:
        column = {"name": "paid", "codec": {**raw["columns"][place]["codec"], **change}}
        return json.dumps({**raw, "columns": [*raw["columns"][:place], column, *raw["columns"][place + 1 :]]}).encode()

    number = raw["columns"][place]["codec"]["number"]
    for change in ({"given": "paid"}, {"given": ""}, {"more": 1}, {"number": {**number, "missing": "factor"}}):
        with pytest.raises(DataError):
            decoded(changed(**change), TableCodecForm, "t.json")
    decoded(changed(), TableCodecForm, "t.json")
    circle = TableCodec.from_dict(json.loads(changed(given="refunded")))
    with pytest.raises(DataError, match="wait for each other"):
        circle.decoding_order  # noqa: B018


def test_given_numbers_stand_with_and_without_those_that_they_repeat() -> None:
    columns = orders()
    codec = fitted(columns)
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    has = np.ones(ROWS, bool)
    alone, both = (
        standing(codec, units, Demands(ROWS, {name: Cells(has, columns[name]) for name in names}))
        for names in (["paid"], ["paid", "billed"])
    )
    assert alone is not None and both is not None
    gate = codec.places["paid"][1].start
    level = codec.columns["paid"].categorical_fields[0].levels - 1
    same = columns["paid"].to_numpy(zero_copy_only=False) == columns["billed"].to_numpy()
    assert ((both[0].categorical[:, gate].numpy() == level) == same).all()
    assert not (alone[0].categorical[:, gate] == level).any() and alone[1].any(1).all()
    number = codec.places["paid"][0].start
    made = codec.columns["paid"].number.decode(
        alone[0].numerical[:, number : number + 1].numpy(), alone[0].categorical[:, gate : gate + 1].numpy(), DRAW
    )
    assert made.slice(0, 50).equals(columns["paid"].slice(0, 50))


def test_a_condition_draws_all_that_its_column_repeats() -> None:
    codec = fitted(orders())
    asked = Demands(4, {}, (Condition("refunded", ">", pa.array([3.0])),))
    units = Units(codec.layout, (None,) * len(codec.layout.numerical))
    assert Conditioned(codec, units, asked, 0).columns == ("billed", "paid", "refunded")
