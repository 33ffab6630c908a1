"""What a workbook's parts may hold before anything reads them: Excel's own limits, and bytes against the file's."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tabgraphsyn.data.read_limits import Meter
from tabgraphsyn.errors import DataError

_CHUNK_BYTES = 1 << 20
_ROW_END = b"</row"
# A row of Excel has 16,384 cells of some elements each; what stands outside of rows (merged cells, links) is fewer.
_MOST_BETWEEN_ROWS = 500_000
_MOST_ROWS = 1_048_576
_MOST_TEXTS = 4_000_000
_MOST_ELSEWHERE = 2_000_000


def check_parts(path: Path, meter: Meter) -> None:
    """Raise where a part of a workbook holds more than its file can be expected to, or than Excel can.

    The reader builds a tree of a row, and a list of all shared texts, before anybody can count them.

    Raises:
        DataError: a limit; also what a damaged file raises.
    """
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            meter.add(part.file_size)
        for part in archive.infolist():
            if part.filename.lower().endswith((".xml", ".rels")):
                _check_part(archive, part, meter.location)


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, where: str) -> None:
    elements = most_between = rows = 0
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            pieces = chunk.split(_ROW_END)
            rows += len(pieces) - 1
            for number, piece in enumerate(pieces):
                elements = elements * (number == 0) + piece.count(b"<")
                most_between = max(most_between, elements)
    is_sheet = "worksheets/" in part.filename
    texts = most_between / 4 if "sharedstrings" in part.filename.lower() else 0
    if (
        (is_sheet and (rows > _MOST_ROWS or most_between > _MOST_BETWEEN_ROWS))
        or texts > _MOST_TEXTS
        or (not is_sheet and not texts and most_between > _MOST_ELSEWHERE)
    ):
        raise DataError(
            f"{where}: {part.filename!r} in it holds more than Excel itself can ({_MOST_ROWS:,} rows, 16,384 columns): "
            f"damaged, or made to fill memory. Save the workbook again, or write the table as CSV."
        )
