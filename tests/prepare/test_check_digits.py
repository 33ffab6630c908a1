"""Numbers whose last digit checks the others are names, and made ones pass the check."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.codec.check_digits import check_of, checked
from tabgraphsyn.data.codec.forms import TableCodecForm
from tabgraphsyn.data.untrusted import decoded as held
from tabgraphsyn.generation.key_values import row_number_maker
from tests.data_in.test_every_value_comes_back import ingested, write_csv

ROWS = 400
RNG = Random(11)


def digits(count: int) -> str:
    return "".join(RNG.choices("0123456789", k=count))


MAKERS = {  # kind: how one begins, and what checks it
    "ean": (lambda: "40012" + digits(7), "gtin"),
    "upc": (lambda: "0" + digits(10), "gtin"),
    "isbn13": (lambda: f"978-3-{digits(4)}-{digits(4)}-", "gtin"),
    "isbn10": (lambda: digits(9), "isbn"),
    "imei": (lambda: "35" + digits(12), "luhn"),
    "isin": (lambda: RNG.choice(["US", "DE", "AT"]) + digits(9), "luhn"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], dict[str, str], dict[str, list[str]]]:
    """Real texts, what each column was taken for, and new values from a codec that went through json."""
    folder = tmp_path_factory.mktemp("checked")
    real = {kind: [checked(start(), check) for _ in range(ROWS)] for kind, (start, check) in MAKERS.items()}
    few = [checked("4001" + digits(8), "gtin") for _ in range(150)]
    real |= {"article": [RNG.choice(few) for _ in range(ROWS)], "serial": ["40" + digits(11) for _ in range(ROWS)]}
    write_csv(folder / "data" / "t.csv", {"nr": [str(row) for row in range(ROWS)], **real})
    table, _ = ingested(folder)
    codec = TableCodec.fit(table, np.ones(ROWS, dtype=bool), list(real), CodecConfig())
    raw = json.dumps(codec.to_dict()).encode()
    held(raw, TableCodecForm, "t.json")
    again = TableCodec.from_dict(json.loads(raw))
    fields = again.encode(table.read())
    rows = again.decode(fields.numerical.mean(axis=2), fields.categorical, np.random.default_rng(0))
    types = {column.name: column.sdtype for column in table.schema.columns}
    return real, types, {name: rows.column(name).cast(pa.string()).to_pylist() for name in real}


@pytest.mark.parametrize("kind", MAKERS)
def test_made_numbers_pass_the_check_and_are_no_real_ones(made, kind: str) -> None:
    real, types, new = made
    assert types[kind] == "id"
    assert len(set(new[kind])) == ROWS and not set(new[kind]) & set(real[kind])
    assert {len(one) for one in new[kind]} == {len(one) for one in real[kind]}
    assert all(checked(one[:-1], MAKERS[kind][1]) == one for one in new[kind])


def test_repeated_numbers_are_categories_that_pass(made) -> None:
    _, types, new = made
    assert types["article"] == "categorical" and len(set(new["article"])) < ROWS / 2
    assert all(checked(one[:-1], "gtin") == one for one in new["article"])


def test_numbers_that_do_not_pass_are_numbers(made) -> None:
    assert made[1]["serial"] == "numerical"
    assert check_of([str(number) for number in range(10_000_000, 10_000_500, 10)]) == ""


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_a_key_of_such_numbers_passes(kind: pa.DataType) -> None:
    real = pa.chunked_array([pa.array([checked("9783" + digits(8), "gtin") for _ in range(200)]).cast(kind)])
    new = row_number_maker(real, None).make(np.arange(500)).cast(pa.string()).to_pylist()
    assert len(set(new)) == 500 and all(checked(one[:-1], "gtin") == one for one in new)
    assert all(one.startswith("978") for one in new)


def test_a_short_number_space_is_no_pattern_of_whole_numbers() -> None:
    """Where few numbers are left open, new ones would be real ones, or run out."""
    real = pa.chunked_array([pa.array([int(checked(f"3{number:06d}", "gtin")) for number in range(60_000)])])
    assert row_number_maker(real, None).kind == "grid"
