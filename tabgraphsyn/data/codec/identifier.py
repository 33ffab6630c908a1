"""Columns whose values are never reproduced: ids made anew, text from a safe vocabulary or masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.check_digits import check_of
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.groups import coarse_bounds
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.pattern import MAX_LENGTH, Pattern, permuted
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.formats import Format
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.layout import CategoricalField
from tabgraphsyn.data.untrusted import Count, Name

MAX_HEAD = 1_000
HEAD_GROUP = 10
MAX_WORDS = 50
PATTERN_EXAMPLES = 10_000
CHECKED_PREFIX = 3
"""Digits at the front of an article number that say where it comes from: kept where they never change."""
ROOM_FOR_EACH = 20
# fmt: off
WORDS = (
    "lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do", "eiusmod", "tempor",
    "incididunt", "ut", "labore", "et", "dolore", "magna", "aliqua", "enim", "ad", "minim", "veniam", "quis", "nostrud",
    "exercitation", "ullamco", "laboris", "nisi", "aliquip", "ex", "ea", "commodo", "consequat", "duis", "aute",
)
# fmt: on


@dataclass(frozen=True)
class UnmodelledCodec(ColumnCodec):
    """A column whose values are made when decoding. Where it has nulls, one field tells which rows have a value."""

    column: Name
    has_missing: bool

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return (CategoricalField(f"{self.column}:missing", 2),) if self.has_missing else ()

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        is_null = pc.is_null(values).to_numpy(zero_copy_only=False).astype(np.int32)
        return EncodedColumn.of(len(values), [], [is_null] if self.has_missing else [])

    def _nulls(self, categorical: np.ndarray) -> np.ndarray:
        return categorical[:, 0] == 1 if self.has_missing else np.zeros(len(categorical), dtype=bool)


@dataclass(frozen=True)
class IdentifierCodec(UnmodelledCodec):
    """Ids made anew in the pattern of the column; unique if the training ids are, else as often repeated.

    Attributes:
        type: arrow type of the column.
        pattern: shape of string ids, None for whole numbers.
        minimum: least whole number, a power of ten.
        span: how many whole numbers there are, up to another one.
        head: how often the most repeated ids occur, largest first, as means of groups of them; empty where ids are
            unique.
        tail_ids: how many distinct ids occur beside those.
        tail_rows: in how many rows.
    """

    kind = "identifier"
    says = "the shape of ids and how often they repeat, no id"
    type: ArrowType
    minimum: Annotated[int, Meta(ge=-(2**63))] = 0
    span: Annotated[int, Meta(ge=1)] = 1
    tail_ids: Count = 0
    tail_rows: Count = 0
    head: tuple[Count, ...] = ()
    pattern: Pattern | None = None

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: counts to draw by."""
        yield not self.head or sum(self.head) + self.tail_rows > 0, "ids occur"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> IdentifierCodec | None:
        """Return the codec of ids, and of codes that cannot be named."""
        if series.nature not in ("key", "code"):
            return None
        sample, column = series.sample, series.column
        codec = cls.fit(series.name, sample, sample.null_count > 0, column.regex_format)
        return codec._within(column.format) if series.nature == "key" else codec

    def _within(self, format: Format | None) -> IdentifierCodec:
        """Return the codec of ids that stay within the whole numbers of the column's parquet type."""
        if format is None or not pa.types.is_integer(format.arrow) or self.pattern is not None:
            return self
        room = np.iinfo(format.arrow.to_pandas_dtype())
        least = max(self.minimum, int(room.min))
        return replace(self, minimum=least, span=min(self.span, int(room.max) - least + 1))

    @staticmethod
    def fit(
        column: str,
        sample: pa.ChunkedArray,
        has_missing: bool,
        regex_format: str | None = None,
        open_after: int = MAX_LENGTH,
    ) -> IdentifierCodec:
        """Fit to (a sample of) training values; for ``open_after`` see ``Pattern.learn``; the sample is (rows,)."""
        filled = sample.drop_null()
        counted = pc.value_counts(filled)
        head, tail_ids, tail_rows = head_and_tail(np.sort(counted.field(1).to_numpy(zero_copy_only=False))[::-1])
        numbers: dict[str, Any] = {"pattern": None}
        if pa.types.is_integer(sample.type):
            numbers |= _whole_number_bounds(filled)
            numbers["pattern"] = checked_pattern(counted.field(0), len(filled))
        elif regex_format is not None:
            numbers["pattern"] = Pattern.from_regex(regex_format)
        else:
            examples = counted.field(0)[:PATTERN_EXAMPLES].cast(pa.string()).to_pylist()
            numbers["pattern"] = Pattern.learn(examples, open_after, len(counted))
        return IdentifierCodec(
            column=column,
            has_missing=has_missing,
            type=str(sample.type),
            head=head,
            tail_ids=tail_ids,
            tail_rows=tail_rows,
            **numbers,
        )

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        rows = len(categorical)
        index = np.arange(draw.first_row, draw.first_row + rows)
        if self.head:
            index = repeated_index(self.head, self.tail_ids, self.tail_rows, rows, draw.rng)
        is_null = self._nulls(categorical)
        if self.pattern is not None:
            index = index % self.pattern.room if "int" in self.type else index
            return pa.array(self.pattern.make(index), pa.string(), mask=is_null).cast(pa.type_for_alias(self.type))
        return pa.array(self._whole_numbers(index), pa.int64(), mask=is_null).cast(pa.type_for_alias(self.type))

    def _whole_numbers(self, index: np.ndarray) -> np.ndarray:
        """Return different whole numbers for different indices, within the training span as long as it lasts."""
        span = min(self.span, 2**31)
        return self.minimum + index // span * span + permuted(index % span, span)


