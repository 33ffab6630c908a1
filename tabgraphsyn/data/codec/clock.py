"""Columns of times of day written as hhmm: hour and minute, or the minutes since another time of the row.

Plans stand on round minutes, which a number would blur; and an arrival is a departure and a duration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.arithmetic import DAY_MIN, clocks
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import LAG_GAIN, spread
from tabgraphsyn.data.codec.numerical import NAMED_SHARE, NumericalCodec, Part, number_codec
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.untrusted import Name

ROWS_PER_LAG = 20


@dataclass(frozen=True)
class ClockCodec(ColumnCodec):
    """Two categories: the hour (missing among its levels) and the minute.

    Attributes:
        column: column name.
        type: arrow type of the column.
        hour: codec of ``value // 100``.
        minute: codec of ``value % 100``.
        maximum: 2400 where midnight is written so, else 2359; 24:15 is no time.
    """

    kind = "clock"
    says = "lists of hours and minutes that enough entities hold"
    lists_values = False  # 1:20 is no value that an hour of 1 names
    column: Name
    type: ArrowType
    hour: CategoricalCodec
    minute: CategoricalCodec
    maximum: Annotated[int, Meta(ge=0, le=2400)]

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of what arithmetic found to be times of day; the first one is where others count from."""
        rows, config = fitting.rows, fitting.config
        names = [name for name in clocks(fitting.rules) if isinstance(fitting.codecs[name], NumericalCodec)]
        start = rows.values(names[0]) if names else None
        found: dict[str, ColumnCodec] = {}
        for name in names:
            values = rows.values(name)
            if start is not None and name != names[0] and ClockLagCodec.suits(values, start):
                found[name] = ClockLagCodec.fit(name, values, names[0], start, config, rows.entities)
            elif (clock := cls.fit(name, values, config, rows.entities)) is not None:
                found[name] = clock
        return found

    @staticmethod
    def fit(
        column: str, values: pa.ChunkedArray | pa.Array, config: CodecConfig, entities: np.ndarray | None = None
    ) -> ClockCodec | None:
        """Fit to training values of which ``arithmetic`` found that they are times of day; None where few share any.

        Shape:
            values are (rows,).
        """
        whole = values.cast(pa.int64(), safe=False)
        hour, minute = _parts(whole)
        held, least = entities, config.min_entities
        if entities is not None:
            held = entities[as_numpy(pc.is_valid(minute)).astype(bool)]
        hours, minutes = ValueCounts.of(hour, entities), ValueCounts.of(minute.drop_null(), held)
        if not (hours.held_by(least).any() and minutes.held_by(least).any()):
            return None
        return ClockCodec(
            column=column,
            type=str(values.type),
            hour=CategoricalCodec.fit(f"{column}:hour", hours, min_entities=least),
            minute=CategoricalCodec.fit(f"{column}:minute", minutes, min_entities=least),
            maximum=2400 if pc.max(whole).as_py() == 2400 else 2359,
        )

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return self.hour.categorical_fields + self.minute.categorical_fields

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool, hours and minutes."""
        hour, minute = _parts(values.cast(pa.int64(), safe=False))
        return self.hour.knows(hour) & (self.minute.knows(minute) | as_numpy(pc.is_null(minute)).astype(bool))

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``; a missing one holds the most frequent minute, which decoding never reads.

        Shape:
            values are (rows,).
        """
        hour, minute = _parts(values.cast(pa.int64(), safe=False))
        usual = self.minute.levels.array[0]
        parts = [self.hour.encode(hour), self.minute.encode(pc.fill_null(minute, usual))]
        return EncodedColumn.of(len(values), [], [part.categorical[:, 0] for part in parts])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        hour = self.hour.decode(numerical, categorical[:, :1], draw)
        minute = self.minute.decode(numerical, categorical[:, 1:], draw)
        value = pc.min_element_wise(pc.add(pc.multiply(hour, 100), minute), self.maximum, skip_nulls=False)
        return value.cast(pa.type_for_alias(self.type))


