"""A key that names persons is made of made persons, not of the letters that real names share."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.plain import read
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.data.untrusted import decoded
from tabgraphsyn.generation.bundles.forms import MakerForm
from tabgraphsyn.generation.key_values import AnyMaker, KeyMaker, row_number_maker

FIRST = ["Ana", "Bea", "Carlos", "Dora", "Emil", "Fabio", "Greta", "Hugo"]
FULL = [f"{one} Xanthopoulos{'-Ruiz' * (number % 2)} {'IVX'[number % 3] * (number % 4)}".strip()
        for number in range(5) for one in FIRST]  # fmt: skip
MAILS = [f"{one.lower()}.xanthopoulos{number}@lab.example" for number in range(10, 40) for one in FIRST]


def maker_of(values: list[str], column: str) -> KeyMaker:
    keys = pa.chunked_array([pa.array(values)])
    maker = row_number_maker(keys, None, person=personal_kind("t", column, keys))
    raw = json.dumps(maker.to_dict()).encode()
    decoded(raw, MakerForm, "structure.json")
    return read(json.loads(raw), AnyMaker)


def test_mails_are_made_and_each_is_another_one() -> None:
    made = maker_of(MAILS, "contact").make(np.arange(3_000)).to_pylist()
    assert len(set(made)) == 3_000
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\d*@example\.(org|com|net)", one) for one in made)
    assert not any("xanthopoulos" in one for one in made[:200])


@pytest.mark.parametrize("column", ["full_name", "customer_name"])
def test_names_as_keys_are_made(column: str) -> None:
    made = maker_of(sorted(set(FULL)), column).make(np.arange(500)).to_pylist()
    assert len(set(made)) == 500 and not any("Xanthopoulos" in one for one in made[:100])


def test_a_key_names_the_person_of_its_row() -> None:
    codec = TableCodec.fit(
        Table(TableSchema("t", (Column("first_name", "categorical"),)), pa.table({"first_name": FIRST * 30})),
        np.ones(240, dtype=bool), ["first_name"], CodecConfig(),
    )  # fmt: skip
    fields = codec.encode(pa.table({"first_name": FIRST * 30}))
    first = codec.decode(fields.numerical.mean(axis=2), fields.categorical, np.random.default_rng(0)).column(0)
    mails = maker_of(MAILS, "contact").make(np.arange(240)).to_pylist()
    assert all(mail.startswith(one.lower()) for mail, one in zip(mails, first.to_pylist(), strict=True))


def test_codes_keep_their_pattern() -> None:
    assert maker_of([f"K-{number:04d}" for number in range(300)], "code").kind == "pattern"


@pytest.mark.parametrize("start,end", [("U", 1_999), ("EMP-", 150), ("x", 130)])
def test_ids_that_count_on_keep_their_shape(start: str, end: int) -> None:
    """The longest ids all begin with 1: what that leaves is too little for as many ids as there are."""
    made = maker_of([f"{start}{number}" for number in range(1, end)], "code").make(np.arange(2 * end)).to_pylist()
    grown = [one for one in made[: end - 1] if not re.fullmatch(rf"{start}[1-9]\d*", one)]
    assert not grown and len(set(made)) == 2 * end


def test_digits_that_leave_room_are_kept() -> None:
    made = maker_of([f"2023-{number:04d}" for number in range(1, 900)], "code").make(np.arange(900)).to_pylist()
    assert all(one.startswith("2023-") for one in made)
