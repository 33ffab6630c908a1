"""Which files hold tables, by their names. Imports nothing heavy: launching asks this first."""

from __future__ import annotations

from pathlib import Path

TABLE_SUFFIXES = ("csv", "tsv", "parquet", "pq", "xlsx", "xlsm", "sqlite", "sqlite3", "db", "duckdb")
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


def data_files(path: Path) -> list[Path]:
    """Return the files under ``path`` that hold tables, sorted by name."""
    if path.is_file():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.is_file() and file_format(entry) in TABLE_SUFFIXES)
