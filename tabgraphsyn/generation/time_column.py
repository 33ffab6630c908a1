"""The column of times that climb among siblings: from encoded rows to periods, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw
from tabgraphsyn.data.codec.datetime import DAY_US, DatetimeCodec
from tabgraphsyn.data.known.panel import microseconds
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.around.pace import Pace
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Units
from tabgraphsyn.models.batch import EncodedBatch


@dataclass(frozen=True)
class TimeColumn:
    """Where a table's times stand among its fields, and what periods they are.

    Attributes:
        codec: of the table.
        pace: of the column.
    """

    codec: TableCodec
    pace: Pace

    @cached_property
    def _type(self) -> pa.DataType:
        numbers, categories = self.codec.places[self.pace.column]
        first = np.zeros((1, numbers.stop - numbers.start)), np.zeros((1, categories.stop - categories.start), np.int64)
        return self.codec.columns[self.pace.column].decode(*first, Draw(np.random.default_rng(0))).type

    @cached_property
    def is_told(self) -> np.ndarray:
        """Which periods the codec has words for, (periods,) bool; all where it has none for any."""
        values = self.values(np.arange(self.pace.periods)).cast(self._type)
        found = _is_told(self.codec.columns[self.pace.column], values)
        return found if found.any() else np.ones_like(found)

    @cached_property
    def _nearest(self) -> np.ndarray:
        """The nearest told period of each one, (periods,) int64."""
        told = np.flatnonzero(self.is_told)
        after = np.searchsorted(told, np.arange(self.pace.periods)).clip(0, len(told) - 1)
        before = (after - 1).clip(0)
        is_before = np.abs(told[before] - np.arange(self.pace.periods)) < np.abs(
            told[after] - np.arange(self.pace.periods)
        )
        return np.where(is_before, told[before], told[after])

    def within_told(self) -> TimeColumn:
        """Return the column with a grid from the first to the last told period."""
        told = np.flatnonzero(self.is_told)
        start = self.pace.start_us + int(told[0]) * self.pace.unit_us
        return TimeColumn(self.codec, replace(self.pace, start_us=start, periods=int(told[-1] - told[0]) + 1))

    def units(self, units: Units) -> list[int]:
        """Return the places of the column's units, known before the others: whole groups of them."""
        numbers, categories = self.codec.places[self.pace.column]
        own = [
            {place for place, unit in enumerate(units.all) if unit.kind != LEVEL and unit.field in _range(numbers)},
            {place for place, unit in enumerate(units.all) if unit.kind == LEVEL and unit.field in _range(categories)},
        ]
        return sorted(own[0] | own[1])

    def periods(self, rows: EncodedTable, seed: int) -> np.ndarray:
        """Return the period of each encoded row, (rows,) int64, between the first one and the last one."""
        numbers, categories = self.codec.places[self.pace.column]
        middle = np.asarray(rows.numerical[:, numbers], dtype=np.float64).mean(axis=2)
        level = np.asarray(rows.categorical[:, categories])
        values = self.codec.columns[self.pace.column].decode(middle, level, Draw(np.random.default_rng(seed)))
        times = microseconds(pc.fill_null(values.cast(pa.timestamp("us")), self.values(np.zeros(1, np.int64))[0]))
        found = np.rint((times - self.pace.start_us) / self.pace.unit_us).astype(np.int64)
        return np.clip(found, 0, self.pace.periods - 1)

    def values(self, periods: np.ndarray) -> pa.Array:
        """Return periods as the column's values, (rows,) timestamps."""
        return pa.array(self.pace.start_us + periods * self.pace.unit_us, pa.int64()).cast(pa.timestamp("us"))

    def rows(self, periods: Tensor) -> EncodedBatch:
        """Return encoded rows in which the fields of the column alone are filled; ``periods`` is (rows,) int64."""
        own, at, layout = self.codec.places[self.pace.column], periods.cpu(), self.codec.layout
        numerical = torch.zeros(len(at), len(layout.numerical))
        found = EncodedBatch(numerical, torch.zeros(len(at), len(layout.categorical), dtype=torch.int64))
        found.numerical[:, own[0]] = self._fields.numerical[at]
        found.categorical[:, own[1]] = self._fields.categorical[at]
        return found

    @cached_property
    def _fields(self) -> EncodedBatch:
        """The column's fields of every period, (periods,)."""
        own = self.codec.columns[self.pace.column].encode(self.values(self._nearest).cast(self._type))
        numbers = torch.from_numpy(own.numerical.mean(axis=2)).float()
        return EncodedBatch(numbers, torch.from_numpy(own.categorical.astype(np.int64)))

    def joined(self, timed: EncodedBatch, given: EncodedBatch, is_given: Tensor) -> EncodedBatch:
        """Return given rows, timed ones' times where none is given; ``is_given`` is (rows,) bool."""
        numbers, categories = self.codec.places[self.pace.column]
        numerical, categorical = given.numerical.clone(), given.categorical.clone()
        numerical[~is_given, numbers] = timed.numerical[~is_given, numbers]
        categorical[~is_given, categories] = timed.categorical[~is_given, categories]
        return EncodedBatch(numerical, categorical)


