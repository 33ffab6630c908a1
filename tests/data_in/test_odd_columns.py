"""Columns as people export them: dates with weekdays, zero dates, codes with spaces or separators, odd keys."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from random import Random

import pytest

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tests.data_in.test_every_value_comes_back import again, decoded, ingested, write_csv

ROWS = 300
RNG = Random(5)
DAYS = [dt.datetime(2019, 1, 1) + dt.timedelta(seconds=RNG.randrange(90_000_000)) for _ in range(ROWS)]


def number(low: int, high: int) -> int:
    return RNG.randint(low, high)


# column: texts, what it means, a pattern of every text
COLUMNS: dict[str, tuple[list[str], str, str]] = {
    "log_time": ([f"{day:%a %b %d %H:%M:%S %Y}" for day in DAYS], "datetime", r"\w{3} \w{3} \d\d [\d:]{8} \d{4}"),
    "mail_date": ([f"{day:%a, %d %b %Y %H:%M:%S}" for day in DAYS], "datetime", r"\w{3}, \d\d \w{3} \d{4} [\d:]{8}"),
    "long_date": ([f"{day:%A, %B %d, %Y}" for day in DAYS], "datetime", r"\w+day, \w+ \d\d, \d{4}"),
    "vystaveno": ([f"{day.day}. {day.month}. {day.year}" for day in DAYS], "datetime", r"\d\d?\. \d\d?\. \d{4}"),
    "mysql": (
        ["0000-00-00" if k % 29 == 0 else f"{day:%Y-%m-%d}" for k, day in enumerate(DAYS)],
        "datetime",
        r"\d{4}-\d\d-\d\d",
    ),
    "dotted": (
        ["00.00.0000" if k % 31 == 0 else f"{day:%d.%m.%Y}" for k, day in enumerate(DAYS)],
        "datetime",
        r"\d\d\.\d\d\.\d{4}",
    ),
    "insurance": (
        [
            f"{RNG.choice('ABCE')}{RNG.choice('KLMN')} {number(10, 99)} {number(10, 99)} {number(10, 99)} A"
            for _ in DAYS
        ],
        "id",
        r"[A-Z]{2} \d\d \d\d \d\d A",
    ),
    "bp": ([f"{number(90, 180)}/{number(50, 119)}" for _ in DAYS], "id", r"\d{2,3}/\d{2,3}"),
    "version": ([f"{number(1, 9)}.{number(0, 19)}.{number(0, 99)}" for _ in DAYS], "id", r"\d\.\d{1,2}\.\d{1,2}"),
    "excel_text": ([f"'{number(1, 999)}" for _ in DAYS], "id", r"'\d{1,3}"),
    "seat": ([f"Nr. {number(1, 400)}" for _ in DAYS], "id", r"Nr\. \d{1,3}"),
}


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What each column means, and its texts encoded, decoded and written again."""
    folder = tmp_path_factory.mktemp("odd")
    write_csv(folder / "data" / "t.csv", {name: texts for name, (texts, _, _) in COLUMNS.items()})
    table, _ = ingested(folder)
    texts, _ = again(table, folder / "decoded", decoded(table))
    return {column.name: column.sdtype for column in table.schema.columns}, texts


@pytest.mark.parametrize("name", COLUMNS)
def test_it_comes_back_in_its_form(columns: tuple[dict[str, str], dict[str, list[str]]], name: str) -> None:
    _, meaning, pattern = COLUMNS[name]
    meanings, texts = columns
    assert meanings[name] == meaning
    assert not [text for text in texts[name] if not re.fullmatch(pattern, text)][:3]


def test_a_weekday_that_is_not_the_dates_is_no_date(tmp_path: Path) -> None:
    texts = [f"Mon {day:%b %d %H:%M:%S %Y}" for day in DAYS]
    write_csv(tmp_path / "data" / "t.csv", {"k": [str(k) for k in range(ROWS)], "at": texts})
    table, _ = ingested(tmp_path)
    assert table.schema.column("at").sdtype != "datetime"


def notes(folder: Path, **tables: dict[str, list[str]]) -> str:
    for name, columns in tables.items():
        write_csv(folder / "data" / f"{name}.csv", columns)
    return " ".join(
        ingest_database(DatasetOptions.from_mapping({"path": str(folder / "data")}), folder / "out")["notes"]
    )


@pytest.mark.parametrize("spell", [lambda key: key + "  ", str.lower, lambda key: " " + key.title()])
def test_keys_that_match_but_for_spelling_are_named(tmp_path: Path, spell: object) -> None:
    keys = [f"AB{k:03d}" for k in range(60)]
    said = notes(
        tmp_path,
        item={"code": [spell(key) for key in keys], "size": [str(number(1, 9)) for _ in keys]},  # type: ignore[operator]
        line={"line": [str(k) for k in range(ROWS)], "code": [RNG.choice(keys) for _ in range(ROWS)]},
    )
    assert "line.code" in said and "100% do: write both columns alike" in said


@pytest.mark.parametrize("names", [("region", "shop"), ("jahr", "abteilung"), ("land", "stadt", "laden")])
def test_columns_that_may_together_be_a_key_are_asked_about(tmp_path: Path, names: tuple[str, ...]) -> None:
    sets = list(dict.fromkeys(tuple(f"{number(0, 12):02d}" for _ in names) for _ in range(70)))
    picked = [RNG.choice(sets) for _ in range(ROWS)]
    parent = {name: [one[k] for one in sets] for k, name in enumerate(names)}
    child = {name: [one[k] for one in picked] for k, name in enumerate(names)}
    said = notes(
        tmp_path,
        place={**parent, "size": [str(number(10, 99)) for _ in sets]},
        sale={"sale_id": [str(k) for k in range(ROWS)], **child},
    )
    assert f"sale: ({', '.join(names)}) may together be a key to place" in said
