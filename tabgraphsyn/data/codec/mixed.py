"""Columns of numbers or times that are written in several ways, with words among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import DatetimeCodec, datetime_codec
from tabgraphsyn.data.codec.groups import drawn_in
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.numerical import Part, number_codec
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.formats import MixedFormat
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.untrusted import Int64, Name, Number

Bound = Int64 | Number


@dataclass(frozen=True)
class MixedCodec(ColumnCodec):
    """A number (or time) whose missing values are words, and the form in which it is written.

    Fields: those of ``inner`` (words count as missing there), ``<column>:form`` where there are several forms,
    ``<column>:word`` where there are several words.

    Attributes:
        column: column name.
        format: the forms.
        inner: codec of the numbers or times.
        word: codec of what stands where no number does, null among it.
        bounds: per form between which numbers it is written, but for those of a few; times in microseconds.
    """

    kind = "mixed"
    says = "groups of numbers, the forms that they are written in, and words that enough entities use"
    column: Name
    format: MixedFormat
    inner: Part | DatetimeCodec
    word: CategoricalCodec | ConstantCodec
    bounds: tuple[tuple[Bound, Bound], ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: bounds in order, of each form."""
        yield len(self.bounds) == len(self.format.forms), "bounds of each form"
        yield all(low <= high for low, high in self.bounds), "bounds ascend"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> MixedCodec | None:
        """Return the codec of numbers, or times, of several formats or among words."""
        format = series.column.format
        if series.nature != "number" or not isinstance(format, MixedFormat):
            return None
        return cls.fit(series.name, format, series.whole, series.config, series.rows.entities)

    @staticmethod
    def fit(
        column: str, format: MixedFormat, values: pa.Array, config: CodecConfig, entities: np.ndarray | None = None
    ) -> MixedCodec:
        """Fit to training values as they are written, (rows,)."""
        numbers, form = format.split(values)
        if pa.types.is_timestamp(numbers.type):
            inner: Part | DatetimeCodec = datetime_codec(column, pa.chunked_array([numbers]), config, None, entities)
        else:
            inner = number_codec(column, ValueCounts.of(numbers, entities), config)
        is_left = pc.is_null(numbers)
        held = None if entities is None else entities[is_left.to_numpy(zero_copy_only=False)]
        left = ValueCounts.of(values.filter(is_left), held)
        word = _word_codec(f"{column}:word", left, config)
        plain = _plain(numbers)
        bounds = []
        for number in range(len(format.forms)):
            own = plain[form == number]
            held = None if entities is None else entities[form == number]
            bounds.append(drawn_in(own.astype(np.float64), held, config.min_entities) if len(own) else (0.0, 0.0))
        return MixedCodec(column, format, inner, word, tuple(bounds))

    @property
    def _has_form(self) -> bool:
        return len(self.format.forms) > 1

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return self.inner.numerical_fields

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        form = (CategoricalField(f"{self.column}:form", len(self.format.forms)),) if self._has_form else ()
        return self.inner.categorical_fields + form + self.word.categorical_fields

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool, numbers and words."""
        numbers, _ = self.format.split(values)
        is_word = pc.is_null(numbers).to_numpy(zero_copy_only=False)
        return self.inner.knows(numbers) & (self.word.knows(values) | ~is_word)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``; form and word are level 0 in rows that have none; values are (rows,)."""
        numbers, form = self.format.split(values)
        inner = self.inner.encode(numbers)
        is_word = pc.is_null(numbers).to_numpy(zero_copy_only=False)
        words = self.word.encode(values.filter(pa.array(is_word)))
        level = np.zeros((len(values), words.categorical.shape[1]), dtype=np.int32)
        level[is_word] = words.categorical
        forms = [np.maximum(form, 0)[:, None]] if self._has_form else []
        categorical = np.concatenate([inner.categorical, *forms, level], axis=1)
        return EncodedColumn(inner.numerical, categorical.astype(np.int32))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values as they are written, (rows,)."""
        taken = len(self.inner.categorical_fields)
        numbers = self.inner.decode(numerical, categorical[:, :taken], draw)
        form = categorical[:, taken].astype(np.int64) if self._has_form else np.zeros(len(numbers), dtype=np.int64)
        words = self.word.decode(numerical[:, :0], categorical[:, taken + self._has_form :], draw)
        return self.format.joined(self._held(numbers, form), form, words)

    def _held(self, numbers: pa.Array, form: np.ndarray) -> pa.Array:
        """Return the numbers within the bounds of their form: what is in pounds is no weight in kilograms."""
        bounds = np.asarray(self.bounds)[form]
        missing = pc.is_null(numbers).to_numpy(zero_copy_only=False)
        held = np.clip(_plain(numbers), bounds[:, 0], bounds[:, 1])
        if pa.types.is_floating(numbers.type):
            return pa.array(held, numbers.type, mask=missing)
        return pa.array(held.astype(np.int64), pa.int64(), mask=missing).cast(numbers.type)


def _word_codec(name: str, words: ValueCounts, config: CodecConfig) -> CategoricalCodec | ConstantCodec:
    """Return the codec of what stands where no number does; a word of few entities is no word."""
    named = words.kept(words.held_by(config.min_entities))
    distinct, _ = named.with_null()
    if len(distinct) < 2:
        return ConstantCodec(name, Levels.of(distinct if len(distinct) else pa.nulls(1, pa.string())))
    return CategoricalCodec.fit(name, words, config.min_count, config.min_entities)


def _plain(numbers: pa.Array) -> np.ndarray:
    """Return numbers, or the microseconds of times, as numpy; 0 for null."""
    if pa.types.is_timestamp(numbers.type):
        numbers = numbers.cast(pa.int64())
    return pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
