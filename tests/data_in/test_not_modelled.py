"""What is not modelled is named, with its reason, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tests.data_in.test_every_value_comes_back import write_csv

ROWS = 200
RNG = Random(4)
COLUMNS = {
    "note": [f"text {RNG.random()} of some words {k}" for k in range(ROWS)],
    "token": [f"{RNG.getrandbits(40):010x}" for k in range(ROWS)],
    "phone_number": [f"+49 30 {RNG.randint(10**6, 10**7)}" for k in range(ROWS)],
    "email": [f"user{k}@mail.example" for k in range(ROWS)],
    "rare": [f"group {RNG.randint(0, 90)}" for k in range(ROWS)],
    "amount": [f"{RNG.random():.3f}" for k in range(ROWS)],
    "grade": [RNG.choice("ABC") for k in range(ROWS)],
    "when": [f"2024-{RNG.randint(1, 12):02d}-{RNG.randint(1, 28):02d}" for k in range(ROWS)],
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("named")
    write_csv(folder / "data" / "t.csv", {"t_id": [str(k) for k in range(ROWS)], **COLUMNS})
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder / "data")}), folder / "out")
    return {one["column"]: one["reason"] for one in profile["not_modelled"]}


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("note", "placeholder words"),
        ("token", "in the pattern of the real ones"),
        ("phone_number", "leads to a person (phone)"),
        ("email", "leads to a person (email)"),
        ("rare", "fewer than 5 rows"),
    ],
)
def test_a_column_that_is_not_modelled_is_named(named: dict[str, str], column: str, words: str) -> None:
    assert words in named[column]


def test_modelled_columns_and_keys_are_not_named(named: dict[str, str]) -> None:
    assert not {"amount", "grade", "when", "t_id"} & set(named)
