"""Columns of times of day written as hhmm: an hour and a minute, because plans stand on round minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.layout import CategoricalField


@dataclass(frozen=True)
class ClockCodec(ColumnCodec):
    """Two categories: the hour (missing among its levels) and the minute.

    Attributes:
        column: column name.
        type: arrow type of the column.
        hour: codec of ``value // 100``.
        minute: codec of ``value % 100``.
        maximum: latest training value; 24:15 is no time.
    """

    kind = "clock"
    column: str
    type: str
    hour: CategoricalCodec
    minute: CategoricalCodec
    maximum: int

    @staticmethod
    def fit(column: str, values: pa.ChunkedArray | pa.Array) -> ClockCodec:
        """Fit to training values of which ``arithmetic`` found that they are times of day."""
        whole = values.cast(pa.int64(), safe=False)
        hour, minute = _parts(whole)
        return ClockCodec(
            column=column,
            type=str(values.type),
            hour=CategoricalCodec.fit(f"{column}:hour", *ValueCounts.of(hour).with_null()),
            minute=CategoricalCodec.fit(f"{column}:minute", *ValueCounts.of(minute.drop_null()).with_null()),
            maximum=int(pc.max(whole).as_py()),
        )

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return self.hour.categorical_fields + self.minute.categorical_fields

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``; a missing one holds the most frequent minute, which decoding never reads."""
        hour, minute = _parts(values.cast(pa.int64(), safe=False))
        usual = self.minute.levels.array[0]
        parts = [self.hour.encode(hour), self.minute.encode(pc.fill_null(minute, usual))]
        return EncodedColumn.of(len(values), [], [part.categorical[:, 0] for part in parts])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values."""
        hour = self.hour.decode(numerical, categorical[:, :1], draw)
        minute = self.minute.decode(numerical, categorical[:, 1:], draw)
        value = pc.min_element_wise(pc.add(pc.multiply(hour, 100), minute), self.maximum, skip_nulls=False)
        return value.cast(pa.type_for_alias(self.type))

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "kind": self.kind,
            "column": self.column,
            "type": self.type,
            "hour": self.hour.to_dict(),
            "minute": self.minute.to_dict(),
            "maximum": self.maximum,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ClockCodec:
        """Read the form that ``to_dict`` writes."""
        parts = {key: CategoricalCodec.from_dict(raw[key]) for key in ("hour", "minute")}
        return cls(column=raw["column"], type=raw["type"], maximum=int(raw["maximum"]), **parts)


def _parts(values: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    hour = pc.divide(values, 100)
    return hour, pc.subtract(values, pc.multiply(hour, 100))
