"""Columns of times: days, weekday and time of day, put together again as one integer.

A time is never decomposed into year, month and day, so no impossible date can be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.groups import drawn_in
from tabgraphsyn.data.codec.numerical import NumericalCodec, Part, number_codec
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.untrusted import Int64, Name

DAY_US = 86_400_000_000
DAY_GRAIN = 3652.37
"""Days of some ten years: bounds of a date that few entities have are rounded to them, which are no whole days."""
EPOCH_GRAIN_US = DAY_GRAIN * DAY_US
MONDAY_OFFSET = 3  # day 0, 1970-01-01, was a Thursday
INFORMATIVE_SHARE = 0.03
LAG_GAIN = 0.7


@dataclass(frozen=True, kw_only=True)
class DatetimeCodec(ColumnCodec):
    """Days (or the lag in days to another column), weekday where it matters, and time of day.

    Fields: those of ``day`` (missing among them), ``<column>:weekday``, those of ``time``. Decoding moves a
    continuous day to the nearest one of the drawn weekday, at most three days away.

    Attributes:
        column: column name.
        type: arrow type of the column.
        given: the anchor column that ``day`` counts from, or None for the epoch.
        day: codec of whole days.
        weekday: True where weekdays are unevenly used.
        time: codec of the time of day in units of ``unit_us``.
        unit_us: resolution of the time of day, in microseconds.
        minimum_us: in the first day that is decoded; training times of a few entities lie before it.
        maximum_us: in the last day that is decoded; training times of a few entities lie after it.
    """

    kind = "datetime"
    says = "groups of days, times of day, and bounds beyond which enough entities lie"
    column: Name
    type: ArrowType
    given: Name | None
    weekday: bool
    unit_us: Annotated[int, Meta(ge=1, le=DAY_US)]
    minimum_us: Int64
    maximum_us: Int64
    day: Part
    time: Part

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: bounds in order."""
        yield self.minimum_us <= self.maximum_us, "minimum_us is at most maximum_us"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> Part | None:
        """Return what a column of times is by itself: constant, categorical, or a number until ``beside``."""
        if series.nature != "number" or series.column.sdtype != "datetime":
            return None
        return number_codec(series.name, series.counts, series.config, EPOCH_GRAIN_US)

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of continuous times; the first complete column is the anchor of the others."""
        rows, schema = fitting.rows, fitting.rows.table.schema
        numbers = [name for name, codec in fitting.codecs.items() if isinstance(codec, NumericalCodec)]
        times = [name for name in numbers if schema.column(name).sdtype == "datetime"]
        complete = next((name for name in times if not rows.values(name).null_count), None)
        anchor = None if complete is None else (complete, rows.values(complete))
        return {
            name: cls.fit(name, rows.values(name), fitting.config, None if name == complete else anchor, rows.entities)
            for name in times
        }

    @staticmethod
    def fit(
        column: str,
        values: pa.ChunkedArray,
        config: CodecConfig,
        anchor: tuple[str, pa.ChunkedArray] | None = None,
        entities: np.ndarray | None = None,
    ) -> DatetimeCodec:
        """Fit to training values of which at least one is filled.

        Args:
            column: column name.
            values: training values.
            config: settings.
            anchor: name and values of a complete column of the same rows; used where the lag to it is tighter.
            entities: (rows,) int64, the entity of each row; None: every row is one.
        """
        filled = as_numpy(pc.is_valid(values)).astype(bool)
        us = _microseconds(values.drop_null())
        days, time = us // DAY_US, us % DAY_US
        unit_us = int(np.gcd.reduce(time)) or DAY_US
        given = None
        if anchor is not None:
            lag = days - _microseconds(anchor[1].filter(pa.array(filled))) // DAY_US
            if spread(lag) <= LAG_GAIN * spread(days):
                given, days = anchor[0], lag
        held = None if entities is None else entities[filled]
        grain = DAY_GRAIN if given is None else None
        counted = ValueCounts.of(pa.array(days), held, values.null_count)
        day = number_codec(f"{column}:day", counted, config, grain)
        clock = ValueCounts.of(pa.array(time // unit_us), held)
        bounds = drawn_in(us, held, config.min_entities)
        is_free = given is None and isinstance(day, NumericalCodec)
        return DatetimeCodec(
            column=column,
            type=str(values.type),
            given=given,
            day=day,
            weekday=is_free and _weekday_matters(days),
            time=number_codec(f"{column}:time", clock, config, DAY_US / unit_us),
            unit_us=unit_us,
            minimum_us=_within_day(bounds[0]),
            maximum_us=_within_day(bounds[1]),
        )

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        shift = len(self.day.categorical_fields) + self.weekday
        time = (
            NumericalField(field.name, None if field.gate is None else field.gate + shift)
            for field in self.time.numerical_fields
        )
        return (*self.day.numerical_fields, *time)

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        weekday = (CategoricalField(f"{self.column}:weekday", 7),) if self.weekday else ()
        return self.day.categorical_fields + weekday + self.time.categorical_fields

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool, days and times of day."""
        filled, us, days = _days(values, given)
        known = self.day.knows(days)
        known[filled] &= self.time.knows(pa.array(us[filled] % DAY_US // self.unit_us))
        return known

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        filled, us, days = _days(values, given)
        day = self.day.encode(days)
        time = self._encoded_time(us[filled], filled)
        weekday = np.where(filled, (us // DAY_US + MONDAY_OFFSET) % 7, 0)[:, None]
        categories = [day.categorical, *([weekday] if self.weekday else []), time.categorical]
        return EncodedColumn(
            np.concatenate([day.numerical, time.numerical], axis=1),
            np.concatenate(categories, axis=1).astype(np.int32),
        )

    def _encoded_time(self, us: np.ndarray, filled: np.ndarray) -> EncodedColumn:
        """Encode filled rows; the others hold level 0 and the neutral interval, which decoding never reads."""
        part = self.time.encode(pa.array(us % DAY_US // self.unit_us))
        numerical = np.empty((len(filled), part.numerical.shape[1], 2), dtype=np.float32)
        if isinstance(self.time, NumericalCodec):
            numerical[:] = self.time.normalisation.neutral()
        categorical = np.zeros((len(filled), part.categorical.shape[1]), dtype=np.int32)
        numerical[filled], categorical[filled] = part.numerical, part.categorical
        return EncodedColumn(numerical, categorical)

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        n_day, c_day = len(self.day.numerical_fields), len(self.day.categorical_fields)
        day = self.day.decode(numerical[:, :n_day], categorical[:, :c_day], draw)
        is_null = pc.is_null(day).to_numpy(zero_copy_only=False)
        days = pc.fill_null(day, 0).to_numpy(zero_copy_only=False)
        if self.weekday:
            is_free = categorical[:, 0] == 0 if c_day else np.ones(len(days), dtype=bool)
            days = np.where(is_free, self._moved_to_weekday(days, categorical[:, c_day]), days)
        if self.given is not None:
            start, has_start = _first_days(draw.given, len(days))
            days, is_null = days + start, is_null | ~has_start
        time = self.time.decode(numerical[:, n_day:], categorical[:, c_day + self.weekday :], draw)
        # By whole days, so that a time of day stays one of the column.
        held_days = np.clip(days, self.minimum_us // DAY_US, self.maximum_us // DAY_US)
        us = held_days * DAY_US + time.to_numpy(zero_copy_only=False) * self.unit_us
        return pa.array(us, pa.int64(), mask=is_null).cast(pa.timestamp("us")).cast(pa.type_for_alias(self.type))

    def _moved_to_weekday(self, days: np.ndarray, weekday: np.ndarray) -> np.ndarray:
        moved = days + (weekday - (days + MONDAY_OFFSET) + 3) % 7 - 3
        moved = np.where(moved > self.maximum_us // DAY_US, moved - 7, moved)
        return np.where(moved < self.minimum_us // DAY_US, moved + 7, moved)


def datetime_codec(
    column: str,
    values: pa.ChunkedArray,
    config: CodecConfig,
    anchor: tuple[str, pa.ChunkedArray] | None = None,
    entities: np.ndarray | None = None,
) -> Part | DatetimeCodec:
    """Return the codec that suits a column of times: constant, categorical, or days and time of day.

    Shape:
        values are (rows,).
    """
    simple = number_codec(column, ValueCounts.of(values, entities), config, EPOCH_GRAIN_US)
    return DatetimeCodec.fit(column, values, config, anchor, entities) if isinstance(simple, NumericalCodec) else simple


def _days(values: pa.Array, given: pa.Array | None) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    """Return which values are filled, their microseconds, and days since ``given`` (null without) or 1970; (rows,)."""
    filled = pc.is_valid(values).to_numpy(zero_copy_only=False)
    us = np.zeros(len(values), dtype=np.int64)
    us[filled] = _microseconds(values.drop_null())
    start, has_start = _first_days(given, len(values))
    return filled, us, pa.array(us // DAY_US - start, mask=~(filled & has_start))


def _first_days(given: pa.Array | None, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the days that others are counted from, and where there are such, (rows,) each."""
    if given is None:
        return np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=bool)
    has_start = pc.is_valid(given).to_numpy(zero_copy_only=False)
    days = np.zeros(rows, dtype=np.int64)
    days[has_start] = _microseconds(given.drop_null()) // DAY_US
    return days, has_start


def _microseconds(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return as_numpy(values.cast(pa.timestamp("us")).cast(pa.int64()))


def spread(numbers: np.ndarray) -> float:
    """Return the width of the middle half of some numbers, (n,), in their unit."""
    low, high = np.quantile(numbers, [0.25, 0.75])
    return float(high - low)


def _weekday_matters(days: np.ndarray) -> bool:
    """Return whether some weekday's share is further from a seventh than chance and 3 percentage points."""
    shares = np.bincount((days + MONDAY_OFFSET) % 7, minlength=7) / len(days)
    chance = 4 * np.sqrt(1 / 7 * 6 / 7 / len(days))
    return bool(np.abs(shares - 1 / 7).max() > max(INFORMATIVE_SHARE, chance))


def _within_day(moment_us: float) -> int:
    """Return a time that says the day alone, and that no row is likely to hold: a microsecond before its noon."""
    return int(moment_us) // DAY_US * DAY_US + DAY_US // 2 - 1