def _parts(values: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    hour = pc.divide(values, 100)
    return hour, pc.subtract(values, pc.multiply(hour, 100))


@dataclass(frozen=True, kw_only=True)
class ClockLagCodec(ColumnCodec):
    """The minutes from another time of day of the row to this one: a flight takes two hours whenever it leaves.

    Attributes:
        column: column name.
        type: arrow type of the column.
        given: the earlier column, complete in training.
        lag: codec of the minutes, 0 to 1439 (missing among its levels).
        midnight: how midnight is written, 0 or 2400.
    """

    kind = "clock_lag"
    says = "the minutes from another time of the row"
    lists_values = False
    column: Name
    type: ArrowType
    given: Name
    midnight: Literal[0, 2400]
    lag: Part

    @staticmethod
    def fit(
        column: str,
        values: pa.ChunkedArray | pa.Array,
        given: str,
        start: pa.ChunkedArray | pa.Array,
        config: CodecConfig,
        entities: np.ndarray | None = None,
    ) -> ClockLagCodec:
        """Fit to training values, (rows,)."""
        lag = _lag_codec(f"{column}:lag", ValueCounts.of(_lag(values, start), entities), config)
        latest = pc.max(values).as_py()
        return ClockLagCodec(
            column=column, type=str(values.type), given=given, lag=lag, midnight=2400 if latest == 2400 else 0
        )

    @staticmethod
    def suits(values: pa.ChunkedArray | pa.Array, start: pa.ChunkedArray | pa.Array) -> bool:
        """Return whether the lag says less that is new than the time itself: its middle half is clearly narrower.

        Shape:
            both are (rows,).
        """
        if start.null_count or values.null_count == len(values):
            return False
        lag, time = (as_numpy(one.drop_null()) for one in (_lag(values, start), _minutes(values)))
        return spread(lag) <= LAG_GAIN * spread(time)

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return self.lag.numerical_fields

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return self.lag.categorical_fields

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool, minutes from the other time."""
        assert given is not None
        return self.lag.knows(_lag(values, given))

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        assert given is not None
        return self.lag.encode(_lag(values, given))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        assert draw.given is not None
        lag = self.lag.decode(numerical, categorical, draw)
        is_null = pc.is_null(lag).to_numpy(zero_copy_only=False)
        minute = (as_numpy(_minutes(draw.given)) + as_numpy(pc.fill_null(lag, 0))) % DAY_MIN
        value = minute // 60 * 100 + minute % 60
        value = np.where(value == 0, self.midnight, value)
        return pa.array(value, pa.int64(), mask=is_null).cast(pa.type_for_alias(self.type))


def _lag_codec(name: str, lags: ValueCounts, config: CodecConfig) -> Part:
    """Return the codec of a lag: plans repeat theirs to the minute, so a number would blur it."""
    simple = number_codec(name, lags, config)
    if not isinstance(simple, NumericalCodec) or lags.counts.sum() < ROWS_PER_LAG * len(lags.counts):
        return simple
    if lags.counts[lags.held_by(config.min_entities)].sum() < NAMED_SHARE * lags.counts.sum():
        return simple
    return CategoricalCodec.fit(name, lags, min_entities=config.min_entities)


def _minutes(values: pa.ChunkedArray | pa.Array) -> pa.Array | pa.ChunkedArray:
    hour, minute = _parts(values.cast(pa.int64(), safe=False))
    return pc.add(pc.multiply(hour, 60), minute)


def _lag(values: pa.ChunkedArray | pa.Array, start: pa.ChunkedArray | pa.Array) -> pa.Array:
    lag = pc.subtract(_minutes(values), _minutes(start))
    whole = lag.combine_chunks() if isinstance(lag, pa.ChunkedArray) else lag
    is_null = pc.is_null(whole).to_numpy(zero_copy_only=False)
    return pa.array(pc.fill_null(whole, 0).to_numpy(zero_copy_only=False) % DAY_MIN, pa.int64(), mask=is_null)
