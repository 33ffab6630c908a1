"""What every format looks like to the rest: a name, columns, and batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from tabgraphsyn.data.schema import Relation

BATCH_ROWS = 65_536


class TableReader(Protocol):
    """One table inside a file."""

    @property
    def name(self) -> str:
        """The table's name."""

    @property
    def location(self) -> str:
        """What messages call it, e.g. ``'flights.csv'`` or ``'db.sqlite: flights'``."""

    @property
    def as_written(self) -> bool:
        """True where values come as text, so that their types must be found from the values."""

    @property
    def has_null_words(self) -> bool:
        """True where the format has no missing value of its own and words such as NA stand for it."""

    @property
    def has_decimal_comma(self) -> bool:
        """True where numbers may be written 1,5."""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key that the file itself declares, or nothing."""

    @property
    def foreign_keys(self) -> tuple[Relation, ...]:
        """Foreign keys that the file itself declares."""

    @property
    def notes(self) -> Sequence[str]:
        """What of the file was passed over, in words."""

    def columns(self) -> list[str]:
        """Return the column names, without reading rows.

        Raises:
            DataError: the file cannot be read.
        """

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Raises:
            DataError: the file cannot be read, with the line where that is known.
        """
