"""Typed lists of values that can be written as json: levels of a category, atoms of a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Scalar

Value = Annotated[Scalar, Meta(description="a value of the column's type, which the whole list is held against")]
FLOATS: dict[str, float] = {"halffloat": 65504.0, "float": 3.4028234e38, "double": 1e308}
"""The largest number of each type of floats."""


@dataclass(frozen=True)
class Levels(Plain):
    """Distinct values of one arrow type; null may be one of them.

    >>> levels = Levels("string", ("a", None))
    >>> levels.index(pa.array(["a", None, "b"])).tolist()
    [0, 1, -1]
    >>> levels.take(np.array([1, 0])).to_pylist()
    [None, 'a']
    """

    type: ArrowType
    values: tuple[Value, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: values of the type, no infinite one."""
        try:
            array = Levels(self.type, tuple(self.values)).array
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"values are not of type {self.type} ({error})") from error
        if self.type in FLOATS:
            numbers = array.drop_null().to_numpy(zero_copy_only=False)
            yield bool(np.isfinite(numbers.astype(np.float64)).all()), f"values of type {self.type} are finite"

    @staticmethod
    def of(values: pa.Array) -> Levels:
        """Hold the values of an arrow array; timestamps as integers of their unit; (levels,)."""
        plain = values.cast(pa.int64()) if pa.types.is_temporal(values.type) else values
        return Levels(str(values.type), tuple(plain.to_pylist()))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def arrow_type(self) -> pa.DataType:
        """The arrow type of the values."""
        return pa.type_for_alias(self.type)

    @cached_property
    def array(self) -> pa.Array:
        """The values as arrow, (levels,)."""
        if pa.types.is_temporal(self.arrow_type):
            return pa.array(self.values, pa.int64()).cast(self.arrow_type)
        return pa.array(self.values, self.arrow_type)

    @property
    def is_ordered(self) -> bool:
        """True for numbers and times, which have a nearest neighbour."""
        kind = self.arrow_type
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)

    def nearest(self, values: pa.Array) -> np.ndarray:
        """Return (rows,) int64, the place of the value nearest to each of some filled values."""
        own, asked = (_plain(one) for one in (self.array, values))
        places = np.flatnonzero(self.array.is_valid().to_numpy(zero_copy_only=False))
        places = places[np.argsort(own[places], kind="stable")]
        ordered = own[places]
        above = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
        below = np.maximum(above - 1, 0)
        return np.asarray(places[np.where(asked - ordered[below] < ordered[above] - asked, below, above)])

    def index(self, values: pa.Array) -> np.ndarray:
        """Return (rows,) int64, the place of each value, ``-1`` where it is none of them."""
        found = pc.index_in(values, value_set=self.array)
        return pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)

    def take(self, places: np.ndarray) -> pa.Array:
        """Return the values at ``places``, all of which exist; places are (rows,) int64."""
        return self.array.take(pa.array(places, pa.int64()))


def _plain(values: pa.Array) -> np.ndarray:
    """Return numbers and times as floats, missing ones as NaN."""
    plain = values.cast(pa.int64()) if pa.types.is_temporal(values.type) else values
    return plain.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
