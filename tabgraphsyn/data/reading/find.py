"""From a path to the tables in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.csv_file import csv_tables
from tabgraphsyn.data.reading.names import outside_problem, table_name_problem
from tabgraphsyn.data.reading.suffixes import data_files, file_format, format_of, known_formats
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.errors import DataError, listing, nearest

_Reader = Callable[[Path, DatasetOptions], Sequence[TableReader]]
_REMEDIES = (
    (
        (".json", ".jsonl", ".ndjson"),
        "Write json as a table: pandas.read_json('t.json', lines=<one object a line?>).to_parquet('t.parquet'); turn "
        "nested objects into columns (pandas.json_normalize) and lists into tables of their own first.",
    ),
    (
        (".txt", ".dat", ".prn", ".tab", ".data"),
        "Name text with a delimiter .csv (dataset.delimiter says which); write columns of fixed width as CSV "
        "(pandas.read_fwf('t.txt').to_csv('t.csv', index=False)).",
    ),
    ((".xml", ".html", ".htm"), "Write xml as CSV (pandas.read_xml, pandas.read_html)."),
    ((".xls", ".ods", ".xlsb"), "Save old workbooks as .xlsx."),
    ((".zip", ".tar", ".tgz", ".7z", ".rar"), "Unpack archives."),
    ((".feather", ".arrow", ".sas7bdat", ".dta", ".sav", ".rds", ".rdata", ".h5", ".pkl"), "Write them as parquet."),
)


@dataclass(frozen=True)
class FoundTables:
    """The tables under a path, what is wrong with some of them, and what was passed over.

    Attributes:
        readers: one for each table.
        problems: files and tables that were refused, and why.
        notes: files that are no tables.
        refused: names of tables that stand there and were refused.
        hides_tables: a file of several tables could not be read: nobody knows which are in it.
    """

    readers: tuple[TableReader, ...]
    problems: list[str]
    notes: list[str]
    refused: tuple[str, ...] = ()
    hides_tables: bool = False


def find_tables(options: DatasetOptions) -> FoundTables:
    """Return a reader for each table under ``options.path``.

    Raises:
        DataError: the path does not exist or holds no table.
    """
    path = options.path
    if not path.exists():
        around = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(
            f"dataset.path: {str(path)!r} does not exist (looked from {str(Path.cwd())!r})."
            f"{nearest(path.name, around)} Set dataset.path to a folder of tables or to one file."
        )
    found = _in_folder(path, options) if path.is_dir() else _in_file(path, options)
    if not found.readers and not found.problems:
        there = _what_is_there(path)
        raise DataError(
            f"{path}: no table found; a table is {known_formats()}.{there} Put the files there or set dataset.path."
        )
    return _chosen(found, options.tables)


def _what_is_there(path: Path) -> str:
    """Return which files could become tables, and how."""
    names = sorted(entry.name for entry in path.iterdir() if entry.is_file()) if path.is_dir() else []
    if not names:
        return ""
    remedies = [words for suffixes, words in _REMEDIES if any(name.lower().endswith(suffixes) for name in names)]
    return " ".join([f" Found {listing(names, 6)}.", *remedies])


def _in_file(path: Path, options: DatasetOptions) -> FoundTables:
    reader = csv_tables if file_format(path) == "txt" else None
    if reader is None and format_of(path) is None:
        raise DataError(
            f"{path}: a table is {known_formats()}; this ends in {path.suffix!r}. Convert or rename the file."
        )
    return _read_files([path], path.parent, options, [], reader)


def _in_folder(path: Path, options: DatasetOptions) -> FoundTables:
    files = data_files(path)
    others = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_file() and entry not in files and entry.suffix not in (".md", ".json", ".yaml", "")
    )
    notes = [f"{path}: passed over {listing(others)}: not {known_formats()}."] if others else []
    broken = [entry for entry in path.iterdir() if entry.is_symlink() and not entry.exists()]
    found = _read_files(files, path, options, notes, None)
    found.problems.extend(f"{entry}: the link leads nowhere. Remove it or restore its target." for entry in broken)
    return replace(found, refused=(*found.refused, *(entry.name.split(".")[0] for entry in broken)))


def _read_files(
    files: list[Path],
    folder: Path,
    options: DatasetOptions,
    notes: list[str],
    reader: _Reader | None,
) -> FoundTables:
    readers: dict[str, TableReader] = {}
    problems: list[str] = []
    refused: list[str] = []
    hides_tables = False
    for file in files:
        try:
            tables = _tables(file, folder, options, reader)
        except DataError as error:
            problems += error.problems or [str(error)]
            refused.append(file.name.split(".")[0])
            known = format_of(file)
            hides_tables |= known is not None and known.holds_several
            continue
        for table in tables:
            before = len(problems)
            _add(table, readers, problems)
            refused += [table.name] * (len(problems) > before)
    return FoundTables(tuple(readers.values()), problems, notes, tuple(refused), hides_tables)


def _tables(
    file: Path,
    folder: Path,
    options: DatasetOptions,
    reader: _Reader | None,
) -> Sequence[TableReader]:
    if not file.name.isprintable():
        raise DataError(f"{file.name!a}: a file's name is printable Unicode. Rename the file.")
    outside = outside_problem(file, folder)
    if outside:
        raise DataError(outside)
    return (reader or _reader(file))(file, options)


def _reader(file: Path) -> _Reader:
    """Return what reads a file of a known format."""
    known = format_of(file)
    if known is None:
        raise DataError(f"{file}: a table is {known_formats()}; this ends in {file.suffix!r}. Convert the file.")
    module, _, name = known.reader.rpartition(".")
    reader: _Reader = getattr(import_module(module), name)
    return reader


def _add(table: TableReader, readers: dict[str, TableReader], problems: list[str]) -> None:
    wrong = table_name_problem(table.name, table.location)
    same = {name.casefold(): name for name in readers}.get(table.name.casefold())
    if wrong:
        problems.append(wrong)
    elif same is not None:
        problems.append(
            f"{table.location}: a table {table.name!r} stands already in {readers[same].location} (upper and lower "
            f"case count as equal, files are named after tables). Remove or rename one."
        )
    else:
        readers[table.name] = table


def _chosen(found: FoundTables, tables: tuple[str, ...] | None) -> FoundTables:
    if tables is None:
        return found
    readers = {reader.name: reader for reader in found.readers}
    missing = [
        f"dataset.tables: no table {name!r}; there are {listing(readers)}.{nearest(name, readers)}"
        for name in tables
        if name not in readers
    ]
    kept = tuple(reader for reader in found.readers if reader.name in tables)
    return replace(found, readers=kept, problems=found.problems + missing)
