"""Short codes that name places or things: postcodes, plates, part numbers.

How a code begins is a level, as far as enough entities share it, so that codes follow the other columns of their row;
the characters after it are drawn, position by position, from what is common there. A real code that few hold comes out
no more often than chance makes it.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.check_digits import Check, check_of, checked
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.prefix_tree import LENGTH_MAX, Beginnings, beginnings, common
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.layout import CategoricalField
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Count, Name, NotNegative

DIGITS_MAX = 18
"""Digits of a whole number that fits every type of 64 bits."""
IDS_MAX = 200_000
DRAWN_MORE = 4
"""How many codes are drawn for each one that is made, so that enough of them differ."""
_TEXTS = ("string", "large_string")
_CHECKED = set(string.digits + string.ascii_uppercase + " -")
Characters = Annotated[str, Meta(min_length=1, max_length=64)]


@dataclass(frozen=True)
class Place(Plain):
    """A position of a code: the characters that it may hold, and how often it holds each."""

    characters: Characters
    weights: tuple[NotNegative, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: a weight for each character."""
        yield len(self.characters) == len(self.weights), "one weight for each character"


@dataclass(frozen=True)
class Stem(Plain):
    """How a code begins.

    Attributes:
        shape: number of its shape.
        begins: its first characters, not all of them.
        ids: how many codes that begin so are made, each of them repeated; 0: a new one for every row.
    """

    shape: Count
    begins: Annotated[str, Meta(max_length=LENGTH_MAX)]
    ids: Count


