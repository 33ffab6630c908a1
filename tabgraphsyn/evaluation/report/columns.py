"""One column, real and synthetic, read for pictures: numbers, dates, categories or lengths of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.schema import Column, Schema, Table
from tabgraphsyn.evaluation.report.sources import ReportSources, sample_rows

Kind = Literal["number", "date", "category", "length"]

_KINDS: dict[str, Kind] = {
    "numerical": "number",
    "datetime": "date",
    "categorical": "category",
    "boolean": "category",
    "id": "length",
    "text": "length",
}


@dataclass(frozen=True)
class ColumnSide:
    """Values of one side.

    Attributes:
        values: float64 numbers without missing ones (dates in microseconds, text as its length), or strings.
        rows: rows read, missing ones among them.
    """

    values: np.ndarray
    rows: int

    @property
    def missing_share(self) -> float:
        """Share of rows without a value."""
        return 1 - len(self.values) / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class ColumnView:
    """One column of both sides.

    Attributes:
        problem: why the synthetic values cannot be read like the real ones; empty where they can.
    """

    table: str
    column: Column
    kind: Kind
    real: ColumnSide
    synthetic: ColumnSide
    problem: str = ""

    @property
    def where(self) -> str:
        """``table.column``."""
        return f"{self.table}.{self.column.name}"

    @cached_property
    def shares(self) -> tuple[dict[str, float], dict[str, float]]:
        """Share of each category among all rows, real and synthetic; empty for numbers."""
        return _shares(self.real), _shares(self.synthetic)


def drawn_columns(schema: Schema, table: str) -> list[Column]:
    """Return the columns that get a picture: all that are no part of a key."""
    return [schema.table(table).column(name) for name in schema.attribute_columns(table)]


def read_views(sources: ReportSources, table: str, columns: Iterable[Column], rows: int) -> Iterator[ColumnView]:
    """Yield ``columns`` of ``table`` one at a time, over at most ``rows`` rows of each side."""
    for column in columns:
        kind = _KINDS[column.sdtype]
        real, _ = _side(sources.real[table], column, kind, rows)
        synthetic, problem = _side(sources.synthetic[table], column, kind, rows)
        yield ColumnView(table, column, kind, real, synthetic, problem)


def _side(table: Table, column: Column, kind: Kind, limit: int) -> tuple[ColumnSide, str]:
    try:
        values = sample_rows(table, [column.name], limit).column(0)
    except (KeyError, pa.ArrowInvalid) as error:
        return ColumnSide(np.zeros(0), table.num_rows), f"the column cannot be read: {str(error)[:120]}"
    try:
        return ColumnSide(plain_values(values, kind), len(values)), ""
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        return ColumnSide(np.zeros(0), len(values)), f"{values.type} where a {kind} is expected: {str(error)[:120]}"


def plain_values(values: pa.ChunkedArray, kind: Kind) -> np.ndarray:
    """Return the values that are present, as float64 or as an object array of strings."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    present = values.drop_null()
    if kind == "category":
        return present.cast(pa.string()).to_numpy(zero_copy_only=False)
    if kind == "length":
        present = pc.utf8_length(present.cast(pa.string()))
    elif kind == "date":
        present = present.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    elif pa.types.is_boolean(present.type):
        present = present.cast(pa.int8())
    numbers = present.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers[np.isfinite(numbers)]


def _shares(side: ColumnSide) -> dict[str, float]:
    if side.values.dtype != object or not side.rows:
        return {}
    counted = pc.value_counts(pa.array(side.values, pa.string()))
    names, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy()
    return {str(name): float(n) / side.rows for name, n in zip(names, counts, strict=True)}
