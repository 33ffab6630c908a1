"""CSV: any delimiter, encoding and compression, streamed; every value stays the text that was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.reading.csv_faults import CsvSource, binary_kind, explain, unclosed_quote
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.errors import DataError

_BLOCK_BYTES = 8 << 20
_SAMPLE_BYTES = 256 << 10
_DELIMITERS = (",", ";", "\t", "|", ":")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_FAILURES = (pa.ArrowException, UnicodeError, OSError, EOFError)


def csv_tables(path: Path, options: DatasetOptions) -> list[CsvTable]:
    """Return the one table that a CSV file holds."""
    name = path.name
    for suffix in (".gz", ".bz2", ".zst", ".csv", ".tsv", ".txt"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return [CsvTable(name=name, path=path, given_delimiter=options.delimiter, given_encoding=options.encoding)]


@dataclass(frozen=True)
class CsvTable:
    """One CSV file."""

    name: str
    path: Path
    given_delimiter: str | None = None
    given_encoding: str | None = None
    as_written: bool = True
    has_null_words: bool = True
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()

    @property
    def location(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def has_decimal_comma(self) -> bool:
        """True where the comma does not separate fields."""
        return self.source.delimiter != ","

    @cached_property
    def source(self) -> CsvSource:
        """The file with the encoding and delimiter it is read with.

        Raises:
            DataError: the file is binary, or cannot be opened.
        """
        try:
            with CsvSource(self.path).open_bytes() as stream:
                sample = stream.read(_SAMPLE_BYTES)
        except OSError as error:
            raise explain(CsvSource(self.path), error) from error
        kind = binary_kind(sample)
        if kind and not self.given_encoding:
            raise DataError(
                f"{self.location}: a CSV file is text, this one holds {kind}. Give it the suffix of its format, "
                f"or set dataset.encoding if it is text in a rare encoding."
            )
        encoding = self.given_encoding or _encoding_of(sample)
        text = sample.decode(encoding, errors="replace")
        delimiter = self.given_delimiter or sniff_delimiter(text, complete=len(sample) < _SAMPLE_BYTES)
        return CsvSource(self.path, encoding, delimiter)

    def columns(self) -> list[str]:
        """Return the names in the first line; an empty one becomes ``Unnamed: <position>`` as in pandas."""
        with self._failures_explained(), self._open({}) as reader:
            names = reader.schema.names
        return [name if name.strip() else f"Unnamed: {position}" for position, name in enumerate(names)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, every column a string."""
        names = self.columns()
        with self._failures_explained():
            with self._open({}) as reader:
                written = reader.schema.names
            last_value: str | None = None
            with self._open(dict.fromkeys(written, pa.string())) as reader:
                for batch in reader:
                    if batch.num_rows:
                        last_value = batch.column(batch.num_columns - 1)[-1].as_py()
                    yield pa.RecordBatch.from_arrays(batch.columns, names=names)
            fault = unclosed_quote(self.source, last_value)
            if fault is not None:
                raise fault

    def _open(self, column_types: dict[str, pa.DataType]) -> arrow_csv.CSVStreamingReader:
        return arrow_csv.open_csv(
            self.source.open_bytes(),
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, encoding=self.source.arrow_encoding),
            parse_options=arrow_csv.ParseOptions(delimiter=self.source.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=column_types,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _failures_explained(self) -> _Explained:
        return _Explained(self.source)


class _Explained:
    """Turns what pyarrow raises into a message with a line and what to do."""

    def __init__(self, source: CsvSource) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _FAILURES):
            raise explain(self.source, error) from error


def _encoding_of(sample: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    return "utf-8"


def sniff_delimiter(text: str, *, complete: bool = True) -> str:
    """Return the delimiter under which most lines have as many fields as the first one.

    >>> sniff_delimiter("a;b;c\\n1,5;2;3\\n")
    ';'
    >>> sniff_delimiter("name\\nAnna\\n")
    ','
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = _widths(text, delimiter, complete)
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score and score[0] >= 0.5:
            best, best_score = delimiter, score
    return best


def _widths(text: str, delimiter: str, complete: bool) -> list[int]:
    widths: list[int] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                widths.append(len(row))
            if len(widths) == 200:
                return widths
    except csv.Error:  # a field over csv's limit or a stray NUL: judge by the lines before it
        return widths
    return widths if complete else widths[:-1] or widths
