"""Short codes follow the real ones as far as enough entities share how they begin, and give back no rare one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.forms import TableCodecForm
from tabgraphsyn.data.codec.listed import listed_values
from tabgraphsyn.data.codec.prefixed import PrefixedCodec
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.data.untrusted import decoded
from tabgraphsyn.errors import DataError

ROWS = 2000


def parts(rows: int = ROWS, seed: int = 0) -> list[str]:
    """Part numbers: three makers with ranges of their own, most of them in one to three rows."""
    rng = np.random.default_rng(seed)
    ours = rng.random(rows) < 0.6
    theirs = rng.choice([70, 71, 93], rows) * 100 + rng.integers(0, 100, rows)
    made = np.where(ours, rng.integers(1200, 1800, rows), theirs)
    letter = np.where(ours, "K", rng.choice(["R", "T"], rows))
    return [f"{one}-{number}" for one, number in zip(letter, made, strict=True)]


def fitted(
    values: Any, name: str = "part", sdtype: Any = "categorical", entities: Any = None, **more: Any
) -> TableCodec:
    array = pa.array(values)
    table = Table(TableSchema("parts", (Column(name, sdtype, **more),), ()), pa.table({name: array}))
    return TableCodec.fit(table, np.ones(len(array), bool), [name], CodecConfig(), entities)


def made(codec: TableCodec, values: Any, seed: int = 1) -> list[Any]:
    name = next(iter(codec.columns))
    levels = codec.encode(pa.table({name: pa.array(values)})).categorical
    return codec.decode(np.zeros((len(levels), 0)), levels, np.random.default_rng(seed)).column(name).to_pylist()


def prefixed(codec: TableCodec) -> PrefixedCodec:
    found: ColumnCodec = next(iter(codec.columns.values()))
    assert isinstance(found, PrefixedCodec)
    return found


def test_codes_begin_as_real_ones_and_rare_ones_come_back_by_chance_only() -> None:
    rng = np.random.default_rng(3)
    area = rng.choice([10, 11, 45, 46, 99], ROWS, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    values: list[Any] = [f"{one}{rest:04d}" for one, rest in zip(area, rng.integers(0, 10_000, ROWS), strict=True)]
    values[:3] = [None, "x", "100000"]
    values[3:13] = ["450123"] * 10
    codec = TableCodec.from_dict(json.loads(json.dumps(fitted(values).to_dict())))
    decoded(json.dumps(codec.to_dict()).encode(), TableCodecForm, "t.json")
    own, new = prefixed(codec), made(codec, values)
    assert own.codes == ("450123",) and new[0] is None and new[3:13] == ["450123"] * 10
    assert [one[:2] for one in new[13:]] == [one[:2] for one in values[13:]]
    # Of the million codes of the shape two thousand are real; within areas and what goes on from there one in fifty is.
    assert np.mean([one in set(values) for one in new[13:]]) < 0.08
    assert [one for one in listed_values(codec.columns["part"].to_dict()) if one in values] == ["450123"]


def test_repeats_are_as_frequent_and_the_same_in_every_batch() -> None:
    values = parts()
    codec = fitted(values)
    first, second = made(codec, values), made(codec, values, seed=2)
    assert {len(one) for one in first} == {6} and {one[:2] for one in first} == {"K-", "R-", "T-"}
    assert abs(len(set(first)) - len(set(values))) < 0.2 * len(set(values))
    assert len(set(first) | set(second)) < 1.5 * len(set(values))


def test_a_beginning_of_few_entities_is_no_level() -> None:
    """Five rows of one patient are one entity."""
    rng = np.random.default_rng(0)
    starts = ["A1", "A2", "B8", "B9"] * (ROWS // 4)
    values = [f"{start}{rest:03d}" for start, rest in zip(starts, rng.integers(0, 1000, ROWS), strict=True)]
    values[:40] = ["Q7001"] * 20 + ["Q7002"] * 20
    one_each = np.arange(ROWS)
    few = np.where(one_each < 40, one_each % 4, one_each)
    texts = {entities is few: json.dumps(fitted(values, entities=entities).to_dict()) for entities in (one_each, few)}
    assert '"Q7001"' in texts[False] and '"Q' not in texts[True]


@pytest.mark.parametrize("type_", [pa.int64(), pa.int32()])
def test_whole_numbers_of_postcodes_stay_whole_numbers(type_: pa.DataType) -> None:
    rng = np.random.default_rng(0)
    values = pa.array(rng.choice([551, 940, 200], ROWS) * 1000 + rng.integers(0, 1000, ROWS), type_)
    codec = fitted(values, "zip_code", "numerical")
    assert prefixed(codec).type == str(type_)
    found = made(codec, values)
    assert {one // 1000 for one in found} == {551, 940, 200}


def test_what_leads_to_a_person_and_what_has_no_beginning_is_made_anew_as_before() -> None:
    rng = np.random.default_rng(0)
    codes = parts()
    phones = [f"+4930{one}" for one in rng.integers(10_000, 99_999, ROWS)]
    random = [f"{one:04x}".replace("0", "1") for one in rng.integers(0, 2**16, ROWS)]
    unique = [f"K{k:05d}" for k in range(ROWS)]
    assert fitted(phones, "phone").columns["phone"].kind == "personal"
    assert fitted(codes, "zip_code", pii=True).columns["zip_code"].kind != "prefixed"
    assert fitted(random).columns["part"].kind == fitted(unique).columns["part"].kind == "identifier"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "int64"},
        {"stems": [{"shape": 9, "begins": "K", "ids": 0}]},
        {"stems": [{"shape": 0, "begins": "K-1234", "ids": 0}]},
        {"stems": [], "codes": []},
        {"shapes": [[]]},
    ],
)
def test_hostile_codecs_are_refused(change: dict[str, Any]) -> None:
    raw = fitted(parts()).to_dict()
    raw["columns"][0]["codec"] |= change
    with pytest.raises(DataError):
        decoded(json.dumps(raw).encode(), TableCodecForm, "t.json")