def checked_pattern(numbers: pa.Array, rows: int) -> Pattern | None:
    """Return the pattern of whole numbers whose last digit checks the others, None where none has room for all.

    Shape:
        numbers are (ids,) of different int64; ``rows`` is how many rows the table has.
    """
    texts = numbers[:PATTERN_EXAMPLES].cast(pa.string()).to_pylist()
    pattern = Pattern.learn(texts, CHECKED_PREFIX) if check_of(texts, digits_only=True) else None
    return pattern if pattern is not None and pattern.room >= ROOM_FOR_EACH * rows else None


def head_and_tail(counts: np.ndarray) -> tuple[tuple[int, ...], int, int]:
    """Return how often ids repeat: the head, and how many ids and rows there are beside; nothing where none repeats.

    Shape:
        counts are (ids,) int64.

    How often one id occurs is a fact of one person: the head holds means of ten neighbours.

    Args:
        counts: how often each id occurs, largest first.
    """
    if not len(counts) or counts[0] == 1:
        return (), 0, 0
    head, tail = counts[:MAX_HEAD], counts[MAX_HEAD:]
    blocks = np.arange(len(head)) // HEAD_GROUP
    means = np.bincount(blocks, weights=head) / np.bincount(blocks)
    return tuple(np.maximum(np.rint(means[blocks]), 1).astype(int).tolist()), len(tail), int(tail.sum())


