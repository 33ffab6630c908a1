"""Excel: each sheet is a table, its first row that is not empty the header."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.cells import cell_text, text_batch
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError

_FAILURES = (zipfile.BadZipFile, ParseError, KeyError, ValueError, OSError, EOFError)


def excel_tables(path: Path, options: DatasetOptions) -> list[ExcelTable]:
    """Return the sheets of a workbook; a workbook with one sheet gives its own name to the table."""
    with closing(_open(path)) as workbook:
        sheets = [sheet.title for sheet in workbook.worksheets]
    if len(sheets) == 1:
        return [ExcelTable(name=path.stem, path=path, sheet=sheets[0])]
    return [ExcelTable(name=sheet, path=path, sheet=sheet) for sheet in sheets]


def _open(path: Path) -> Any:
    # Imported here because it takes a fifth of a second that no other format needs.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        return load_workbook(path, read_only=True, data_only=True)
    except (*_FAILURES, InvalidFileException) as error:
        raise DataError(
            f"{path.name}: cannot be read as an Excel workbook ({error}). Save it again, or give it the suffix of its "
            f"format."
        ) from error


@dataclass(frozen=True)
class ExcelTable:
    """One sheet."""

    name: str
    path: Path
    sheet: str
    as_written: bool = True
    has_null_words: bool = True
    has_decimal_comma: bool = False
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()

    @property
    def location(self) -> str:
        """File and sheet."""
        return f"{self.path.name}: {self.sheet}"

    def columns(self) -> list[str]:
        """Return the cells of the first row that is not empty."""
        return next(self._header_then_rows())  # type: ignore[return-value]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as text; rows without any value are passed over.

        Raises:
            DataError: a row holds values beyond the header.
        """
        rows = self._header_then_rows()
        names: list[str] = next(rows)  # type: ignore[assignment]
        while block := list(islice(rows, BATCH_ROWS)):
            yield text_batch(names, block, self.location)

    def _header_then_rows(self) -> Iterator[list[Any]]:
        with closing(_open(self.path)) as workbook:
            names: list[str] | None = None
            for number, row in enumerate(_rows(workbook[self.sheet], self.location), 1):
                if all(cell is None or cell == "" for cell in row):
                    continue
                if names is None:
                    names = _header(row)
                    yield names
                    continue
                if any(cell is not None for cell in row[len(names) :]):
                    raise DataError(
                        f"{self.location}: row {number} has values right of the {len(names)} columns of the header. "
                        f"Give them a column name or clear them."
                    )
                yield [*row[: len(names)], *[None] * (len(names) - len(row))]
            if names is None:
                raise DataError(f"{self.location}: the sheet is empty. Remove it or choose others in dataset.tables.")


def _rows(sheet: Any, location: str) -> Iterator[tuple[Any, ...]]:
    try:
        yield from sheet.iter_rows(values_only=True)
    except _FAILURES as error:
        raise DataError(f"{location}: cannot be read ({error}). Save the workbook again.") from error


def _header(row: tuple[Any, ...]) -> list[str]:
    names = [cell_text(cell) or "" for cell in row]
    while names and not names[-1]:
        names.pop()
    return [name if name.strip() else f"Unnamed: {position}" for position, name in enumerate(names)]
