"""Text that a spreadsheet would compute, in csv files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.writer import write_table

NAME = "=HYPERLINK(1)"
VALUES = ["=cmd|'/C calc'!A0", "@SUM(1)", "+1-1", "-2+3", "\t=1", "plain", "a=b", None, ""]


@pytest.mark.parametrize(("formulas", "first"), [("keep", ""), ("escape", "'")])
def test_text_that_begins_like_a_formula_is_escaped_where_asked(tmp_path: Path, formulas: str, first: str) -> None:
    table = TableSchema("t", (Column(NAME, "categorical"), Column("n", "numerical")))
    rows = pa.table({NAME: VALUES, "n": range(-4, 5)})
    write_table(table, [rows], tmp_path, ("csv", "parquet"), csv_formulas=formulas)
    options = pacsv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    read = pacsv.read_csv(tmp_path / "t.csv", convert_options=options)
    assert read.column_names == [first + NAME, "n"]
    expected = [first + value if value and value[0] in "=@+-\t" else value for value in VALUES]
    assert [value or None for value in read.column(0).to_pylist()] == [value or None for value in expected]
    assert read.column("n").to_pylist() == list(range(-4, 5)), "numbers are numbers"


def test_the_option_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"sampling\.csv_formulas"):
        SamplingConfig(csv_formulas="strip")
