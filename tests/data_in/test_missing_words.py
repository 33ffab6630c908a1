"""What stands in cells without a value comes back in new tables, and what may be a value is told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.generation.writer import write_table
from tests.data_in.test_every_value_comes_back import again, ingested, write_csv

ROWS = 120
PROVINCES = ["NA", "MI", "RM", "TO"] * (ROWS // 4)
SMOKER = ["null", "yes", "", "no", "null", "yes"] * (ROWS // 6)
SIZES = ["N/A" if row % 7 == 0 else f"{row * 0.5:.1f} cm" for row in range(ROWS)]
WHEN = ["nan" if row % 9 == 0 else f"2024-0{1 + row % 9}-1{row % 10}" for row in range(ROWS)]


def test_a_word_for_missing_is_written_again(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "t.csv", {"province": PROVINCES, "size": SIZES, "when": WHEN, "smoker": SMOKER})
    table, profile = ingested(tmp_path)
    texts, typed = again(table, tmp_path / "same", table.read())
    assert texts["province"] == PROVINCES and texts["size"] == SIZES and texts["when"] == WHEN
    assert texts["smoker"] == [text or "null" for text in SMOKER], "of several ways the most frequent one"
    assert typed.column("province").null_count == PROVINCES.count("NA"), "parquet has a missing value of its own"
    told = [note for note in profile["notes"] if "read as missing" in note]
    assert len(told) == 2
    assert any("t.smoker ('null' 40, empty 20)" in note for note in told)
    assert any("t.province ('NA' 30): read as missing" in note and "t.size" not in note for note in told)


def test_a_word_that_numbers_have_too_is_the_usual_one(tmp_path: Path) -> None:
    """R writes NA everywhere: nothing to tell."""
    speeds = ["NA" if row % 5 == 0 else str(row * 3) for row in range(ROWS)]
    write_csv(tmp_path / "data" / "t.csv", {"province": PROVINCES, "speed": speeds})
    table, profile = ingested(tmp_path)
    assert not [note for note in profile["notes"] if "missing" in note]
    assert again(table, tmp_path / "same", table.read())[0]["speed"] == speeds


def test_a_word_of_ones_own_is_written_and_read_again(tmp_path: Path) -> None:
    grades = ["-" if row % 3 == 0 else "AB"[row % 2] for row in range(ROWS)]
    write_csv(tmp_path / "data" / "t.csv", {"grade": grades})
    table, _ = ingested(tmp_path, null_values=["-"])
    assert table.schema.columns[0].missing == "-"
    assert again(table, tmp_path / "same", table.read())[0]["grade"] == grades


def test_a_word_is_no_formula(tmp_path: Path) -> None:
    """What is escaped for spreadsheets is text that was drawn, not what stands for a missing value."""
    column = Column("a", "categorical", missing="-NaN")
    rows = pa.table({"a": pa.array(["-x", None])})
    write_table(TableSchema("t", (column,)), [rows], tmp_path, ("csv",))
    assert (tmp_path / "t.csv").read_text().splitlines()[2].strip('"') == "-NaN"
