"""Categories of many levels as two digits: 1,600 flight numbers as 41 blocks of 41 places.

One level out of 1,600 takes 1,600 numbers of a latent; two digits take 82, which train several times faster. Levels are
sorted by value before they are cut into blocks, so that a block means something where values do (neighbouring numbers,
codes with a common start).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.layout import CategoricalField


@dataclass(frozen=True)
class DigitsCodec(ColumnCodec):
    """Two categories, ``<column>:block`` and ``<column>:place``, in place of one.

    Attributes:
        whole: the codec of one category.
    """

    kind = "digits"
    whole: CategoricalCodec

    @property
    def column(self) -> str:
        """Column name."""
        return self.whole.column

    @property
    def levels(self) -> int:
        """Levels of the one category."""
        return self.whole.categorical_fields[0].levels

    @property
    def base(self) -> int:
        """Places of a block, and the most blocks there are."""
        return math.isqrt(self.levels - 1) + 1

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        blocks = -(-self.levels // self.base)
        return (CategoricalField(f"{self.column}:block", blocks), CategoricalField(f"{self.column}:place", self.base))

    @cached_property
    def _order(self) -> np.ndarray:
        """Levels of the one category in the order of the digits; missing and the pool of rare values come last."""
        by_value = pc.sort_indices(self.whole.levels.array).to_numpy().astype(np.int64)
        return np.append(by_value, np.arange(len(by_value), self.levels))

    @cached_property
    def _number(self) -> np.ndarray:
        number = np.empty(self.levels, dtype=np.int64)
        number[self._order] = np.arange(self.levels)
        return number

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the two digits of each value."""
        number = self._number[self.whole.encode(values).categorical[:, 0]]
        return EncodedColumn.of(len(values), [], [number // self.base, number % self.base])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values; a place that the last block does not have counts from its start again."""
        block, place = categorical[:, 0].astype(np.int64), categorical[:, 1].astype(np.int64)
        places = np.minimum(self.base, self.levels - block * self.base)
        level = self._order[block * self.base + place % places]
        return self.whole.decode(numerical, level[:, None], draw)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {"kind": self.kind, "whole": self.whole.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DigitsCodec:
        """Read the form that ``to_dict`` writes."""
        return cls(CategoricalCodec.from_dict(raw["whole"]))


def with_digits(codec: CategoricalCodec, config: CodecConfig) -> CategoricalCodec | DigitsCodec:
    """Return the codec of a category, as two digits where it has more levels than ``config.digits_over``."""
    return DigitsCodec(codec) if codec.categorical_fields[0].levels > config.digits_over else codec
