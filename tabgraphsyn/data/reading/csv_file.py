"""CSV: any delimiter, encoding and compression, streamed; every value stays the text that was written."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import metered
from tabgraphsyn.data.reading.csv_faults import CsvSource, binary_kind, explain, unclosed_quote
from tabgraphsyn.data.reading.layout import Found, Given, chosen, find_layout, total_problem
from tabgraphsyn.data.reading.table_reader import TableReader
from tabgraphsyn.errors import DataError

_BLOCK_BYTES = 8 << 20
_SAMPLE_BYTES = 256 << 10
_SAMPLE_ROWS = 200
_DELIMITERS = (",", ";", "\t", "|", ":")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_FAILURES = (pa.ArrowException, UnicodeError, OSError, EOFError)
_EXCEL_SEPARATOR = re.compile(r"\ufeff?\"?sep=(.)\"?[;,\t]*\r?\n?", re.IGNORECASE)


def csv_tables(path: Path, options: DatasetOptions) -> list[CsvTable]:
    """Return the one table that a CSV file holds."""
    name = path.name
    for suffix in (".gz", ".bz2", ".zst", ".csv", ".tsv", ".txt"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return [CsvTable(name=name, path=path, options=options)]


@dataclass(frozen=True)
class _Sample:
    """The beginning of a file.

    Attributes:
        source: the file and how it is read.
        rows: its first rows, from the line of names on if that is known.
        layout: where the table stands in ``rows``.
    """

    source: CsvSource
    rows: tuple[tuple[str, ...], ...]
    layout: Found


@dataclass(frozen=True, kw_only=True)
class CsvTable(TableReader):
    """One CSV file."""

    as_written = True
    has_null_words = True

    @property
    def has_decimal_comma(self) -> bool:
        """True where the comma does not separate fields."""
        return self.source.delimiter != ","

    @property
    def source(self) -> CsvSource:
        """The file with the encoding, delimiter and lines it is read with.

        Raises:
            DataError: the file is binary, or cannot be opened.
        """
        return self._sample.source

    @property
    def notes(self) -> list[str]:
        """What was passed over."""
        return [f"{self.location}: {self._sample.layout.note}."] if self._sample.layout.note else []

    @cached_property
    def _sample(self) -> _Sample:
        text, encoding, complete = self._beginning()
        comment = chosen(self.options.comment, self.name)
        given = self._given
        skipped = given.skip_rows or 0
        note = ""
        lines = list(io.StringIO(text, newline=""))  # lines as csv counts them
        separator = _EXCEL_SEPARATOR.fullmatch(lines[0]) if lines and given.skip_rows is None else None
        delimiter = self.options.delimiter
        if separator is not None:
            skipped, delimiter = 1, delimiter or separator[1]
            note = f"the first line says that {separator[1]!r} separates fields"
        elif given.skip_rows is None and comment is None:
            skipped = _comment_lines(lines)
            note = f"passed over {skipped} line(s) that start with '#'" if skipped else ""
        kept = [line for line in lines[skipped:] if not (comment and line.startswith(str(comment)))]
        delimiter = delimiter or sniff_delimiter("".join(kept), complete=complete)
        source = CsvSource(
            self.path, encoding, delimiter, skipped, None if comment is None else str(comment), given.skip_footer or 0
        )
        numbered = _rows("".join(kept), delimiter, complete)
        self.meter.columns(len(numbered[0][1]) if numbered else 0, is_all=complete or len(numbered) > 1)
        is_known = separator is not None or comment is not None
        found = find_layout(
            [row for _, row in numbered],
            [line + skipped for line, _ in numbered],
            replace(given, skip_rows=skipped) if is_known else given,
            frozenset(self.options.null_values),
            self.location,
        )
        if found.first:
            source = source.without_lines(numbered[found.first][0] - 1)
        rows = tuple(tuple(row) for _, row in numbered[found.first :])
        note = "; ".join(text for text in (note, found.note) if text)
        return _Sample(source, rows, Found(found.first, found.has_names, note))

    def _beginning(self) -> tuple[str, str, bool]:
        """Return the decoded beginning, its encoding, and whether it is the whole file."""
        try:
            with CsvSource(self.path).open_raw() as stream:
                sample = stream.read(_SAMPLE_BYTES)
        except OSError as error:
            raise explain(CsvSource(self.path), error) from error
        kind = binary_kind(sample)
        if kind and not self.options.encoding:
            raise DataError(
                f"{self.location}: a CSV file is text, this one holds {kind}. Give it the suffix of its format, "
                f"or set dataset.encoding if it is text in a rare encoding."
            )
        encoding = self.options.encoding or _encoding_of(sample)
        with self._failures_explained(CsvSource(self.path, encoding)):
            return sample.decode(encoding, errors="replace"), encoding, len(sample) < _SAMPLE_BYTES

    @property
    def _given(self) -> Given:
        return given_layout(self.options, self.name)

    def columns(self) -> list[str]:
        """Return the names in the first line; an empty one becomes ``Unnamed: <position>`` as in pandas."""
        sample = self._sample
        with self._failures_explained(sample.source), self._open({}) as reader:
            names = reader.schema.names
        self.meter.columns(len(names))
        return [name if name.strip() else f"Unnamed: {position}" for position, name in enumerate(names)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, every column a string."""
        yield from metered(self._with_last_row_checked(), self.meter)

    def _with_last_row_checked(self) -> Iterator[pa.RecordBatch]:
        names = self.columns()
        with self._failures_explained(self.source):
            with self._open({}) as reader:
                written = reader.schema.names
            last: list[str | None] = []
            with self._open(dict.fromkeys(written, pa.string())) as reader:
                for batch in reader:
                    if batch.num_rows:
                        last = [column[-1].as_py() for column in batch.columns]
                    yield pa.RecordBatch.from_arrays(batch.columns, names=names)
            fault = unclosed_quote(self.source, last[-1] if last else None)
            if fault is not None:
                raise fault
        self._check_total(last)

    def _check_total(self, last: list[str | None]) -> None:
        """Raise where the last row is a total of the others, unless the user has said whether it is."""
        if not last or self._given.skip_footer is not None:
            return
        sample = self._sample
        others = list(sample.rows[1 if sample.layout.has_names else 0 :])
        if others and [cell or "" for cell in last] == list(others[-1]):
            others.pop()
        problem = total_problem(last, others, frozenset(self.options.null_values), self.location)
        if problem:
            raise DataError(problem)

    def _open(self, column_types: dict[str, pa.DataType]) -> arrow_csv.CSVStreamingReader:
        sample = self._sample
        width = len(sample.rows[0]) if sample.rows else 0
        generated = None if sample.layout.has_names else [f"column_{number}" for number in range(1, width + 1)]
        return arrow_csv.open_csv(
            sample.source.open_bytes(self.meter),
            read_options=arrow_csv.ReadOptions(
                block_size=_BLOCK_BYTES,
                encoding=sample.source.arrow_encoding,
                column_names=generated,
                skip_rows_after_names=self._given.skip_after_header or 0,
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=sample.source.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=column_types,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _failures_explained(self, source: CsvSource) -> _Explained:
        return _Explained(source)


class _Explained:
    """Turns what pyarrow raises into a message with a line and what to do."""

    def __init__(self, source: CsvSource) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _FAILURES):
            raise explain(self.source, error) from error


def given_layout(options: DatasetOptions, table: str) -> Given:
    """Return what the options say about one table."""
    return Given(
        *(
            chosen(value, table)  # type: ignore[arg-type]
            for value in (options.skip_rows, options.header, options.skip_after_header, options.skip_footer)
        )
    )


def _encoding_of(sample: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    return "utf-8"


def _comment_lines(lines: list[str]) -> int:
    """Return how many lines at the beginning are comments.

    A last line with ``#`` that has as many fields as the rows under it holds the names (``#CHROM  POS``).
    """
    count = 0
    while count < len(lines) and lines[count].startswith("#"):
        count += 1
    if not count or count == len(lines):
        return 0
    below = "".join(lines[count : count + _SAMPLE_ROWS])
    delimiter = sniff_delimiter(lines[count - 1] + below)
    fields = [len(row) for _, row in _rows(lines[count - 1] + below, delimiter, complete=True)]
    is_names = len(fields) > 1 and fields[0] > 1 and all(each == fields[0] for each in fields)
    return count - 1 if is_names else count


def sniff_delimiter(text: str, *, complete: bool = True) -> str:
    """Return the delimiter under which most lines have the same number of fields, two at least.

    >>> sniff_delimiter("a;b;c\\n1,5;2;3\\n")
    ';'
    >>> sniff_delimiter("name\\nAnna\\n")
    ','
    >>> sniff_delimiter("Report, 2023\\n\\na;b;c\\n1;2;3\\n4;5;6\\n")
    ';'
    """
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for _, row in _rows(text, delimiter, complete)]
        usual, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
        if usual < 2:
            continue
        score = (count / len(widths) + (0.01 if widths[0] == usual else 0.0), usual)
        if score > best_score and score[0] >= 0.5:
            best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str, complete: bool) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not empty, each with the number of the line it starts in."""
    found: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    line = 1
    try:
        for row in reader:
            if row:
                found.append((line, row))
            if len(found) == _SAMPLE_ROWS:
                return found
            line = reader.line_num + 1
    except csv.Error:  # a field over csv's limit or a stray NUL: judge by the lines before it
        return found
    return found if complete else found[:-1] or found
