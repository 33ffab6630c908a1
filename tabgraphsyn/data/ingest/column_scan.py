"""What a column is, decided over all of its values: a kind stands until one value speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.formats.arrow_types import is_known

Kind = Literal["empty", "boolean", "integer", "float", "datetime", "text"]

TRUE_WORDS = ("true", "t", "yes", "y", "1")
FALSE_WORDS = ("false", "f", "no", "n", "0")
_EXACT_FLOAT = 2.0**53
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?$"
_ISO_WIDTHS = {"%Y-%m-%d": 10, "%Y-%m-%d %H:%M:%S": 19, "%Y-%m-%dT%H:%M:%S": 19, "%H:%M": 5, "%H:%M:%S": 8}
_MAX_EXAMPLES = 3


@dataclass
class ColumnScan:
    """Sees every batch of one column, then says what it is.

    Attributes:
        as_written: values are text whose kind is to be found; otherwise text stays text (but may be dates).
        decimal_comma: numbers may be written 1,5 (only where the comma does not separate fields).
        formats: datetime formats worth trying, in order of preference.
        arrow: the type that the file itself gives the column, None where all is text.
        largest: the largest magnitude of a decimal, without its mark, or of a number beyond int64.
        nanos: timestamps have digits below a microsecond.
        widths: least and most characters of a text.
        has_plus: some number is written with a plus.
    """

    as_written: bool
    decimal_comma: bool = False
    formats: tuple[str, ...] = datetimes.KNOWN_FORMATS
    rows: int = 0
    nulls: int = 0
    null_words: Counter[str] = field(default_factory=Counter)
    leading_zeros: bool = False
    whole: bool = True
    infinite: bool = False
    fractional_examples: list[float] = field(default_factory=list)
    non_numbers: list[str] = field(default_factory=list)
    typed: Kind | None = None
    alive: dict[str, Callable[[pa.Array], bool]] = field(default_factory=dict)
    live_formats: list[str] | None = None
    midnight: bool = True
    whole_seconds: bool = True
    arrow: pa.DataType | None = None
    largest: int = 0
    nanos: bool = False
    widths: tuple[int, int] | None = None
    has_plus: bool = False

    def __post_init__(self) -> None:
        if self.as_written:
            self.alive = {
                "true_false": _is_true_false,
                "words": _is_boolean_word,
                "integer": self._is_integer,
                "float": self._is_float,
            }
        if self.as_written and self.decimal_comma:
            self.alive["decimal_comma"] = self._has_decimal_commas

    def see_type(self, values: pa.Array) -> None:
        """Take in the type that a file gives a batch of the column, before it becomes a plain one; (rows,)."""
        self.arrow = values.type if is_known(values.type) else None
        if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
            nanos = values.cast(pa.int64()).drop_null()
            self.nanos = self.nanos or not _all_multiples(nanos, 1_000)
        if (pa.types.is_decimal(values.type) or pa.types.is_uint64(values.type)) and len(values) > values.null_count:
            ends = [pc.min(values).as_py(), pc.max(values).as_py()]
            scale = max(values.type.scale, 0) if pa.types.is_decimal(values.type) else 0
            self.largest = max(self.largest, *(abs(int(end * 10**scale)) for end in ends))

    def update(self, values: pa.Array) -> None:
        """Take in one batch of the column (string, int64, float64, bool or timestamp)."""
        self.rows += len(values)
        self.nulls += values.null_count
        values = values.drop_null()
        if len(values) == 0:
            return
        if pa.types.is_string(values.type):
            self._update_text(values)
        else:
            self._update_typed(values)

    @property
    def kind(self) -> Kind:
        """The narrowest kind that every value so far is of."""
        if self.rows == self.nulls:
            return "empty"
        if self.typed is not None:
            return self.typed
        if "true_false" in self.alive:
            return "boolean"
        if "integer" in self.alive and not self.leading_zeros:
            return "integer"
        if ("float" in self.alive and not self.leading_zeros) or "decimal_comma" in self.alive:
            return "float"
        return "datetime" if self.live_formats else "text"

    @property
    def is_number(self) -> bool:
        """Whether every value reads as a number, leading zeros or not."""
        numbers = {"integer", "float", "decimal_comma"} & set(self.alive)
        return bool(numbers) or self.typed in ("integer", "float")

    @property
    def is_whole(self) -> bool:
        """Whether every number is whole, so that 3.0 may be 3."""
        return "integer" in self.alive or self.typed == "integer" or self.whole

    @property
    def has_decimal_comma(self) -> bool:
        """Whether numbers are written 1,5."""
        return "decimal_comma" in self.alive and "float" not in self.alive and "integer" not in self.alive

    @property
    def datetime_format(self) -> str | None:
        """The preferred format that every value is written in; for typed timestamps the shortest without loss."""
        if self.typed == "datetime":
            if self.midnight:
                return "%Y-%m-%d"
            return "%Y-%m-%d %H:%M:%S" if self.whole_seconds else "%Y-%m-%d %H:%M:%S.%f"
        return self.live_formats[0] if self.live_formats else None

    def _update_text(self, values: pa.Array) -> None:
        trimmed = pc.utf8_trim_whitespace(values)
        lengths = pc.min_max(pc.utf8_length(trimmed)).as_py()
        known = self.widths or (lengths["min"], lengths["max"])
        self.widths = min(known[0], lengths["min"]), max(known[1], lengths["max"])
        before = set(self.alive)
        for name in list(self.alive):
            if name == "float" and "integer" in self.alive:
                continue  # every integer is a float: not worth a second look
            if not self.alive[name](trimmed):
                del self.alive[name]
        if before - set(self.alive) and not self.is_number:
            self._remember_non_numbers(trimmed)
        self._narrow_formats(trimmed)

    @property
    def is_padded(self) -> bool:
        """True where the preferred datetime format has one width, which every value has."""
        width = _ISO_WIDTHS.get(self.datetime_format or "")
        return width is not None and self.widths == (width, width)

    def _narrow_formats(self, values: pa.Array) -> None:
        if self.live_formats is None:
            first = values.slice(0, 64)
            self.live_formats = [format for format in self.formats if datetimes.matches(first, format)]
        if self.live_formats:
            self.live_formats = [format for format in self.live_formats if datetimes.matches(values, format)]

    def _remember_non_numbers(self, values: pa.Array) -> None:
        odd = values.filter(pc.invert(pc.match_substring_regex(values, _NUMBER)))
        share = len(odd) / len(values)
        if 0 < share < 0.5:  # a few words among numbers are worth a note; plain text is not
            self.non_numbers = pc.unique(odd).slice(0, _MAX_EXAMPLES).to_pylist()

    def _update_typed(self, values: pa.Array) -> None:
        if pa.types.is_boolean(values.type):
            self.typed = "boolean"
        elif pa.types.is_integer(values.type) or (pa.types.is_decimal(values.type) and values.type.scale <= 0):
            self.typed = "integer"
        elif pa.types.is_decimal(values.type):
            self.typed, self.whole = "float", False
        elif pa.types.is_timestamp(values.type):
            self.typed = "datetime"
            micros = values.cast(pa.int64())
            self.midnight = self.midnight and _all_multiples(micros, 86_400_000_000)
            self.whole_seconds = self.whole_seconds and _all_multiples(micros, 1_000_000)
        else:
            self.typed = "float"
            self._look_at_floats(values)

    def _look_at_floats(self, values: pa.Array) -> None:
        finite = pc.is_finite(values)
        self.infinite = self.infinite or bool(pc.any(pc.is_inf(values)).as_py())
        values = values.filter(finite)
        fractional = pc.or_(pc.not_equal(values, pc.floor(values)), pc.greater_equal(pc.abs(values), _EXACT_FLOAT))
        if pc.any(fractional).as_py():
            self.whole = False
            if len(self.fractional_examples) < _MAX_EXAMPLES:
                found = values.filter(fractional).slice(0, _MAX_EXAMPLES).to_pylist()
                self.fractional_examples = (self.fractional_examples + found)[:_MAX_EXAMPLES]

    def _is_integer(self, values: pa.Array) -> bool:
        try:
            values.cast(pa.int64())
        except pa.ArrowInvalid:
            return False
        self._look_for_leading_zeros(values)
        self.has_plus = self.has_plus or bool(pc.any(pc.starts_with(values, "+")).as_py())
        return True

    def _is_float(self, values: pa.Array) -> bool:
        try:
            numbers = values.cast(pa.float64())
        except pa.ArrowInvalid:
            return False
        if pc.any(pc.match_substring_regex(values, r"^[+-]?\d{17,}$")).as_py():
            return False  # digits that a float cannot hold: an id, not a quantity
        self._look_for_leading_zeros(values)
        self._look_at_floats(numbers)
        return True

    def _has_decimal_commas(self, values: pa.Array) -> bool:
        if not pc.all(pc.match_substring_regex(values, _DECIMAL_COMMA)).as_py():
            return False
        self.whole = self.whole and not pc.any(pc.match_substring(values, ",")).as_py()
        return True

    def _look_for_leading_zeros(self, values: pa.Array) -> None:
        if self.leading_zeros:
            return
        zeros = pc.starts_with(values, "0")
        if pc.any(zeros).as_py():
            self.leading_zeros = bool(pc.any(pc.match_substring_regex(values.filter(zeros), r"^0[0-9xX]")).as_py())


def _is_true_false(values: pa.Array) -> bool:
    return _all_in(values, ("true", "false"))


def _is_boolean_word(values: pa.Array) -> bool:
    return _all_in(values, TRUE_WORDS + FALSE_WORDS)


def _all_in(values: pa.Array, words: tuple[str, ...]) -> bool:
    allowed = pa.array(words)
    if not pc.all(pc.is_in(pc.utf8_lower(values.slice(0, 64)), value_set=allowed)).as_py():
        return False
    return bool(pc.all(pc.is_in(pc.utf8_lower(values), value_set=allowed)).as_py())


def _all_multiples(values: pa.Array, of: int) -> bool:
    return bool(pc.all(pc.equal(pc.multiply(pc.divide(values, of), of), values)).as_py())
