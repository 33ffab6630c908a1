"""Numbers or dates written in several ways in one column, with words among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.formats.base import Format
from tabgraphsyn.data.formats.moment import DatetimeFormat
from tabgraphsyn.data.formats.number import NumberFormat

Shape = Annotated[str, Meta(max_length=2_000)]


@dataclass(frozen=True, kw_only=True)
class MixedFormat(Format):
    """Values as they are written; each is a number (or a moment) in one of some formats, or a word.

    Attributes:
        forms: the formats, all of one stored type.
        shapes: for each of them a pattern that tells its texts from those of the others.
    """

    kind = "mixed"
    forms: Annotated[tuple[NumberFormat | DatetimeFormat, ...], Meta(min_length=1, max_length=100)]
    shapes: tuple[Shape, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: a shape for each form, and text in parquet."""
        yield len(self.forms) == len(self.shapes), "one shape for each form"
        yield not self.type, "text in parquet, of no other type"

    @property
    def stored(self) -> pa.DataType:
        """Text."""
        return pa.string()

    @property
    def holds_numbers_as_text(self) -> bool:
        """Always."""
        return True

    @property
    def values_type(self) -> pa.DataType:
        """The type of the numbers or moments."""
        return self.forms[0].stored

    def read(self, text: pa.Array) -> pa.Array:
        """Return the texts as they are, (rows,)."""
        return text

    def write(self, values: pa.Array) -> pa.Array:
        """Return the texts, (rows,)."""
        return values

    def split(self, text: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """Return the values, null for words, and (rows,) int64 the form of each, -1 for words and nulls."""
        values = pa.nulls(len(text), self.values_type)
        form = np.full(len(text), -1, dtype=np.int64)
        for number, (one, shape) in enumerate(zip(self.forms, self.shapes, strict=True)):
            is_open = pc.match_substring_regex(text, shape)
            mask = pc.fill_null(is_open, False).to_numpy(zero_copy_only=False) & (form < 0)
            if not mask.any():
                continue
            chosen = pa.array(mask)
            values = pc.replace_with_mask(values, chosen, one.read(text.filter(chosen)).cast(self.values_type))
            form[mask] = number
        return values, form

    def joined(self, values: pa.Array, form: np.ndarray, words: pa.Array) -> pa.Array:
        """Return the texts of values in their forms; ``words`` where a value is null."""
        texts = words
        is_value = pc.is_valid(values).to_numpy(zero_copy_only=False)
        for number, one in enumerate(self.forms):
            mask = is_value & (form == number)
            if mask.any():
                chosen = pa.array(mask)
                texts = pc.replace_with_mask(texts, chosen, one.write(values.filter(chosen)))
        return texts

    def numbers(self, values: pa.Array) -> pa.Array:
        """Return the numbers or moments, null for words, (rows,)."""
        return self.split(values)[0]

    def in_words(self) -> str:
        """Return the format in words."""
        ways = ", ".join(
            one.pattern + one.zone if isinstance(one, DatetimeFormat) else repr(one.example()) for one in self.forms
        )
        what = "times" if pa.types.is_timestamp(self.values_type) else "numbers"
        return f"{what} written like {ways}, perhaps with words among them"
