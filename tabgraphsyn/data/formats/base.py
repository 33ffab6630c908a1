"""The contract of a column's format: how a value is written, apart from what it means.

What stands in a file is split into a value of a plain type, which models see, and a format, which says how such values
are written. The format is decided once, over the whole column, and writes every value back the way it was read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.formats.arrow_types import type_of
from tabgraphsyn.data.plain import Plain

Short = Annotated[str, Meta(max_length=300)]
"""Text of a format, which stands in every value."""
Small = Annotated[int, Meta(ge=-2_000, le=2_000)]
"""Widths, decimals, minutes of a zone."""


@dataclass(frozen=True, kw_only=True)
class Format(Plain, ABC):
    """How the values of one column are written.

    Attributes:
        kind: name in the json form.
        type: arrow type in the column's parquet file, in arrow's spelling; empty where it is the stored one.
    """

    kind: ClassVar[str]
    leaves_out_defaults = True
    type: Short = ""

    @property
    @abstractmethod
    def stored(self) -> pa.DataType:
        """The plain arrow type that the values have in an ingested table."""

    @property
    def arrow(self) -> pa.DataType:
        """The arrow type that the values have in parquet output."""
        return type_of(self.type) if self.type else self.stored

    @abstractmethod
    def read(self, text: pa.Array) -> pa.Array:
        """Return the stored values that texts spell; both are (rows,), nulls stay null.

        Raises:
            pyarrow.ArrowInvalid: a text is not written in this format.
        """

    @abstractmethod
    def write(self, values: pa.Array) -> pa.Array:
        """Return the text of stored values, (rows,) string; nulls stay null."""

    def typed(self, values: pa.Array) -> pa.Array:
        """Return stored values in the arrow type of parquet output; both are (rows,)."""
        if values.type == self.arrow:
            return values
        is_text = pa.types.is_large_string(self.arrow) or pa.types.is_string(self.arrow)
        return self.write(values).cast(self.arrow) if is_text else values.cast(self.arrow, safe=False)

    def stored_of(self, values: pa.Array) -> pa.Array:
        """Return the stored values of what ``typed`` returned, or of any array that casts; (rows,)."""
        if values.type == self.stored:
            return values
        is_text = pa.types.is_large_string(values.type) or pa.types.is_string(values.type)
        return self.read(values.cast(pa.string())) if is_text else values.cast(self.stored, safe=False)

    def numbers(self, values: pa.Array) -> pa.Array:
        """Return stored values as what metrics compare: themselves, where they are numbers, times or categories.

        Shape:
            (rows,).
        """
        return values

    @property
    def holds_numbers_as_text(self) -> bool:
        """True where stored values are text although they mean numbers or times; ``numbers`` reads them."""
        return False

    def in_words(self) -> str:
        """Return the format in words, for reasons; empty where there is nothing to say."""
        return ""


def matched(text: pa.Array, pattern: str, told: str) -> dict[str, pa.Array]:
    """Return the named groups of a pattern that every text matches, nulls where the text is null; each is (rows,).

    Raises:
        pyarrow.ArrowInvalid: a text does not match.
    """
    parts = pc.extract_regex(text, pattern)
    if parts.null_count > text.null_count:
        raise pa.ArrowInvalid(f"values are not written as {told}")
    return {field.name: pc.struct_field(parts, [field.name]) for field in parts.type}


def each(values: pa.Array, spell: Any) -> pa.Array:
    """Return ``spell(value)`` of every value that is not null, as text."""
    return pa.array([None if value is None else spell(value) for value in values.to_pylist()], pa.string())
