"""The contract of a column codec: a column of values to fields and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec.arithmetic import Rule, find_rules
from tabgraphsyn.data.codec.bands import BandRule
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.codec.training_rows import TrainingRows
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.plain import Plain

NEUTRAL = 1.7
"""Half width, in standard deviations, of the interval written where a number has no meaning.

A uniform draw in it has a variance of about one (1.7 ** 2 / 3), like every other number the diffusion sees; a constant
there would be a spike that the network has to learn for nothing.
"""


@dataclass(frozen=True)
class EncodedColumn:
    """The arrays of one column.

    Shape:
        numerical: (rows, n_num, 2) float32. categorical: (rows, n_cat) int32.
    """

    numerical: np.ndarray
    categorical: np.ndarray

    @staticmethod
    def of(rows: int, numbers: list[np.ndarray], categories: list[np.ndarray]) -> EncodedColumn:
        """Stack the fields of one column: intervals of shape (rows, 2) and levels of shape (rows,)."""
        numerical = np.stack(numbers, axis=1) if numbers else np.empty((rows, 0, 2))
        categorical = np.stack(categories, axis=1) if categories else np.empty((rows, 0))
        return EncodedColumn(numerical.astype(np.float32), categorical.astype(np.int32))


@dataclass(frozen=True)
class Draw:
    """What decoding may draw from.

    Attributes:
        rng: source of random numbers.
        first_row: number of the first decoded row in its table, so that ids stay unique from batch to batch.
        given: the decoded values of the column that the codec names in ``given``, or None.
    """

    rng: np.random.Generator
    first_row: int = 0
    given: pa.Array | None = None


class ColumnCodec(Plain, ABC):
    """A fitted codec. Gates of its numerical fields count from its own first categorical field.

    A kind of codec is one class: which columns it suits (``proposal``, ``beside``), its fields with the ranges that a
    bundle may hold (``declared``), encoding and decoding; and one line in ``kinds.py``.

    Attributes:
        kind: name in the json form.
        says: in words, what its json says of the real data; see ``listed.in_words``.
        settings: its fields that say nothing of a single value, beside those of all codecs (``listed``).
        lists_values: False where it lists parts only, from which no value can be told.
        calculates: False where its numbers or times take no part in the search for arithmetic between columns.
        given: the column that must be decoded before this one, or None.
        needs_given: False where a value can be encoded without that column.
    """

    kind: ClassVar[str]
    says: ClassVar[str] = "what its codec holds"
    settings: ClassVar[frozenset[str]] = frozenset()
    lists_values: ClassVar[bool] = True
    calculates: ClassVar[bool] = True
    needs_given: ClassVar[bool] = True
    given: str | None = None

    @classmethod
    def proposal(cls, series: TrainingSeries) -> ColumnCodec | None:
        """Return the codec of a column, taken by itself, or None where this kind does not suit it."""
        return None

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of columns that this kind suits better, now that all columns have one."""
        return {}

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return ()

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return ()

    @abstractmethod
    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``; ``given`` are the same rows of the column named by ``self.given``."""

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """Return which values ``encode`` takes, (rows,) bool: not those of no level that training rows gave."""
        del given
        return np.ones(len(values), dtype=bool)

    @abstractmethod
    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return values of the column's arrow type.

        Shape:
            numerical: (rows, n_num) float. categorical: (rows, n_cat) int.
        """


@dataclass(frozen=True)
class Fitting:
    """The columns of a table while their codecs are chosen.

    Attributes:
        rows: the training rows.
        config: settings of all codecs.
        codecs: column -> the codec it has so far.
        bands: which categories are the bands of which numbers.
    """

    rows: TrainingRows
    config: CodecConfig
    codecs: dict[str, ColumnCodec]
    bands: tuple[BandRule, ...] = ()

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The arithmetic between columns; what follows from another column is known when this is first asked."""
        names = [
            name for name, codec in self.codecs.items()
            if codec.calculates and self.rows.table.schema.column(name).sdtype in ("numerical", "datetime")
        ]  # fmt: skip
        if self.config.dependencies == "ignore" or len(names) < 2:
            return ()
        return find_rules(self.rows.sampled(names))


def empty_fields(rows: int) -> EncodedColumn:
    """Return the encoding of a column that takes no field."""
    return EncodedColumn.of(rows, [], [])