@dataclass(frozen=True, kw_only=True)
class PrefixedCodec(ColumnCodec):
    """One field: the beginning of a code, a whole code, or that there is none.

    Attributes:
        column: column name, also the field's.
        type: arrow type of the column.
        shapes: what each position of a code may hold, by shape.
        stems: beginnings, a level each.
        codes: whole codes that enough entities hold, a level each, after those.
        has_missing: whether the last level is a missing value.
        check: how the last character of a code checks the others.
    """

    kind = "prefixed"
    says = "how codes begin, as far as enough entities share it, and which characters are common after that"
    settings = frozenset({"shapes", "stems"})
    calculates = False
    column: Name
    type: ArrowType
    shapes: Annotated[tuple[tuple[Place, ...], ...], Meta(min_length=1, max_length=1_000)]
    stems: tuple[Stem, ...]
    codes: tuple[Annotated[str, Meta(min_length=1, max_length=LENGTH_MAX)], ...]
    has_missing: bool = False
    check: Check = ""

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: beginnings of shapes that are there, digits where the column holds whole numbers."""
        sizes = [len(shape) for shape in self.shapes]
        known = [one for one in self.stems if one.shape < len(sizes)]
        yield len(self.stems) + len(self.codes) > 0, "at least one level"
        yield len(known) == len(self.stems), "shapes that are there"
        yield all(len(one.begins) < sizes[one.shape] for one in known), "beginnings shorter than their shape"
        yield all(0 < size <= LENGTH_MAX for size in sizes), f"shapes of 1 to {LENGTH_MAX} characters"
        texts = [place.characters for shape in self.shapes for place in shape] + [one.begins for one in self.stems]
        yield not self.check or all(set(text) <= _CHECKED for text in texts), "characters that can be checked"
        is_number = all(set(text) <= set(string.digits) for text in [*texts, *self.codes])
        longest = max([*sizes, *(len(code) for code in self.codes)], default=0)
        yield self.type in _TEXTS or ("int" in self.type and is_number and longest <= DIGITS_MAX), "text, or digits"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> PrefixedCodec | None:
        """Return the codec of repeated codes; those that lead to a person are made anew instead, but for postcodes."""
        column, kind = series.column, series.sample.type
        if column.regex_format is not None or not (str(kind) in _TEXTS or pa.types.is_integer(kind)):
            return None
        if series.config.personal == "ignore":
            person = None
        else:
            person = personal_kind(series.rows.table.schema.name, column.name, series.sample, column.pii)
        is_postcode = person == "postcode" and not series.is_named
        if column.pii or person not in (None, "postcode") or not (series.nature == "code" or is_postcode):
            return None
        if column.name in series.rows.table.schema.alternate_keys:
            return None
        found = beginnings(series.sample_counts, series.config.min_entities)
        return None if found is None else cls.fit(series, found)

    @classmethod
    def fit(cls, series: TrainingSeries, found: Beginnings) -> PrefixedCodec:
        """Return the codec of the beginnings that were found in a column."""
        values, least = series.sample_counts, series.config.min_entities
        places = tuple(
            tuple(Place(*common(position, values, least)) for position in positions) for positions in found.positions()
        )
        stems = [Stem(*one) for one in found.stems(values)]
        return cls(
            column=series.name,
            type=str(series.sample.type),
            shapes=places,
            stems=tuple(one for one in stems if len(one.begins) < len(places[one.shape])),
            codes=tuple(one.begins for one in stems if len(one.begins) == len(places[one.shape])),
            has_missing=values.null_count > 0,
            check=check_of(
                values.distinct.cast(pa.string()).to_pylist(), digits_only=str(series.sample.type) not in _TEXTS
            ),
        )

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return (CategoricalField(self.column, self._levels + self.has_missing),)

    @property
    def _levels(self) -> int:
        return len(self.stems) + len(self.codes)

    @cached_property
    def _level(self) -> dict[tuple[int, str], int]:
        """Shape and beginning -> level."""
        return {(one.shape, one.begins): level for level, one in enumerate(self.stems)}

    @cached_property
    def _level_of_code(self) -> dict[str, int]:
        return {code: len(self.stems) + place for place, code in enumerate(self.codes)}

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the level of each value, (rows, 1): its longest beginning; of a code unlike all, the first one."""
        encoded = pc.dictionary_encode(values)
        levels = [self._level_of(text) for text in encoded.dictionary.cast(pa.string()).to_pylist()]
        own = np.asarray([*levels, self._levels if self.has_missing else 0], dtype=np.int32)
        return EncodedColumn.of(len(values), [], [own[pc.fill_null(encoded.indices, -1).to_numpy()]])

    def _level_of(self, text: str) -> int:
        if text in self._level_of_code:
            return self._level_of_code[text]
        shape = self._shape_of(text)
        starts = ((shape, text[:length]) for length in range(len(text) - 1, -1, -1))
        return next((self._level[start] for start in starts if start in self._level), 0)

    def _shape_of(self, text: str) -> int:
        """Return the number of a code's shape, -1 where it has none of these."""
        fits = (
            len(shape) == len(text) and all(one in place.characters for one, place in zip(text, shape, strict=True))
            for shape in self.shapes
        )  # fmt: skip
        return next((number for number, does in enumerate(fits) if does), -1)

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        level, kind = categorical[:, 0].astype(np.int64), pa.type_for_alias(self.type)
        made = np.full(len(level), "", dtype=object)
        for number in np.unique(level[level < self._levels]).tolist():
            here = np.flatnonzero(level == number)
            made[here] = self._made(number, len(here), draw.rng)
        is_null = level >= self._levels
        if self.type in _TEXTS:
            return pa.array(made, pa.string(), mask=is_null).cast(kind)
        numbers = np.where(is_null, "0", made).astype(np.int64)
        most = min(np.iinfo(kind.to_pandas_dtype()).max, 10**DIGITS_MAX)
        return pa.array(np.minimum(numbers, most), pa.int64(), mask=is_null).cast(kind)

    def _made(self, level: int, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Return (rows,) codes of one level."""
        if level >= len(self.stems):
            return np.full(rows, self.codes[level - len(self.stems)], dtype=object)
        stem = self.stems[level]
        open_ = len(self.shapes[stem.shape]) - len(stem.begins)
        if not stem.ids:
            return self._ended(stem, rng.random((rows, open_)))
        # The codes that are repeated are the same ones in every batch: the level's own number draws them.
        own = np.random.default_rng([level, *map(ord, self.column)])
        drawn = self._ended(stem, own.random((DRAWN_MORE * min(stem.ids, IDS_MAX), open_)))
        made = np.asarray(list(dict.fromkeys(drawn.tolist())), dtype=object)[: stem.ids]
        return made[rng.integers(0, len(made), rows)]

    def _ended(self, stem: Stem, uniform: np.ndarray) -> np.ndarray:
        """Return (rows,) codes, one for each row of (rows, characters) uniform numbers."""
        made = np.full(len(uniform), stem.begins, dtype=object)
        for at, place in enumerate(self.shapes[stem.shape][len(stem.begins) :]):
            weights = np.asarray(place.weights, dtype=np.float64)
            if at == 0:  # what begins so and goes on so is another level
                taken = self._begun.get((stem.shape, stem.begins), set())
                left = np.asarray([one not in taken for one in place.characters])
                weights = np.where(left, weights, 0) if (weights * left).sum() else left * 1.0
            weights = weights if weights.sum() else np.ones(len(weights))
            drawn = np.searchsorted(np.cumsum(weights) / weights.sum(), uniform[:, at], side="right")
            made = made + np.asarray(list(place.characters), dtype=object)[np.minimum(drawn, len(weights) - 1)]
        if self.check:
            made[:] = [checked(one[:-1], self.check) for one in made.tolist()]
        return made

    @cached_property
    def _begun(self) -> dict[tuple[int, str], set[str]]:
        """Shape and beginning -> the characters after it with which other levels go on."""
        found: dict[tuple[int, str], set[str]] = {}
        for shape, begins in self._level:
            for length in range(len(begins)):
                found.setdefault((shape, begins[:length]), set()).add(begins[length])
        return found
