"""CSV in: types over the whole column, odd dialects, and what is said about broken files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.csv_file import sniff_delimiter
from tabgraphsyn.errors import DataError


def ingest(folder: Path, **options: object) -> tuple[dict, pa.Table]:
    """Return the profile and the only table of a file or folder."""
    out = folder.parent / "out" if folder.is_file() else folder.with_name("out")
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder), **options}), out)
    (name,) = profile["tables"]
    return profile, pq.read_table(out / "tables" / f"{name}.parquet")


def from_bytes(tmp_path: Path, content: bytes, name: str = "t.csv", **options: object) -> pa.Table:
    file = tmp_path / name
    file.write_bytes(content)
    return ingest(file, **options)[1]


def refused(tmp_path: Path, content: bytes, name: str = "t.csv", **options: object) -> str:
    with pytest.raises(DataError) as caught:
        from_bytes(tmp_path, content, name, **options)
    assert not (tmp_path / "out").exists(), "something half written stands there"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    return str(caught.value)


def test_each_kind_of_column_gets_its_type(tmp_path: Path) -> None:
    table = from_bytes(
        tmp_path,
        b"i,f,w,b,d,z,s\n1,1.5,1.0,true,2013-01-01,007,x\n2,,,false,2013-02-28,010,NA\n-3,2e3,3.0,TRUE,,011,y\n",
    )
    assert table.to_pydict() == {
        "i": [1, 2, -3],
        "f": [1.5, None, 2000.0],
        "w": [1, None, 3],
        "b": [True, False, True],
        "d": table["d"].to_pylist(),
        "z": ["007", "010", "011"],
        "s": ["x", None, "y"],
    }
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "int64", "bool", "timestamp[us]", "string", "string"
    ]  # fmt: skip
    assert [value and str(value)[:10] for value in table["d"].to_pylist()] == ["2013-01-01", "2013-02-28", None]


def test_a_value_far_down_decides_the_type_and_is_kept(tmp_path: Path) -> None:
    values = [str(number) for number in range(2_000_000)]
    values[1_900_000] = "n/k"
    table = from_bytes(tmp_path, ("a\n" + "\n".join(values) + "\n").encode())
    assert table["a"].type == pa.string()
    assert table["a"][1_900_000].as_py() == "n/k"
    assert table["a"].null_count == 0


def test_words_for_missing_are_counted_and_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"n,c\n1,NA\n-,US\n3,DE\n")
    profile, table = ingest(file)
    assert table["c"].to_pylist() == [None, "US", "DE"]
    assert "read as missing: 'NA' 1 times" in profile["tables"]["t"]["columns"]["c"]["notes"]
    assert ["t.c ('NA' 1)" in note and "dataset.null_values" in note for note in profile["notes"]] == [True]
    profile, table = ingest(file, null_values=["-"])
    assert not profile["notes"], "of a number that is no news"
    assert table.to_pydict() == {"n": [1, None, 3], "c": ["NA", "US", "DE"]}


@pytest.mark.parametrize(
    "text",
    [
        "a;b\n1;2,5\n3;4\n",
        "a\tb\n1\t2.5\n3\t4\n",
        "a|b\n1|2.5\n3|4\n",
        '"a","b"\r\n"1","2.5"\r\n\r\n3,4',
        "a,b\r1,2.5\r3,4",
    ],
)
def test_dialects(tmp_path: Path, text: str) -> None:
    assert from_bytes(tmp_path, text.encode()).to_pydict() == {"a": [1, 3], "b": [2.5, 4.0]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_so_themselves(tmp_path: Path, encoding: str) -> None:
    table = from_bytes(tmp_path, "näme,b\nJosé,1\nŁódź,2\n".encode(encoding))
    assert table.to_pydict() == {"näme": ["José", "Łódź"], "b": [1, 2]}


def test_encoding_can_be_given(tmp_path: Path) -> None:
    table = from_bytes(tmp_path, "a\nJosé\nAnna\n".encode("cp1252"), encoding="cp1252")
    assert table["a"].to_pylist() == ["José", "Anna"]


def test_gzip_line_breaks_in_values_and_empty_names(tmp_path: Path) -> None:
    table = from_bytes(tmp_path, gzip.compress(b',b\n0,"two\nlines"\n1,x\n'), "t.csv.gz")
    assert table.to_pydict() == {"Unnamed: 0": [0, 1], "b": ["two\nlines", "x"]}


def test_thousands_are_no_decimal_commas(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b'a,b\n"1,234",1\n"5,678",2\n')
    profile, table = ingest(file)
    assert table["a"].to_pylist() == [1234, 5678]
    assert "dataset.formats={t.a: '1.234,5'}" in profile["notes"][0], "what is left open is said, and what settles it"


def test_numbers_that_int64_cannot_hold_stay_text(tmp_path: Path) -> None:
    values = from_bytes(tmp_path, b"a\n12345678901234567890\n12345678901234567891\n")["a"].to_pylist()
    assert values == ["12345678901234567890", "12345678901234567891"]


def test_ragged_lines_are_named(tmp_path: Path) -> None:
    message = refused(tmp_path, b'a,b\n1,"x\ny"\n3\n4,5\n6,7,8\n')
    assert "t.csv" in message and "line 4 has 1, line 6 has 3" in message and "2 with the delimiter ','" in message


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "t.csv", "the file is empty"),
        (b"a,b\n", "t.csv", "the table is empty"),
        (b"a,b\n1,2\n", "t.csv", "one row only"),
        (b"a,a\n1,2\n3,4\n", "t.csv", "'a' stands more than once"),
        (b"a\nok\nJos\xe9\n", "t.csv", "found byte 0xe9 in line 3"),
        (b'a,b\n1,"x\n2,y\n3,z\n', "t.csv", "opens in line 2 and never closes"),
        (b'a,b\n1,"x\n2,y\n3,z', "t.csv", "opens in line 2 and never closes"),
        (gzip.compress(b'a,b\n1,x\n2,"y\n3,z\n', mtime=0), "t.csv.gz", "opens in line 3 and never closes"),
        (b"PAR1\x00\x00", "t.csv", "a parquet file"),
        (b"a,b\n\x00\x01\x02", "t.csv", "binary data"),
        (gzip.compress(b"a,b\n1,2\n" * 5000, mtime=0)[:-40], "t.csv.gz", "cannot be decompressed"),
        (b"a,b\n1,\n2,\n", "t.csv", "t.b: no value in any row"),
        (b"a,b\n1,inf\n2,1.5\n", "t.csv", "infinite values"),
        (("," .join(f"c{i}" for i in range(10_000)) + "\n").encode(), "t.csv", "10000 columns, the limit is 1000"),
        (b"a\n1\n2\n", "rm -rf $HOME;.csv", "a table name becomes a file name"),
        (b"not parquet", "t.parquet", "cannot be read as parquet"),
        (b"not a database", "t.sqlite", "neither a SQLite nor a DuckDB database"),
        (b"not a workbook", "t.xlsx", "cannot be read as an Excel workbook"),
        (b"x", "t.docx", "this ends in '.docx'"),
    ],
)  # fmt: skip
def test_broken_files_are_refused_in_words(tmp_path: Path, content: bytes, name: str, words: str) -> None:
    assert words in refused(tmp_path, content, name)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_a_last_value_of_several_lines_is_read(tmp_path: Path, end: bytes) -> None:
    table = from_bytes(tmp_path, b'a,b\n1,x\n2,"y\nz"' + end)
    assert table.to_pydict() == {"a": [1, 2], "b": ["x", "y\nz"]}


def test_columns_without_values_can_be_dropped(tmp_path: Path) -> None:
    assert from_bytes(tmp_path, b"a,b\n1,\n2,\n", all_null="drop").to_pydict() == {"a": [1, 2]}


def test_missing_path_suggests_a_neighbour(tmp_path: Path) -> None:
    (tmp_path / "flights").mkdir()
    with pytest.raises(DataError, match="Did you mean 'flights'"):
        ingest_database(DatasetOptions.from_mapping({"path": str(tmp_path / "flihgts")}), tmp_path / "out")


def test_sniffing_prefers_the_delimiter_of_most_lines() -> None:
    assert sniff_delimiter('a,b,c\n"x;y;z",2,3\n1,2,3\n') == ","
    assert sniff_delimiter("a|b\n1,1|2\n") == "|"


_CELLS = st.sampled_from(["1", "x", "", "2013-01-01", "nan", "-0", '"q', "1e9", "0x1"])
_FRAGMENTS = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet='a1,;"\n\r\t .-NA/é:', max_size=200).map(str.encode),
    st.lists(st.lists(_CELLS, max_size=4), max_size=6).map(lambda rows: "\n".join(map(",".join, rows)).encode()),
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=_FRAGMENTS)
def test_any_bytes_give_a_table_or_a_data_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    try:
        _, table = ingest(file, all_null="drop")
    except DataError as error:
        assert str(error)
        return
    assert table.num_rows >= 2
    assert not any(column.type == pa.null() for column in table.columns)
