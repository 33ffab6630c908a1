"""What is wrong with a CSV file, in words and with a line number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from tabgraphsyn.data.read_limits import Meter
from tabgraphsyn.data.reading.csv_text import KeptLines, kept_lines
from tabgraphsyn.errors import DataError

_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_MAGIC = (
    (b"PAR1", "a parquet file"), (b"PK\x03\x04", "a zip or Excel file"), (b"\x1f\x8b", "gzip data"),
    (b"SQLite format 3\x00", "a SQLite database"), (b"%PDF", "a PDF"), (b"\x89PNG", "a PNG image"),
    (b"\xd0\xcf\x11\xe0", "an old Office file"), (b"ARROW1", "an Arrow file"), (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"BZh", "bzip2 data"), (b"\x7fELF", "a program"),
)  # fmt: skip
_MAX_SHOWN = 10
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class CsvSource:
    """A CSV file and how to read it.

    Attributes:
        skip_rows: lines at its beginning that are no part of the table.
        comment: lines that start with it are none either.
        skip_footer: lines at its end that are none.
    """

    path: Path
    encoding: str = "utf-8"
    delimiter: str = ","
    skip_rows: int = 0
    comment: str | None = None
    skip_footer: int = 0

    @property
    def leaves_lines_out(self) -> bool:
        """True where not every line belongs to the table."""
        return bool(self.skip_rows or self.comment or self.skip_footer)

    @property
    def arrow_encoding(self) -> str:
        """The name arrow wants: it drops the mark of UTF-8 itself and is much faster under that name."""
        is_utf8 = self.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
        return "utf8" if is_utf8 or self.leaves_lines_out else self.encoding

    def without_lines(self, count: int) -> CsvSource:
        """Return the source with ``count`` lines more left out at its beginning."""
        return replace(self, skip_rows=self.skip_rows + count)

    def open_raw(self) -> pa.NativeFile:
        """Return the bytes of the file, decompressed."""
        compression = _COMPRESSIONS.get(self.path.suffix.lower())
        return pa.input_stream(str(self.path), compression=compression)

    def open_bytes(self, meter: Meter) -> pa.NativeFile | io.RawIOBase:
        """Return the bytes of the table, counted by ``meter`` where a small file can hold many."""
        if self.leaves_lines_out:
            text = io.TextIOWrapper(self._counted(meter), encoding=self._text_encoding, newline="")  # type: ignore[arg-type]
            return pa.PythonFile(KeptLines(text, self.skip_rows, self.comment, self.skip_footer), mode="r")
        if self.path.suffix.lower() in _COMPRESSIONS:
            return pa.PythonFile(self._counted(meter), mode="r")
        return self.open_raw()

    def open_text(self) -> io.TextIOWrapper:
        """Return the text of the file, with characters that cannot be decoded replaced."""
        return io.TextIOWrapper(self.open_raw(), encoding=self.encoding, errors="replace", newline="")

    @property
    def _text_encoding(self) -> str:
        return "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding

    def _counted(self, meter: Meter) -> io.BufferedReader:
        return io.BufferedReader(_Counted(self.open_raw(), meter), _BLOCK_BYTES)


class _Counted(io.RawIOBase):
    """A stream that asks a meter how many bytes it may still give."""

    def __init__(self, stream: pa.NativeFile, meter: Meter) -> None:
        super().__init__()
        self._stream = stream
        self._meter = meter

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read up to as many bytes as the buffer holds."""
        data = self._stream.read(len(buffer))
        self._meter.add(len(data))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file too."""
        self._stream.close()
        super().close()


def binary_kind(sample: bytes) -> str | None:
    """Return what kind of binary data a file starts with, or None for text.

    >>> binary_kind(b"PAR1....")
    'a parquet file'
    >>> binary_kind(b"a,b\\n1,2\\n")
    """
    for magic, kind in _MAGIC:
        if sample.startswith(magic):
            return kind
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, whose zero bytes are no sign of anything
        return None
    if b"\x00" in sample:
        return f"binary data (a zero byte at offset {sample.index(0)})"
    controls = sum(byte < 9 or 13 < byte < 32 for byte in sample[:4096])
    return "binary data (control characters)" if controls > 0.1 * max(len(sample[:4096]), 1) else None


def explain(source: CsvSource, error: BaseException) -> DataError:
    """Return the error that a person can act on, for one that reading raised."""
    text = str(error)
    where = source.path.name
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return _explain_encoding(source)
    if "Expected" in text and "columns" in text:
        return _explain_ragged(source, text)
    if "straddl" in text or "out of sync" in text:
        return DataError(
            f'{where}: a row spans more than 8 MiB, most often a quote (") that opens and never closes. '
            f"Close it, or double quotes that belong to a value."
        )
    if "Empty CSV" in text:
        return DataError(
            f"{where}: the file is empty; a CSV file starts with a line of column names. Fill or remove it."
        )
    if isinstance(error, OSError) and (source.path.suffix.lower() in _COMPRESSIONS):
        return DataError(
            f"{where}: cannot be decompressed ({text}): damaged, cut off, or not compressed at all. Compress it again."
        )
    return DataError(f"{where}: cannot be read as CSV with the delimiter {source.delimiter!r}: {text}")


def unclosed_quote(source: CsvSource, last_value: str | None) -> DataError | None:
    """Return what is wrong where a quote opens and never closes: arrow takes all that follows for one value.

    Args:
        source: the file, read to its end without an error.
        last_value: the last value of its last row.
    """
    if last_value is None or not ("\n" in last_value or "\r" in last_value):
        return None
    lines, last = 0, ""
    with source.open_text() as stream:
        while block := stream.read(_BLOCK_BYTES):
            lines += block.count("\n")
            last = block.rstrip()[-1:] or last
    if last == '"':
        return None
    line = lines - last_value.count("\n") + 1
    return DataError(
        f'{source.path.name}: a quote (") opens in line {line} and never closes, so that the rest of the file would be '
        f"one value. Close it, or double quotes that belong to a value."
    )


def _explain_encoding(source: CsvSource) -> DataError:
    line, byte = _first_undecodable(source)
    found = f"byte 0x{byte:02x} in line {line}" if byte is not None else "something else"
    return DataError(
        f"{source.path.name}: read as {source.encoding}, found {found}. Set dataset.encoding to what the file was "
        f"written in (often cp1252 or latin-1), or save it as UTF-8."
    )


def _first_undecodable(source: CsvSource) -> tuple[int, int | None]:
    """Return the line (counted from 1) and value of the first byte that the encoding does not know."""
    line, pending = 1, b""
    with source.open_raw() as stream:
        while block := stream.read(_BLOCK_BYTES):
            data = pending + block
            try:
                data.decode(source.encoding)
                pending = b""
            except UnicodeDecodeError as error:
                # A character cut in two by the end of a block is no fault: at most 3 of its bytes are here.
                if len(data) - error.start > 3:
                    return line + data.count(b"\n", 0, error.start), data[error.start]
                pending = data[error.start :]
            except UnicodeError:
                return line, None
            line += data.count(b"\n", 0, len(data) - len(pending))
    return line, pending[0] if pending else None


def _explain_ragged(source: CsvSource, text: str) -> DataError:
    width, ragged = _ragged_lines(source)
    if not ragged:
        return DataError(f"{source.path.name}: lines of unequal length with the delimiter {source.delimiter!r}: {text}")
    shown = ", ".join(f"line {line} has {fields}" for line, fields in ragged[: _MAX_SHOWN - 1])
    more = " (and maybe more)" if len(ragged) == _MAX_SHOWN else ""
    return DataError(
        f"{source.path.name}: each line has as many fields as the header, {width} with the delimiter "
        f"{source.delimiter!r}; {shown}{more}. Mend the lines, quote values that hold the delimiter, or set "
        f"dataset.delimiter. Lines that are no rows are left out by dataset.skip_rows (before the names), "
        f"dataset.comment ('#') and dataset.skip_footer (at the end)."
    )


def _ragged_lines(source: CsvSource) -> tuple[int, list[tuple[int, int]]]:
    """Return the header's width and the first lines (line, fields) that differ from it."""
    width, ragged = 0, []
    with source.open_text() as stream:
        kept = kept_lines(stream, source.skip_rows, source.comment, source.skip_footer)
        for line, row in _rows(kept, source.delimiter):
            if not width:
                width = len(row)
            elif len(row) != width:
                ragged.append((line + source.skip_rows, len(row)))
                if len(ragged) == _MAX_SHOWN:
                    break
    return width, ragged


def _rows(stream: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(stream, delimiter=delimiter)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except (csv.Error, OSError):  # what came before the place csv gives up at is still worth telling
        return
