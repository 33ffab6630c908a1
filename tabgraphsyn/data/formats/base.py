"""The contract of a column's format: how a value is written, apart from what it means.

What stands in a file is split into a value of a plain type, which models see, and a format, which says how such values
are written. The format is decided once, over the whole column, and writes every value back the way it was read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.arrow_types import type_of


@dataclass(frozen=True, kw_only=True)
class Format(ABC):
    """How the values of one column are written.

    Attributes:
        kind: name in the json form.
        type: arrow type in the column's parquet file, in arrow's spelling; empty where it is the stored one.
    """

    kind: ClassVar[str]
    type: str = ""

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

    def to_dict(self) -> dict[str, Any]:
        """Return the json form; what has its default is left out."""
        raw: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                raw[field.name] = value
        return raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form that ``to_dict`` writes."""
        given: dict[str, Any] = {key: value for key, value in raw.items() if key != "kind"}
        return cls(**given)


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