def repeated_index(
    head: tuple[int, ...], tail_ids: int, tail_rows: int, rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw id numbers, (rows,) int64: the first ones as often as the head says and the others evenly."""
    weights = np.asarray([*head, tail_rows], dtype=np.float64)
    index = rng.choice(len(weights), size=rows, p=weights / weights.sum())
    in_tail = index == len(head)
    index[in_tail] += rng.integers(0, max(tail_ids, 1), size=int(in_tail.sum()))
    return index


def _whole_number_bounds(filled: pa.ChunkedArray) -> dict[str, int]:
    """Return bounds that tell how many digits ids have, and no id."""
    least, most = (int(pc.min(filled).as_py() or 0), int(pc.max(filled).as_py() or 0))
    if least <= 0:
        bounds = coarse_bounds(float(least), float(most), None)
        return {"minimum": int(bounds[0]), "span": min(int(bounds[1] - bounds[0]), 2**62)}
    low = 10 ** (len(str(least)) - 1)
    return {"minimum": low, "span": min(10 ** len(str(most)) - low, 2**62)}


@dataclass(frozen=True)
class TextCodec(UnmodelledCodec):
    """Text drawn by frequency from values that occur often enough, placeholder words for all other rows.

    Attributes:
        vocabulary: values that may be reproduced; empty where text is masked or names a person.
        counts: how often each occurs.
        masked_rows: training rows whose text is not in the vocabulary.
        word_counts: how many of those texts have 0, 1, 2, ... words (the last one: that many or more).
    """

    kind = "text"
    says = "{levels} texts that enough entities hold, and how many words the others have"
    vocabulary: Levels
    counts: tuple[Count, ...]
    masked_rows: Count
    word_counts: Annotated[tuple[Count, ...], Meta(max_length=MAX_WORDS + 1)]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: counts to draw by."""
        yield len(self.counts) == len(self.vocabulary.values), "one count for each text"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> TextCodec | None:
        """Return the codec of text, and of categories of words that cannot be named."""
        if series.nature not in ("text", "phrase"):
            return None
        counts = series.sample_counts if series.nature == "text" else series.counts
        return cls.fit(series.name, counts, series.config, series.column.pii)

    @staticmethod
    def fit(column: str, values: ValueCounts, config: CodecConfig, pii: bool) -> TextCodec:
        """Fit to (a sample of) training values."""
        texts, counts, has_missing = values.distinct, values.counts, values.null_count > 0
        is_safe = (counts >= max(config.text_min_count, 2)) & values.held_by(config.min_entities)
        if pii or config.text == "mask":
            is_safe[:] = False
        words = pc.list_value_length(pc.utf8_split_whitespace(texts)).to_numpy(zero_copy_only=False)
        rare = np.bincount(np.minimum(words[~is_safe], MAX_WORDS), weights=counts[~is_safe])
        return TextCodec(
            column=column,
            has_missing=has_missing,
            vocabulary=Levels.of(texts.filter(pa.array(is_safe))),
            counts=tuple(counts[is_safe].tolist()),
            masked_rows=int(counts[~is_safe].sum()),
            word_counts=tuple(int(count) for count in rare),
        )

    @cached_property
    def _shares(self) -> np.ndarray:
        weights = np.asarray([*self.counts, self.masked_rows], dtype=np.float64)
        return weights / weights.sum() if weights.sum() else np.asarray([1.0])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        rows = len(categorical)
        place = draw.rng.choice(len(self._shares), size=rows, p=self._shares)
        masked = np.flatnonzero(place == len(self.vocabulary))
        texts = np.empty(rows, dtype=object)
        texts[masked] = self._placeholders(len(masked), draw.rng)
        kept = np.flatnonzero(place < len(self.vocabulary))
        texts[kept] = self.vocabulary.take(place[kept]).to_numpy(zero_copy_only=False)
        return pa.array(texts, pa.string(), mask=self._nulls(categorical)).cast(pa.type_for_alias(self.vocabulary.type))

    def _placeholders(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        weights = np.asarray(self.word_counts, dtype=np.float64)
        weights = weights if weights.sum() else np.asarray([0.0, 1.0])
        lengths = rng.choice(len(weights), size=rows, p=weights / weights.sum())
        texts = np.full(rows, "", dtype=object)
        words = np.asarray(WORDS, dtype=object)
        for place in range(int(lengths.max(initial=0))):
            here = lengths > place
            drawn = words[rng.integers(0, len(words), size=int(here.sum()))]
            texts[here] = texts[here] + (" " + drawn if place else drawn)
        return texts
