"""One column as it was read, and what is decided about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from tabgraphsyn.data.formats import Format, TypedFormat
from tabgraphsyn.data.ingest.column_scan import ColumnScan
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.evidence import Evidence, trimmed
from tabgraphsyn.data.ingest.raw_table import RawTable
from tabgraphsyn.data.schema import Column


@dataclass
class Habits:
    """How dates and numbers are written in a table or a database, by the columns that leave no doubt.

    Attributes:
        day_first: True for 31/12, False for 12/31, by number of columns.
        comma: True where a comma stands before decimals.
    """

    day_first: Counter[bool] = field(default_factory=Counter)
    comma: Counter[bool] = field(default_factory=Counter)

    @property
    def is_day_first(self) -> bool | None:
        """What all columns agree on, None where they say nothing or differ."""
        return next(iter(self.day_first)) if len(self.day_first) == 1 else None

    @property
    def is_comma(self) -> bool | None:
        """What all columns agree on, None where they say nothing or differ."""
        return next(iter(self.comma)) if len(self.comma) == 1 else None

    def or_else(self, others: Habits) -> Habits:
        """Return these habits, with those of ``others`` where these say nothing."""
        return Habits(self.day_first or others.day_first, self.comma or others.comma)

    def add(self, other: Habits) -> None:
        """Take in the habits of another column or table."""
        self.day_first.update(other.day_first)
        self.comma.update(other.comma)


@dataclass(frozen=True)
class Decision:
    """What one column becomes.

    Attributes:
        target: its type and format.
        problem: what in the values speaks against its declared meaning, or what only the user can decide.
        note: what was left open and how it was taken.
        habits: what the column says about the others.
        is_open: the habits of other columns may change it.
    """

    target: Target
    problem: str | None = None
    note: str = ""
    habits: Habits = field(default_factory=Habits)
    is_open: bool = False


@dataclass(frozen=True)
class ColumnView:
    """One column as it was read.

    Attributes:
        raw: its table.
        scan: what was seen of it.
        name: its name.
        declared: what the metadata says of it.
        wanted: the format that the dataset yaml gives it.
    """

    raw: RawTable
    scan: ColumnScan
    name: str
    declared: Column | None = None
    wanted: str | None = None

    @property
    def where(self) -> str:
        """Table and column."""
        return f"{self.raw.name}.{self.name}"

    @cached_property
    def evidence(self) -> Evidence:
        """What its texts look like."""
        return Evidence.of(self.raw, self.name)

    def reads(self, format: Format) -> bool:
        """Return whether every value is written in ``format``."""
        try:
            for batch in self.raw.batches([self.name]):
                format.read(trimmed(batch.column(0)))
        except (pa.ArrowInvalid, ValueError, OverflowError):
            return False
        return True


def as_text(scan: ColumnScan) -> Target:
    """Return the target of a column that is text, in the text type of its file."""
    is_other = scan.arrow is not None and scan.typed is None and scan.arrow != pa.string()
    return Target(pa.string(), TypedFormat(type=str(scan.arrow)) if is_other else None)
