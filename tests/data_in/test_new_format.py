"""A new input format: one module with a reader and one line in ``FORMATS``."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading import suffixes
from tabgraphsyn.errors import DataError

READER = """
    import pyarrow.csv
    import pyarrow.parquet as pq
    from tabgraphsyn.data.reading.parquet_file import ParquetTable

    def pipe_tables(path, options):
        options_ = pyarrow.csv.ParseOptions(delimiter="|")
        written = path.with_name(f".{path.stem}.read")
        pq.write_table(pyarrow.csv.read_csv(path, parse_options=options_), written)
        return [ParquetTable(name=path.stem, path=written, options=options)]
"""


def test_a_reader_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "prices.pipes").write_text("id|price\n1|2.5\n2|3.5\n3|\n")
    options = DatasetOptions.from_mapping({"path": str(folder)})
    with pytest.raises(DataError, match=r"no table found.* Found 'prices\.pipes'"):
        ingest_database(options, tmp_path / "before")
    (tmp_path / "pipes_reader.py").write_text(textwrap.dedent(READER))
    monkeypatch.syspath_prepend(str(tmp_path))
    pipes = suffixes.Format(("pipes",), "pipes_reader.pipe_tables", "pipes (.pipes)")
    monkeypatch.setattr(suffixes, "FORMATS", [*suffixes.FORMATS, pipes])
    ingest_database(options, tmp_path / "out")
    assert pq.read_table(tmp_path / "out" / "tables" / "prices.parquet")["price"].to_pylist() == [2.5, 3.5, None]
    (folder / "prices.pipes").rename(folder / "prices.other")
    with pytest.raises(DataError, match=r"DuckDB \(\.duckdb\) or pipes \(\.pipes\)"):
        ingest_database(options, tmp_path / "after")
