"""Which files hold tables, by their names, and what reads them. Imports nothing heavy: launching asks this first.

A new format is a module with such a reader and one line in ``FORMATS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        suffixes: by which it is known.
        reader: dotted name of a function ``(path, options) -> Sequence[TableReader]``.
        words: how a message lists it.
        holds_several: a file may hold several tables.
    """

    suffixes: tuple[str, ...]
    reader: str
    words: str
    holds_several: bool = False


_READING = "tabgraphsyn.data.reading"
FORMATS: list[Format] = [
    Format(("csv", "tsv"), f"{_READING}.csv_file.csv_tables", "CSV (.csv, .tsv, also .gz)"),
    Format(("parquet", "pq"), f"{_READING}.parquet_file.parquet_tables", "parquet"),
    Format(("xlsx", "xlsm"), f"{_READING}.excel_file.excel_tables", "Excel (.xlsx)", holds_several=True),
    Format(("sqlite", "sqlite3", "db"), f"{_READING}.database_file.database_tables", "SQLite (.sqlite, .db)", True),
    Format(("duckdb",), f"{_READING}.database_file.database_tables", "DuckDB (.duckdb)", holds_several=True),
]
COMPRESSIONS = ("gz", "bz2", "zst")


def file_format(path: Path) -> str:
    """Return the suffix that tells a file's format, without that of a compression; empty for hidden files.

    >>> file_format(Path("flights.csv.gz")), file_format(Path("planes.parquet")), file_format(Path(".flights.csv.part"))
    ('csv', 'parquet', '')
    """
    parts = path.name.lower().split(".")
    if parts[0] == "":  # hidden files, among them what an unfinished write leaves
        return ""
    if parts[-1] in COMPRESSIONS and len(parts) > 2 and parts[-2] in ("csv", "tsv"):
        return parts[-2]
    return parts[-1] if len(parts) > 1 else ""


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its name, None for a file that holds no table."""
    suffix = file_format(path)
    return next((each for each in FORMATS if suffix in each.suffixes), None)


def known_formats() -> str:
    """Return the formats in words, for a message."""
    *first, last = (each.words for each in FORMATS)
    return f"{', '.join(first)} or {last}"


def data_files(path: Path) -> list[Path]:
    """Return the files under ``path`` that hold tables, sorted by name."""
    if path.is_file():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.is_file() and format_of(entry) is not None)