def on_days(
    codec: TableCodec, units: Units, column: str, times: np.ndarray, given: tuple[EncodedBatch, Tensor] | None
) -> tuple[EncodedBatch, Tensor] | None:
    """Return rows whose days stand, beside what stands in them anyway; what they were given if days have no number.

    Weekday and time of day are drawn for the day.

    Args:
        codec: of the table.
        units: of its network.
        column: of times.
        times: (rows,) int64, microseconds.
        given: rows of which some units stand, and which: (rows, units) bool.
    """
    own = codec.columns[column]
    if not isinstance(own, DatetimeCodec) or not own.day.numerical_fields:
        return given
    numbers, categories = codec.places[column]
    days = slice(numbers.start, numbers.start + len(own.day.numerical_fields))
    gates = slice(categories.start, categories.start + len(own.day.categorical_fields))
    values = pa.array(times, pa.int64()).cast(pa.timestamp("us")).cast(pa.type_for_alias(own.type), safe=False)
    fields = own.encode(values)
    layout, rows = units.layout, len(times)
    if given is None:
        nothing = torch.zeros(rows, len(units.all), dtype=torch.bool)
        levels = torch.zeros(rows, len(layout.categorical), dtype=torch.int64)
        given = EncodedBatch(torch.zeros(rows, len(layout.numerical)), levels), nothing
    places = [
        place
        for place, unit in enumerate(units.all)
        if unit.field in (_range(gates) if unit.kind == LEVEL else _range(days))
    ]
    is_open = ~given[1][:, places].any(1)  # a day that a user fixed stays
    made = EncodedBatch(given[0].numerical.clone(), given[0].categorical.clone())
    middle = torch.from_numpy(fields.numerical.mean(axis=2)).to(made.numerical.dtype)
    made.numerical[is_open, days] = middle[is_open, : days.stop - days.start]
    level = torch.from_numpy(fields.categorical).to(made.categorical.dtype)
    made.categorical[is_open, gates] = level[is_open, : gates.stop - gates.start]
    stands = given[1].clone()
    stands[:, places] = True
    return made, stands


def _is_told(codec: ColumnCodec, values: pa.Array) -> np.ndarray:
    """Return which times a codec has a level for, (rows,) bool; numbers have no levels."""
    if isinstance(codec, CategoricalCodec):
        return np.asarray(codec.levels.index(values) >= 0)
    if not isinstance(codec, DatetimeCodec):
        return np.ones(len(values), dtype=bool)
    us = microseconds(values)
    day, time = pa.array(us // DAY_US), pa.array(us % DAY_US // codec.unit_us)
    return _is_told(codec.day, day) & _is_told(codec.time, time)


def _range(places: slice) -> range:
    return range(places.start, places.stop)
