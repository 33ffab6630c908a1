"""Python values of a spreadsheet or a database row, as arrow strings."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from tabgraphsyn.data.read_limits import BATCH_BYTES
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS
from tabgraphsyn.errors import DataError, listing


def cell_text(value: Any) -> str | None:
    """Return a cell's value as text that reads back to the same value.

    >>> cell_text(3.0), cell_text(0.1), cell_text(None), cell_text(True)
    ('3', '0.1', None, 'true')

    Raises:
        DataError: the value is binary.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (bytes, memoryview)):
        raise DataError("binary values (BLOB) cannot be modelled. Remove the column.")
    return str(value)


def bounded_blocks(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """Yield rows in blocks of ``BATCH_ROWS`` at most, fewer where their texts are long."""
    block: list[Sequence[Any]] = []
    size = 0
    for row in rows:
        block.append(row)
        size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if len(block) == BATCH_ROWS or size > BATCH_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def text_batch(names: list[str], rows: Sequence[Sequence[Any]], location: str) -> pa.RecordBatch:
    """Return rows of Python values as a batch of string columns.

    Raises:
        DataError: columns hold binary values, all of them named, or text that is not Unicode.
    """
    arrays, binary = [], []
    for position, name in enumerate(names):
        try:
            texts = [cell_text(row[position]) for row in rows]
            arrays.append(pa.array(texts, type=pa.string()))
        except DataError:
            binary.append(name)
        except UnicodeEncodeError as error:
            raise DataError(f"{location}.{name}: text that is not Unicode ({error.reason}). Mend the value.") from error
    if binary:
        raise DataError(
            f"{location}: {listing(binary)}: binary values (BLOB) cannot be modelled. Remove the columns, or leave "
            f"them out of the metadata."
        )
    return pa.RecordBatch.from_arrays(arrays, names=names)
