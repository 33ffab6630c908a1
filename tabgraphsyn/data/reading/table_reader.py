"""What every format looks like to the rest: a name, columns, and batches of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.read_limits import Meter
from tabgraphsyn.data.schema import Relation

BATCH_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class TableReader(ABC):
    """One table inside a file.

    Attributes:
        name: the table's name.
        path: the file.
        options: of the data set.
        primary_key: the primary key that the file itself declares, or nothing.
        foreign_keys: foreign keys that the file itself declares.
        passed_over: what of the file was passed over, in words.
        as_written: True where values come as text, so that their types must be found from the values.
        has_null_words: True where the format has no missing value of its own and words such as NA stand for it.
    """

    name: str
    path: Path
    options: DatasetOptions
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[Relation, ...] = ()
    passed_over: tuple[str, ...] = ()
    as_written: ClassVar[bool] = False
    has_null_words: ClassVar[bool] = False

    @property
    def location(self) -> str:
        """What messages call it: the file's name, or ``'db.sqlite: flights'``."""
        return self.path.name

    @property
    def has_decimal_comma(self) -> bool:
        """True where numbers may be written 1,5."""
        return False

    @property
    def notes(self) -> Sequence[str]:
        """What of the file was passed over, in words."""
        return self.passed_over

    @property
    def meter(self) -> Meter:
        """A new meter of what is read of the file."""
        return Meter(self.location, self.options.limits, self.path.stat().st_size)

    @abstractmethod
    def columns(self) -> list[str]:
        """Return the column names, without reading rows.

        Raises:
            DataError: the file cannot be read.
        """

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Raises:
            DataError: the file cannot be read, with the line where that is known.
        """
