"""Formats of values that are stored as they are: words of a boolean, narrower arrow types, digits no number holds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.arrow_types import plain_array, type_of
from tabgraphsyn.data.formats.base import Format, Short, Small, each
from tabgraphsyn.errors import DataError


@dataclass(frozen=True, kw_only=True)
class BooleanFormat(Format):
    """True and false in the words of the file."""

    kind = "boolean"
    true: Short = "True"
    false: Short = "False"

    @property
    def stored(self) -> pa.DataType:
        """Booleans."""
        return pa.bool_()

    def read(self, text: pa.Array) -> pa.Array:
        """Return the booleans that texts spell, in any case, (rows,)."""
        lower = pc.utf8_lower(text)
        is_true, is_false = pc.equal(lower, self.true.lower()), pc.equal(lower, self.false.lower())
        if not pc.all(pc.or_(is_true, is_false)).as_py():
            raise pa.ArrowInvalid(f"values other than {self.true!r} and {self.false!r}")
        return is_true

    def write(self, values: pa.Array) -> pa.Array:
        """Return the words, (rows,)."""
        return pc.if_else(values, self.true, self.false)


@dataclass(frozen=True, kw_only=True)
class TypedFormat(Format):
    """Values of an arrow type that casts to a plain one and back: int32, float16, dictionaries, large strings."""

    kind = "typed"
    plain: Short = "string"

    @property
    def stored(self) -> pa.DataType:
        """The plain type."""
        return type_of(self.plain)

    def read(self, text: pa.Array) -> pa.Array:
        """Return texts as the plain type, (rows,)."""
        return text.cast(self.stored)

    def write(self, values: pa.Array) -> pa.Array:
        """Return values as arrow spells them, (rows,)."""
        if pa.types.is_float16(self.arrow) or pa.types.is_float32(self.arrow):
            values = values.cast(self.arrow, safe=False)
            values = values.cast(pa.float32()) if pa.types.is_float16(self.arrow) else values
        return values.cast(pa.string())

    def stored_of(self, values: pa.Array) -> pa.Array:
        """Return values of the arrow type, or of any that casts, as the plain type, (rows,)."""
        plain = plain_array(values)
        return plain if plain.type == self.stored else plain.cast(self.stored, safe=False)

    def typed(self, values: pa.Array) -> pa.Array:
        """Return values in the arrow type of parquet output, numbers held within its bounds, (rows,)."""
        if pa.types.is_dictionary(self.arrow):
            encoded = values.cast(self.arrow.value_type).dictionary_encode()
            return pa.DictionaryArray.from_arrays(encoded.indices.cast(self.arrow.index_type), encoded.dictionary)
        if isinstance(self.arrow, pa.UuidType):
            raw = [None if value is None else uuid.UUID(value).bytes for value in values.to_pylist()]
            return pa.ExtensionArray.from_storage(self.arrow, pa.array(raw, pa.binary(16)))
        if pa.types.is_integer(self.arrow) and values.type != self.arrow:
            try:
                return values.cast(self.arrow)
            except pa.ArrowInvalid as error:  # keys count on with every row
                raise DataError(f"more values than {self.type} holds ({error}). Sample fewer rows.") from error
        return super().typed(values)


@dataclass(frozen=True, kw_only=True)
class WideFormat(Format):
    """Numbers with more digits than int64 or float64 hold, stored as text, e.g. uint64 and decimal128(30, 0).

    Attributes:
        scale: decimals of every value.
    """

    kind = "wide"
    scale: Small = 0

    @property
    def stored(self) -> pa.DataType:
        """Text of digits."""
        return pa.string()

    @property
    def holds_numbers_as_text(self) -> bool:
        """Always."""
        return True

    def read(self, text: pa.Array) -> pa.Array:
        """Return the digits as they are, (rows,)."""
        return text

    def write(self, values: pa.Array) -> pa.Array:
        """Return the digits, (rows,)."""
        return values

    def stored_of(self, values: pa.Array) -> pa.Array:
        """Return decimals or whole numbers as digits, (rows,)."""
        if pa.types.is_decimal(values.type):
            return each(values, lambda value: f"{value:f}")
        return values.cast(pa.string())

    def numbers(self, values: pa.Array) -> pa.Array:
        """Return the numbers, to the precision of a float, (rows,)."""
        return values.cast(pa.float64())

    def in_words(self) -> str:
        """Return the format in words."""
        return "numbers of more digits than a float holds"
