"""Files that are odd as files: lines that are no rows are passed over where that is sure, else asked about."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.errors import DataError

ROWS = [f"{number},{'abc'[number % 3]},{number * 1.25:.2f}" for number in range(1, 41)]
BODY = "\n".join(ROWS) + "\n"


def read(folder: Path, **options: object) -> tuple[dict, list[str]]:
    out = folder.with_name("out")
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder), **options}), out)
    return {name: pq.read_table(out / "tables" / f"{name}.parquet") for name in profile["tables"]}, profile["notes"]


def from_text(tmp_path: Path, text: str, encoding: str = "utf-8", **options: object) -> tuple[pa.Table, list[str]]:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    (folder / "t.csv").write_bytes(text.encode(encoding))
    tables, notes = read(folder, **options)
    return tables["t"], notes


def refused(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        from_text(tmp_path, text, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("before", "note"),
    [
        ("# exported by lab 7\n# units: mmol\n", "start with '#'"),
        ("Report of the year\n\n", "Report of the year"),
        ("Station Nord\nAlle Werte vorläufig\n", "Station Nord"),
        ("Umsatz, vorläufig\n\n", "Umsatz"),
        ("#\n", "start with '#'"),
    ],
)
def test_lines_before_the_table_are_passed_over_and_noted(tmp_path: Path, before: str, note: str) -> None:
    table, notes = from_text(tmp_path, f"{before}id,kind,v\n{BODY}")
    assert table.column_names == ["id", "kind", "v"] and table.num_rows == 40
    assert [str(kind) for kind in table.schema.types] == ["int64", "string", "double"]
    assert any(note in each for each in notes), notes


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\n', "SEP=;\r\n"])
def test_excels_own_first_line_is_heeded(tmp_path: Path, first: str) -> None:
    table, _ = from_text(tmp_path, first + "id;kind;v\n" + BODY.replace(",", ";"))
    assert table.column_names == ["id", "kind", "v"] and table.num_rows == 40


def test_a_name_may_begin_with_a_hash(tmp_path: Path) -> None:
    table, _ = from_text(tmp_path, f"#CHROM,REF,QUAL\n{BODY}")
    assert table.column_names == ["#CHROM", "REF", "QUAL"] and table.num_rows == 40


@pytest.mark.parametrize(
    "body",
    [BODY, "".join(f"2024-01-{n:02d};{n}\n" for n in range(1, 29)), "".join(f"x{n % 3},{n / 8}\n" for n in range(30))],
)
def test_a_file_without_names_is_asked_about(tmp_path: Path, body: str) -> None:
    message = refused(tmp_path, body)
    assert "line 1 looks like a row" in message and "dataset.header=false" in message
    table, _ = from_text(tmp_path, body, header=False)
    assert table.num_rows == body.count("\n") and table.column_names[:2] == ["column_1", "column_2"]
    table, _ = from_text(tmp_path, body, header={"t": True})
    assert table.num_rows == body.count("\n") - 1


@pytest.mark.parametrize(
    "names", ["id,kind,2010", "0,1,2", "2010,2015,2020", "1st,2nd,3rd", "id,kind,v", "a b,c-d,e/f", "ID,,v"]
)
def test_names_are_not_taken_for_rows(tmp_path: Path, names: str) -> None:
    table, _ = from_text(tmp_path, f"{names}\n{BODY}")
    assert table.num_rows == 40


@pytest.mark.parametrize("units", ["(none),(text),(mmol/l)", "int,char,float", ",,mmol", "No.,Art,Betrag in EUR"])
def test_a_second_line_of_names_is_asked_about(tmp_path: Path, units: str) -> None:
    text = f"id,kind,v\n{units}\n{BODY}"
    message = refused(tmp_path, text)
    assert "line 2 looks like a second line of names" in message and "dataset.skip_after_header=1" in message
    table, _ = from_text(tmp_path, text, skip_after_header=1)
    assert table.num_rows == 40 and str(table.schema.field("v").type) == "double"
    assert from_text(tmp_path, text, skip_after_header={"t": 0})[0].num_rows == 41


@pytest.mark.parametrize("last", ["Total,,1025.00", "Summe:,,1025.00", "GRAND TOTAL,all,1025.00", "Average,,25.6"])
def test_a_total_at_the_end_is_asked_about(tmp_path: Path, last: str) -> None:
    text = f"id,kind,v\n{BODY}{last}\n"
    message = refused(tmp_path, text)
    assert "looks like a total" in message and "dataset.skip_footer=1" in message
    table, _ = from_text(tmp_path, text, skip_footer=1)
    assert table.num_rows == 40 and str(table.schema.field("id").type) == "int64"
    assert from_text(tmp_path, text, skip_footer=0)[0].num_rows == 41


def test_a_total_among_names_is_known_by_its_sum(tmp_path: Path) -> None:
    rows = "".join(f"town {n},{n * 10}\n" for n in range(1, 9))
    assert "looks like a total" in refused(tmp_path, f"town,people\n{rows}Total,360\n")
    assert from_text(tmp_path, f"town,people\n{rows}Total,7\n")[0].num_rows == 9, "a town may be called so"


def test_lines_among_rows_are_left_out_where_they_are_named(tmp_path: Path) -> None:
    text = f"Title, with, commas\nid,kind,v\n# note\n{BODY}# end\nsource: lab\n"
    assert "dataset.skip_rows" in refused(tmp_path, text)
    table, _ = from_text(tmp_path, text, skip_rows=1, comment="#", skip_footer=1)
    assert table.column_names == ["id", "kind", "v"] and table.num_rows == 40
    wide = text.replace("\n", "\r\n")
    table, _ = from_text(tmp_path, wide, encoding="utf-16", skip_rows=1, comment="#", skip_footer=1)
    assert table.num_rows == 40 and str(table.schema.field("v").type) == "double"


def test_a_delimiter_at_the_end_of_lines_is_no_column(tmp_path: Path) -> None:
    table, notes = from_text(tmp_path, "id,kind,v,\n" + BODY.replace("\n", ",\n"))
    assert table.column_names == ["id", "kind", "v"] and any("neither a name nor a value" in note for note in notes)


def test_sheets_have_titles_and_totals_too(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Sales of the year"])
    sheet.append([])
    sheet.append(["id", "kind", "v"])
    for line in ROWS:
        number, kind, value = line.split(",")
        sheet.append([int(number), kind, float(value)])
    book.save(folder / "t.xlsx")
    tables, notes = read(folder)
    assert tables["t"].num_rows == 40 and tables["t"].column_names == ["id", "kind", "v"] and "Sales" in notes[0]
    sheet.append(["Total", None, 1025.0])
    sheet.cell(1, 16_384).number_format = "0.00"
    sheet.cell(1_000_000, 1).number_format = "0.00"
    book.save(folder / "t.xlsx")
    with pytest.raises(DataError, match="looks like a total"):
        read(folder)
    assert read(folder, skip_footer=1)[0]["t"].num_rows == 40


def test_everything_wrong_with_a_folder_comes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text(BODY)
    (folder / "b.csv").write_text(f"id,kind,v\n{BODY}Total,,1025\n")
    (folder / "c.csv").write_text("id,v\n1,2\n3,4,5\n")
    (folder / "d.parquet").write_bytes(b"PAR1 not really")
    lists = pa.array([[1], [2, 3]])
    records = pa.array([{"x": 1}, {"x": 2}])
    pq.write_table(pa.table({"id": [1, 2], "tags": lists, "pos": records, "": ["x", "y"]}), folder / "e.parquet")
    pq.write_table(pa.table({"id": [1, 2], "tags": lists, "pos": records}), folder / "f.parquet")
    (folder / "metadata.json").write_text("{")
    with pytest.raises(DataError) as caught:
        read(folder)
    text = str(caught.value)
    for words in ("a.csv: line 1 looks like a row", "b.csv: the last row", "c.csv: each line", "d.parquet: cannot",
                  "e.parquet: a column has a name", "'tags (list<", "'pos (struct<",
                  "metadata.json: no valid json"):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("t.json", "read_json"), ("t.txt", "read_fwf"), ("t.xml", "read_xml"), ("t.zip", "Unpack"), ("t.sav", "parquet")],
)
def test_a_folder_without_a_table_says_what_to_do_with_what_is_there(tmp_path: Path, name: str, remedy: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_text("x")
    with pytest.raises(DataError, match="no table found") as caught:
        read(folder)
    assert remedy in str(caught.value) and name in str(caught.value)
