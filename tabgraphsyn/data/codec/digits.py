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
from typing import TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.layout import CategoricalField

COARSE_LEVELS = 20
"""Bins of a column with more distinct values, when asked what it tells."""
TOLD_MIN = 0.1


@dataclass(frozen=True)
class DigitsCodec(ColumnCodec):
    """Two categories, ``<column>:block`` and ``<column>:place``, in place of one.

    Attributes:
        whole: the codec of one category.
    """

    kind = "digits"
    says = "a list of {levels} values that enough entities hold{merged}"
    whole: CategoricalCodec

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of categories of many levels of which the rest of the row tells much."""
        wide = {name: one for name, one in fitting.codecs.items() if is_wide(one, fitting.config)}
        others = fitting.rows.sampled(list(fitting.codecs)) if wide else {}
        return {name: cls(codec) for name, codec in wide.items() if is_told(name, others)}

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
        """Return the column's values; a place that the last block does not have counts from its start again.

        Shape:
            (rows,).
        """
        block, place = categorical[:, 0].astype(np.int64), categorical[:, 1].astype(np.int64)
        places = np.minimum(self.base, self.levels - block * self.base)
        level = self._order[block * self.base + place % places]
        return self.whole.decode(numerical, level[:, None], draw)


def with_digits(codec: CategoricalCodec, config: CodecConfig) -> CategoricalCodec | DigitsCodec:
    """Return the codec of a category, as two digits where it has more levels than ``config.digits_over``."""
    return DigitsCodec(codec) if is_wide(codec, config) else codec


def is_wide(codec: ColumnCodec, config: CodecConfig) -> TypeGuard[CategoricalCodec]:
    """Return whether a codec is that of a category with more levels than ``config.digits_over``."""
    return isinstance(codec, CategoricalCodec) and codec.categorical_fields[0].levels > config.digits_over


def is_told(column: str, values: Mapping[str, pa.Array]) -> bool:
    """Return whether another column of the row says much about a category.

    Digits let a network find one level among thousands from what the rest of the row tells. Of a category that nothing
    tells there is only the marginal, which two digits together learn slowly and one field at once.

    Args:
        column: the category.
        values: columns of the same rows.
    """
    own = _codes(values[column])
    rng = np.random.default_rng(0)
    for name, other in values.items():
        if name == column:
            continue
        beside = _codes(other)
        if len(np.unique(beside)) > COARSE_LEVELS:
            beside = _order(other) * COARSE_LEVELS // len(other)
        # Few rows a level look told by anything: what a shuffled column says is no news.
        if _told_share(own, beside) - _told_share(own, rng.permutation(beside)) >= TOLD_MIN:
            return True
    return False


def _codes(values: pa.Array) -> np.ndarray:
    return np.unique(values.dictionary_encode(null_encoding="encode").indices.to_numpy(), return_inverse=True)[1]


def _order(values: pa.Array) -> np.ndarray:
    """Return numbers in the order of the values."""
    places = np.empty(len(values), dtype=np.int64)
    places[pc.sort_indices(values).to_numpy()] = np.arange(len(values))
    return places


def _told_share(own: np.ndarray, beside: np.ndarray) -> float:
    """Return the uncertainty coefficient: the share of a column's entropy that another one takes away, 0 to 1."""
    whole = _entropy(np.bincount(own))
    pairs = np.unique(own * (int(beside.max(initial=0)) + 1) + beside, return_counts=True)[1]
    return (whole + _entropy(np.bincount(beside)) - _entropy(pairs)) / whole if whole else 0.0


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
