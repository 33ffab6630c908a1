"""Words whose meaning is a number's band follow the number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.bands import BandRule, band
from tabgraphsyn.data.formats import MixedFormat, NumberFormat
from tabgraphsyn.data.schema import Column, Table, TableSchema

ROWS = 600


def labelled(values: np.ndarray, edges: list[float], labels: list[str]) -> list[str]:
    return [labels[place] for place in np.searchsorted(edges, values, side="right")]


def decoded_with_shuffled_bands(table: Table) -> pa.Table:
    names = [column.name for column in table.schema.columns]
    codec = TableCodec.fit(table, np.ones(ROWS, dtype=bool), names, CodecConfig())
    codec = TableCodec.from_dict(codec.to_dict())
    fields = codec.encode(table.read())
    place = codec.places["band"][1]
    categorical = fields.categorical.copy()
    categorical[:, place] = np.random.default_rng(1).permutation(categorical[:, place])
    return codec.decode(fields.numerical.mean(axis=2), categorical, np.random.default_rng(2))


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ([30, 40, 50], ["<30", "30-39", "40-49", "50+"]),
        ([18, 65], ["under 18", "18 to 64", "65 and over"]),
        ([25.5, 45.5], ["[0, 25.5)", "[25.5, 45.5)", "[45.5, 99)"]),
    ],
)
def test_the_band_of_a_known_number_is_its_own(edges: list[float], labels: list[str]) -> None:
    values = np.round(np.random.default_rng(0).uniform(5, 90, ROWS), 1)
    schema = TableSchema("t", (Column("value", "numerical"), Column("band", "categorical")))
    made = decoded_with_shuffled_bands(
        Table(schema, pa.table({"value": values, "band": labelled(values, edges, labels)}))
    )
    assert made["band"].to_pylist() == labelled(made["value"].to_numpy(), edges, labels)


def test_rows_whose_number_is_a_word_keep_a_band_of_their_own() -> None:
    rng = np.random.default_rng(0)
    values = np.round(rng.uniform(5, 90, ROWS), 1)
    texts = [f"{value:.1f}" if rng.random() < 0.9 else "trace" for value in values]
    one = NumberFormat(least=1, most=1)
    format = MixedFormat(forms=(one,), shapes=(one.pattern,))
    schema = TableSchema("t", (Column("value", "numerical", format=format), Column("band", "categorical")))
    bands = labelled(values, [30, 60], ["0-29", "30-59", "60-99"])
    made = decoded_with_shuffled_bands(Table(schema, pa.table({"value": texts, "band": bands})))
    known = [
        (float(v), b) for v, b in zip(made["value"].to_pylist(), made["band"].to_pylist(), strict=True) if v != "trace"
    ]
    assert len(known) > ROWS / 2
    assert [b for _, b in known] == labelled(np.array([v for v, _ in known]), [30, 60], ["0-29", "30-59", "60-99"])


@pytest.mark.parametrize("word", ["high", "A", "2020", "1-2-3", "9-1"])
def test_other_words_are_no_bands(word: str) -> None:
    assert band(word) is None


def test_bands_that_one_row_breaks_are_no_rule() -> None:
    values = np.linspace(1, 99, ROWS)
    labels = ["1-49" if value < 50 else "50-99" for value in values]
    rule = BandRule("band", "value", (1.0, 50.0), (50.0, 100.0), ("1-49", "50-99"))
    assert rule.holds({"value": pa.array(values), "band": pa.array(labels)})
    labels[0] = "50-99"
    assert not rule.holds({"value": pa.array(values), "band": pa.array(labels)})


def test_numbers_of_a_band_that_may_not_be_named_keep_what_is_drawn() -> None:
    rule = BandRule("band", "value", (20.0, 60.0), (30.0, 70.0), ("20-29", "60-69"))
    columns = {"value": pa.array([25.0, 44.0, 61.0, None]), "band": pa.array(["60-69", "20-29", "20-29", "20-29"])}
    assert rule.restored(columns).to_pylist() == ["20-29", "20-29", "60-69", "20-29"]


def test_a_band_follows_its_number_rather_than_a_category_that_tells_it_too() -> None:
    values = np.round(np.random.default_rng(0).uniform(5, 90, ROWS), 1)
    bands = labelled(values, [30, 60], ["0-29", "30-59", "60-99"])
    columns = (Column("value", "numerical"), Column("band", "categorical"), Column("class", "categorical"))
    rows = pa.table({"value": values, "band": bands, "class": [f"class {one[0]}" for one in bands]})
    table, names = Table(TableSchema("t", columns), rows), ["value", "band", "class"]
    codec = TableCodec.fit(table, np.ones(ROWS, dtype=bool), names, CodecConfig())
    assert [rule.column for rule in codec.rules] == ["band"] and not {"band"} & {
        *codec.derived,
        *codec.derived.values(),
    }
