"""Excel: each sheet is a table, its first row that is not empty the header."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError  # the name of what openpyxl raises; nothing is parsed with it  # nosec B405

import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import Meter, metered
from tabgraphsyn.data.reading.cells import bounded_blocks, cell_text, text_batch
from tabgraphsyn.data.reading.csv_file import given_layout
from tabgraphsyn.data.reading.excel_parts import check_parts
from tabgraphsyn.data.reading.layout import Found, Given, find_layout, total_problem
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.errors import DataError

_FAILURES = (
    *(zipfile.BadZipFile, ParseError, KeyError, ValueError, OSError, EOFError, TypeError, AttributeError),
    *(IndexError, NotImplementedError, RuntimeError, zipfile.LargeZipFile, AssertionError, zlib.error, struct.error),
)
_SAMPLE_ROWS = 200

Row = tuple[int, list[Any]]


def excel_tables(path: Path, options: DatasetOptions) -> list[ExcelTable]:
    """Return the sheets of a workbook; a workbook with one sheet gives its own name to the table."""
    with _damage_explained(path.name):
        check_parts(path, Meter(path.name, options.limits, path.stat().st_size))
    with closing(_open(path)) as workbook:
        sheets = [sheet.title for sheet in workbook.worksheets]
    names = [path.stem] if len(sheets) == 1 else sheets
    return [
        ExcelTable(name=name, path=path, sheet=sheet, options=options)
        for name, sheet in zip(names, sheets, strict=True)
    ]


class _damage_explained:
    """Turns what a damaged workbook raises, anywhere in its reader, into a message."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _FAILURES):
            raise DataError(
                f"{self.where}: cannot be read as an Excel workbook ({str(error)[:200]}). Save it again, or give it "
                f"the suffix of its format."
            ) from error


def _open(path: Path) -> Any:
    # Imported here because it takes a fifth of a second that no other format needs.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with _damage_explained(path.name):
            return load_workbook(path, read_only=True, data_only=True)
    except InvalidFileException as error:
        raise DataError(f"{path.name}: no Excel workbook ({error}). Give it the suffix of its format.") from error


@dataclass(frozen=True, kw_only=True)
class ExcelTable(TableReader):
    """One sheet."""

    as_written = True
    has_null_words = True
    sheet: str

    @property
    def location(self) -> str:
        """File and sheet."""
        return f"{self.path.name}: {self.sheet}"

    @property
    def notes(self) -> list[str]:
        """What was passed over."""
        found, _ = self._layout
        return [f"{self.location}: {found.note}."] if found.note else []

    @property
    def _given(self) -> Given:
        return given_layout(self.options, self.name)

    def columns(self) -> list[str]:
        """Return the cells of the first row that is not empty; without a row of names ``column_1``, ...

        Raises:
            DataError: the sheet is empty, or what it begins with may or may not be names.
        """
        found, rows = self._layout
        if not found.has_names:
            return [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
        names = rows[0]
        return [name if name and name.strip() else f"Unnamed: {position}" for position, name in enumerate(names)]

    @cached_property
    def _layout(self) -> tuple[Found, list[list[str | None]]]:
        """Where the table stands, and its first rows as text, names included."""
        numbered = list(islice(self._rows(), _SAMPLE_ROWS))
        rows = [[cell_text(cell) for cell in row] for _, row in numbered]
        if not rows:
            raise DataError(f"{self.location}: the sheet is empty. Remove it or choose others in dataset.tables.")
        nulls = frozenset(self.options.null_values)
        found = find_layout(rows, [number for number, _ in numbered], self._given, nulls, self.location)
        kept = rows[found.first :]
        if not found.has_names:
            width = max(map(len, kept), default=0)
            kept = [[*row, *[None] * (width - len(row))] for row in kept]
        return found, kept

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows as text; rows without any value are passed over.

        Raises:
            DataError: a row holds values beyond the header.
        """
        names = self.columns()
        blocks = bounded_blocks(self._body(len(names)))
        yield from metered((text_batch(names, block, self.location) for block in blocks), self.meter)

    def _body(self, width: int) -> Iterator[list[Any]]:
        """Yield the rows under the names, ``width`` cells each."""
        found, sample = self._layout
        given = self._given
        before = found.first + found.has_names + (given.skip_after_header or 0)
        held: list[list[Any]] = []
        last: list[Any] = []
        for number, row in islice(self._rows(), before, None):
            if len(row) > width:
                raise DataError(
                    f"{self.location}: row {number} has values right of the {width} columns of the header. "
                    f"Give them a column name or clear them; rows before the names are left out by dataset.skip_rows."
                )
            last = [*row, *[None] * (width - len(row))]
            held.append(last)
            if len(held) > (given.skip_footer or 0):
                yield held.pop(0)
        if last and given.skip_footer is None:
            self._check_total([cell_text(cell) for cell in last], sample[found.has_names :])

    def _check_total(self, last: list[str | None], others: list[list[str | None]]) -> None:
        padded = [[*row, *[None] * (len(last) - len(row))] for row in others]
        if padded and padded[-1] == last:
            padded.pop()
        problem = total_problem(last, padded, frozenset(self.options.null_values), self.location)
        if problem:
            raise DataError(problem)

    def _rows(self) -> Iterator[Row]:
        """Yield the number and cells of each row that is not empty, up to its last cell with a value.

        openpyxl's own rows are as wide as the rightmost cell anywhere, which need not have a value.
        """
        from openpyxl.worksheet._reader import WorkSheetParser

        meter = self.meter
        with _damage_explained(self.location), closing(_open(self.path)) as workbook:
            sheet = workbook[self.sheet]
            with sheet._get_source() as source:
                parser = WorkSheetParser(
                    source,
                    sheet._shared_strings,
                    data_only=True,
                    epoch=workbook.epoch,
                    date_formats=workbook._date_formats,
                    timedelta_formats=workbook._timedelta_formats,
                )
                for number, cells in parser.parse():
                    filled = [cell for cell in cells if cell["value"] is not None and cell["value"] != ""]
                    if filled and number > (self._given.skip_rows or 0):
                        yield number, _row(filled, meter)


def _row(cells: list[dict[str, Any]], meter: Meter) -> list[Any]:
    width = max(cell["column"] for cell in cells)
    meter.columns(width)
    row: list[Any] = [None] * width
    for cell in cells:
        row[cell["column"] - 1] = cell["value"]
    return row
