"""Numbers in a format: decimal and thousands marks, currency, unit, per cent, sign, fixed decimals, exponents."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.base import Format, Short, Small, each, matched

MINUS = "\u2212"


@dataclass(frozen=True, kw_only=True)
class NumberFormat(Format):
    """A number between a prefix and a suffix.

    Attributes:
        whole: numbers are stored as int64, never through a float.
        least: decimals that are always written.
        most: decimals that are written at most.
        mark: between whole part and decimals.
        thousands: between groups of three digits, empty for none.
        prefix: before the number, e.g. ``$``.
        suffix: after it, e.g. ``%`` or `` kg``.
        negative: how a number below zero is told: ``-``, the minus sign, ``()`` around it, or ``trailing``.
        sign_first: the sign stands before the prefix.
        plus: numbers above zero have a plus.
        exponent: ``e`` or ``E`` where every number is written with one, else empty.
    """

    kind = "number"
    whole: bool = False
    least: Small = 0
    most: Small = 0
    mark: Short = "."
    thousands: Short = ""
    prefix: Short = ""
    suffix: Short = ""
    negative: Short = "-"
    sign_first: bool = True
    plus: bool = False
    exponent: Short = ""

    @property
    def stored(self) -> pa.DataType:
        """int64 or float64."""
        return pa.int64() if self.whole else pa.float64()

    def read(self, text: pa.Array) -> pa.Array:
        """Return the numbers that texts spell, (rows,)."""
        parts = matched(text, self.pattern, repr(self.example()))
        number = parts["n"]
        if self.thousands:
            number = pc.replace_substring(number, self.thousands, "")
        if self.mark != ".":
            number = pc.replace_substring(number, self.mark, ".")
        if self.whole:
            number = pc.replace_substring_regex(number, r"\.0*$", "")
        signs = pc.binary_join_element_wise(parts["s1"], parts["s2"], parts["s3"], "")
        below = pc.match_substring_regex(signs, f"[-{MINUS}(]")
        return pc.binary_join_element_wise(pc.if_else(below, "-", ""), number, "").cast(self.stored)

    @property
    def pattern(self) -> str:
        """A pattern of all texts in this format, with the parts that ``read`` needs."""
        marks = re.escape(self.thousands) + re.escape(self.mark)
        sign = f"[-+{MINUS}]?"
        number = f"[0-9][0-9{marks}]*" + ("[eE][+-]?[0-9]+" if self.exponent else "")
        return (
            f"^(?P<s1>[-+{MINUS}(]?){re.escape(self.prefix)}(?P<s2>{sign})(?P<n>{number}){re.escape(self.suffix)}"
            f"(?P<s3>[-)]?)$"
        )

    def write(self, values: pa.Array) -> pa.Array:
        """Return the text of numbers, (rows,)."""
        return each(values, self.spelled)

    def spelled(self, value: float) -> str:
        """Return one number as text.

        >>> NumberFormat(least=2, most=2, thousands=",", prefix="$").spelled(-1234.5)
        '-$1,234.50'
        >>> NumberFormat(least=0, most=3, mark=",", thousands=".", suffix=" kg").spelled(1234.5)
        '1.234,5 kg'
        """
        body = self._body(abs(value))
        sign = self._sign(value) if value < 0 or self.plus else ""
        if value < 0 and not any(character in "123456789" for character in body):
            sign = ""  # -0.001 with two decimals is 0.00
        if value < 0 and sign and self.negative == "()":
            return f"({self.prefix}{body}{self.suffix})"
        if value < 0 and sign and self.negative == "trailing":
            return f"{self.prefix}{body}{self.suffix}-"
        return (
            f"{sign}{self.prefix}{body}{self.suffix}" if self.sign_first else f"{self.prefix}{sign}{body}{self.suffix}"
        )

    def _body(self, value: float) -> str:
        if self.exponent:
            text = f"{value:.{self.most}{self.exponent}}"
        elif isinstance(value, int):
            text = f"{value:,}" + ("." + "0" * self.least if self.least else "")
        else:
            text = f"{value:,.{self.most}f}"
            while self.most > self.least and text.endswith("0") and len(text.partition(".")[2]) > self.least:
                text = text[:-1]
            text = text.removesuffix(".")
        return text.replace(",", "\0").replace(".", self.mark).replace("\0", self.thousands)

    def _sign(self, value: float) -> str:
        if value < 0:
            return self.negative if self.negative in ("-", MINUS) else "-"
        return "+" if value > 0 else ""

    def typed(self, values: pa.Array) -> pa.Array:
        """Return numbers in the arrow type of parquet output, decimals by their text, (rows,)."""
        if not pa.types.is_decimal(self.arrow):
            return super().typed(values)
        plain = NumberFormat(whole=self.whole, least=self.least, most=self.most)
        return plain.write(values).cast(self.arrow)

    def example(self) -> str:
        """Return a number in the format."""
        return self.spelled(1234 if self.whole else 1234.5678)

    def in_words(self) -> str:
        """Return the format in words."""
        is_plain = not (self.prefix or self.suffix or self.thousands or self.plus) and self.mark == "."
        return "" if is_plain else f"written like {self.example()!r}"
