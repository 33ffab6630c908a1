"""Columns of a table in the making: where their units are, what their fields say, and fields for values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as parts_of
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.clock import ClockCodec, ClockLagCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.codec.mixed import MixedCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.codec.repeated import RepeatedCodec
from tabgraphsyn.errors import DataError
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Units

_READ = (
    CategoricalCodec, ConstantCodec, ClockCodec, ClockLagCodec, DatetimeCodec, DerivedCodec, MixedCodec, NumericalCodec,
    RepeatedCodec,
)  # fmt: skip
"""Kinds whose fields alone say the value; others (ids, text) make some of it anew."""


def above(codec: TableCodec, column: str) -> Iterator[str]:
    """Yield the columns that must be decoded before one."""
    given = codec.columns[column].given
    while given is not None:
        yield given
        given = codec.columns[given].given


def places_of(codec: TableCodec, units: Units, column: str) -> Iterator[int]:
    """Yield the places of a column's units, ascending."""
    numbers, categories = codec.places[column]
    for place, unit in enumerate(units.all):
        own = categories if unit.kind == LEVEL else numbers
        if own.start <= unit.field < own.stop:
            yield place


@dataclass(frozen=True)
class Nulls:
    """Where a column's fields say that there is no value.

    Attributes:
        field: place among the categorical fields, -1: the column has a value in every row.
        place: of its unit.
        is_null: (levels,) bool.
    """

    field: int
    place: int
    is_null: Tensor


class Fields:
    """The columns of one table as fields.

    Args:
        codec: of the table.
        units: of its network.
    """

    def __init__(self, codec: TableCodec, units: Units) -> None:
        self.codec, self.units = codec, units
        self.places = {name: tuple(places_of(codec, units, name)) for name in codec.columns}
        self.place = {unit: place for place, unit in enumerate(units.all)}
        self.group = {self.place[unit]: number for number, group in enumerate(units.groups) for unit in group}

    def is_read(self, column: str) -> bool:
        """Return whether a column's fields, and those of columns that it is decoded after, say its value."""
        names = (column, *above(self.codec, column)) if column in self.codec.columns else ()
        return bool(names) and all(isinstance(self.codec.columns[name], _READ) for name in names)

    def units_of(self, column: str) -> tuple[int, ...]:
        """Return the places of all units that a column's value is decoded from."""
        names = (column, *above(self.codec, column))
        return tuple(sorted({place for name in names for place in self.places[name]}))

    @cached_property
    def _pools(self) -> Mapping[int, int]:
        """Categorical field -> its level that stands for several values."""
        fields_of = {field.name: place for place, field in enumerate(self.codec.layout.categorical)}
        pools = {
            one.column: len(one.levels) for own in self.codec.columns.values() for one in _parts(own) if one.has_pool
        }
        return {place: pools[name] for name, place in fields_of.items() if name in pools}

    def is_certain(self, column: str, categorical: np.ndarray) -> np.ndarray:
        """Return where decoding draws nothing, (rows,) bool, of (rows, n_cat) levels."""
        found = np.ones(len(categorical), dtype=bool)
        for name in (column, *above(self.codec, column)):
            own = self.codec.places[name][1]
            for field in range(own.start, own.stop):
                if field in self._pools:
                    found &= categorical[:, field] != self._pools[field]
        return found

    def values(self, column: str, numerical: np.ndarray, categorical: np.ndarray) -> pa.Array:
        """Return a column's values, (rows,).

        Shape:
            numerical: (rows, n_num). categorical: (rows, n_cat).
        """
        own = self.codec.columns[column]
        given = None if own.given is None else self.values(own.given, numerical, categorical)
        numbers, categories = self.codec.places[column]
        draw = Draw(np.random.default_rng(0), 0, given)
        return own.decode(numerical[:, numbers], categorical[:, categories], draw)

    @cached_property
    def types(self) -> Mapping[str, pa.DataType]:
        """The arrow type of each column that is read."""
        blank = self.codec.first_levels(1)
        return {name: self.values(name, *blank).type for name in self.codec.columns if self.is_read(name)}

    def encoded(self, column: str, values: pa.Array, given: pa.Array | None) -> tuple[EncodedColumn, np.ndarray]:
        """Return the fields of a column's values, (rows,), and for which of them there are fields, (rows,) bool.

        Values are of the column's type; ``given`` are those of the column that it is decoded after, where it has one.
        """
        own = self.codec.columns[column]
        try:
            return own.encode(values, given), np.ones(len(values), dtype=bool)
        except DataError:  # no training row holds one of them
            if not isinstance(own, CategoricalCodec):
                return EncodedColumn.of(0, [], []), np.zeros(len(values), dtype=bool)
            level = own.levels.index(values)
            return EncodedColumn.of(len(values), [], [np.maximum(level, 0)]), level >= 0

    def bounds(self, column: str) -> tuple[float, float]:
        """Return between which numbers a column's values lie, as rules read numbers; infinite for other columns."""
        own = self.codec.columns[column]
        if isinstance(own, RepeatedCodec):
            own = own.number
        if isinstance(own, CategoricalCodec) and self.types[column] != pa.string():
            levels = own.levels.array.drop_null()
            if pa.types.is_integer(levels.type) or pa.types.is_floating(levels.type):
                numbers = levels.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
                return float(numbers.min()), float(numbers.max())
        if not isinstance(own, NumericalCodec):
            return -np.inf, np.inf
        atoms = own.atoms.array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        both = np.concatenate([[own.precision.minimum, own.precision.maximum], atoms])
        return float(both.min()), float(both.max())

    def nulls(self, column: str) -> Nulls | None:
        """Return where a column's fields say that there is no value; None: not in one field of levels."""
        if column not in self._nulls:
            self._nulls[column] = self._found_nulls(column)
        return self._nulls[column]

    @cached_property
    def _nulls(self) -> dict[str, Nulls | None]:
        return {}

    def _found_nulls(self, column: str) -> Nulls | None:
        if not self.is_read(column) or isinstance(self.codec.columns[column], RepeatedCodec):
            return None
        numbers, levels = self.codec.first_levels(1)
        base = self.values(column, numbers, levels).null_count == 1
        found = Nulls(-1, -1, torch.zeros(0, dtype=torch.bool))
        own = self.codec.places[column][1]
        for field in range(own.start, own.stop):
            count = self.codec.layout.categorical[field].levels
            tried = np.repeat(levels, count, axis=0)
            tried[:, field] = np.arange(count)
            is_null = pc.is_null(self.values(column, np.repeat(numbers, count, axis=0), tried))
            null = torch.from_numpy(is_null.to_numpy(zero_copy_only=False).copy())
            if null.any() and not null.all():
                if found.field >= 0:
                    return None
                place = next(p for p in self.places[column] if self.units.all[p].kind == LEVEL
                             and self.units.all[p].field == field)  # fmt: skip
                found = Nulls(field, place, null)
        return None if base and found.field < 0 else found


def _parts(codec: Any) -> Iterator[CategoricalCodec]:
    """Yield the codecs of categories in a codec, itself among them."""
    if isinstance(codec, CategoricalCodec):
        yield codec
    elif isinstance(codec, ColumnCodec) and is_dataclass(codec):
        for one in parts_of(codec):
            yield from _parts(getattr(codec, one.name))
