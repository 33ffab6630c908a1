"""The shapes of a column's texts, and what number formats they allow.

A shape is a text with every digit as 9, but a zero that leads the first digits as Z: ``$1,005.20`` is ``$9,999.99``,
``007`` is ``Z99``. A column of formatted values has few shapes, and they say together what no value says alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.number import MINUS, NumberFormat

_SPACES = (" ", "\u00a0", "\u202f", "_")
_CURRENCY_WORDS = """
USD EUR GBP JPY CHF CNY INR CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BRL MXN ZAR RUB TRY KRW SGD HKD THB IDR ILS AED SAR
kr kr. Kč zł Ft lei Rs Rs. R$ US$ A$ C$ NZ$ HK$ S$ Fr. SFr. RM Rp #
"""
_UNIT_WORDS = """
% ‰ ° °C °F kg mg µg ug ng lb lbs oz st km cm mm µm nm mi ft yd ms µs us ns min hr hrs ml mL µl dl cl gal kWh MWh Wh kW
MW kV mV mA Hz kHz MHz GHz KB kB MB GB TB KiB MiB GiB bpm mmHg Pa hPa kPa bar psi kJ kcal cal Nm mol mmol IU km/h mph
m/s kn m² m2 km² m³ m3 km2 cm2 cm3 mm2 dm3 kg/m2 kg/m3 g/m2 g/cm3 ha px pt dB ppm ppb g t m s h d l
"""
_POWERS = {"2": "\ue002", "3": "\ue003"}
_CURRENCIES = frozenset(_CURRENCY_WORDS.split())
_UNITS = frozenset(_UNIT_WORDS.split())
_SHAPE = re.compile(
    rf"(?P<s1>[-+{MINUS}(]?)(?P<prefix>[^9Z]*?)(?P<s2>[-+{MINUS}]?)"
    rf"(?P<core>[9Z](?:[9Z.,' \u2019\u00a0\u202f_]*[9Z])?)(?P<exp>(?P<e>[eE])(?P<esign>[+-]?)9+)?"
    rf"(?P<suffix>[^9Z]*?)(?P<s3>[-)]?)"
)


@dataclass(frozen=True)
class NumberShape:
    """The parts of one shape that may be a number.

    Attributes:
        sign: how a number below zero is told, ``+`` for an explicit plus, empty for none.
        sign_first: the sign stands before the prefix.
        prefix: before the number.
        core: digits and marks.
        exponent: ``e`` or ``E``, empty for none.
        exponent_sign: of the exponent.
        suffix: after the number.
        rows: how many rows have the shape.
    """

    sign: str
    sign_first: bool
    prefix: str
    core: str
    exponent: str
    exponent_sign: str
    suffix: str
    rows: int

    @property
    def has_leading_zero(self) -> bool:
        """True for 007, not for 0 and 0.7."""
        return self.core.startswith("Z") and self.core[1:2] == "9"


def shapes_of(text: pa.Array) -> pa.Array:
    """Return the shape of each text.

    >>> shapes_of(pa.array(["$1,005.20", "007", "0.5"])).to_pylist()
    ['$9,999.99', 'Z99', 'Z.9']
    >>> shapes_of(pa.array(["27.5 kg/m2", "120 m3"])).to_pylist()
    ['99.9 kg/m2', '999 m3']
    """
    for digit, mark in _POWERS.items():  # the 3 of m3 is no digit of the number
        text = pc.replace_substring_regex(
            text, rf"([0-9] ?(?:[a-zA-Z]{{1,3}}/)?[a-zA-Z]{{0,2}}m){digit}$", rf"\1{mark}"
        )
    leading = pc.replace_substring_regex(text, r"^([^0-9]*)0", r"\1Z")
    shapes = pc.replace_substring_regex(leading, "[0-9]", "9")
    for digit, mark in _POWERS.items():
        shapes = pc.replace_substring(shapes, mark, digit)
    return shapes


def number_shape(shape: str, rows: int) -> NumberShape | None:
    """Return the parts of a shape that may be a number in a format, None for any other text."""
    if "Z" in re.sub("^[^9Z]*Z", "", shape, count=1):
        return None  # a letter Z stands there
    found = _SHAPE.fullmatch(shape)
    if found is None or not _is_prefix(found["prefix"]) or not _is_suffix(found["suffix"]):
        return None
    signs = [sign for sign in (found["s1"], found["s2"], found["s3"]) if sign]
    if signs == ["(", ")"]:
        sign = "()"
    elif len(signs) > 1 or "(" in signs or ")" in signs:
        return None
    else:
        sign = "trailing" if found["s3"] else signs[0] if signs else ""
    return NumberShape(
        sign, not found["s2"] or not found["prefix"], found["prefix"], found["core"], found["e"] or "",
        found["esign"] or "", found["suffix"], rows,
    )  # fmt: skip


def _is_prefix(text: str) -> bool:
    bare = text.strip(" \u00a0\u202f")
    return not text or bare in _CURRENCIES or (bool(bare) and all(unicodedata.category(one) == "Sc" for one in bare))


def _is_suffix(text: str) -> bool:
    bare = text.strip(" \u00a0\u202f")
    if not text or bare in _UNITS or (_is_prefix(text) and bare != "#"):
        return True
    return text[0] in " \u00a0\u202f" and re.fullmatch(r"[^\W\d_]{1,8}\.?(/[^\W\d_]{1,8})?", bare) is not None


@dataclass(frozen=True)
class Marks:
    """What separates digits, and what was left open.

    Attributes:
        mark: before the decimals.
        thousands: between groups, empty for none.
        is_told: False where the column alone does not say whether a mark is of thousands or of decimals.
    """

    mark: str
    thousands: str
    is_told: bool = True


def marks_of(cores: Mapping[str, int], comma_is_decimal: bool | None) -> Marks | None:
    """Return the marks under which every core is a number, None where there are none.

    Args:
        cores: digits and marks by number of rows.
        comma_is_decimal: what other columns of the file say, None where they say nothing.

    >>> marks_of({"9.999,99": 3, "99,99": 2}, None), marks_of({"9.999": 30, "999": 20}, None)
    (Marks(mark=',', thousands='.', is_told=True), Marks(mark='.', thousands='.', is_told=True))
    >>> marks_of({"9,999": 5}, None), marks_of({"9,999": 5}, True)
    (Marks(mark='.', thousands=',', is_told=False), Marks(mark=',', thousands='', is_told=True))
    """
    used = {character for core in cores for character in core} - {"9", "Z"}
    if len(used) > 2:
        return None
    found = []
    for mark in (".", ","):
        for thousands in ("", *sorted(used)):
            if mark != thousands and used <= {mark, thousands} and all(_fits(core, mark, thousands) for core in cores):
                found.append(Marks(mark, thousands))
    if not used:
        return Marks(".", "")
    found = [one for one in found if not one.thousands or one.thousands in used]
    # A mark that no value uses is written the way that the other one allows.
    open_ = {one.thousands if one.mark not in used else one.mark for one in found}
    if len(used) == 2 or (len(open_) == 1 and len({bool(one.thousands) for one in found}) == 1):
        return _usual(found, used)
    return _three_digits(cores, used.pop(), comma_is_decimal) if found else None


def _fits(core: str, mark: str, thousands: str) -> bool:
    digit = "[9Z]"
    whole = rf"{digit}{{1,3}}({re.escape(thousands)}9{{3}})+" if thousands else rf"{digit}9*"
    small = rf"{digit}9{{0,2}}" if thousands else whole
    if core.startswith("Z9"):
        return False
    return re.fullmatch(rf"({whole}|{small})({re.escape(mark)}9+)?", core) is not None


def _usual(found: list[Marks], used: set[str]) -> Marks | None:
    """Return the reading in which the marks that are used decide, the unused decimal mark being the other one."""
    if not found:
        return None
    with_thousands = [one for one in found if one.thousands]
    if not with_thousands:
        return next(one for one in found if one.mark in used)
    one = next((one for one in with_thousands if one.mark in used), with_thousands[0])
    if one.mark in used or one.thousands not in (".", ","):
        return one
    return Marks("." if one.thousands == "," else ",", one.thousands)


def _three_digits(cores: Mapping[str, int], character: str, comma_is_decimal: bool | None) -> Marks:
    """Decide a mark that three digits follow every time: of thousands, or of three decimals.

    A column whose other values have no mark and at most three digits counts in thousands: decimals that were cut off
    would leave one or two digits in every tenth value.
    """
    bare = sum(rows for core, rows in cores.items() if character not in core)
    marked = sum(rows for core, rows in cores.items() if character in core)
    other = "." if character == "," else ","
    if any(core.startswith("Z" + character) for core in cores):
        return Marks(character, "")
    if any(core.count(character) > 1 for core in cores):
        return Marks(other, character)
    if bare and marked >= 10:
        return Marks(other if character == "," else ".", character) if character == "," else Marks(".", character)
    if comma_is_decimal is not None:
        is_decimal = comma_is_decimal == (character == ",")
        return Marks(character, "") if is_decimal else Marks(other, character)
    return Marks(".", "," if character == "," else "", is_told=False)


def number_format(shapes: list[NumberShape], marks: Marks, *, whole: bool | None = None) -> NumberFormat | None:
    """Return the format of numbers with one prefix and one suffix, None where they are no numbers but codes."""
    cores = [shape.core for shape in shapes]
    if is_code(shapes, marks):
        return None
    exponents = {shape.exponent for shape in shapes}
    if len(exponents) > 1 or (exponents != {""} and len({shape.exponent_sign for shape in shapes}) > 2):
        return None
    decimals = [_decimals(core, marks) for core in cores]
    signs = {shape.sign for shape in shapes} - {""}
    unsigned_rows = [shape for shape in shapes if not shape.sign and shape.core.strip("Z.,0")]
    if len(signs - {"+"}) > 1 or ("+" in signs and unsigned_rows):
        return None
    is_whole = max(decimals) == 0 and exponents == {""} if whole is None else whole
    return NumberFormat(
        whole=is_whole,
        least=min(decimals),
        most=max(decimals),
        mark=marks.mark,
        thousands=marks.thousands,
        prefix=shapes[0].prefix,
        suffix=shapes[0].suffix,
        negative=next(iter(signs - {"+"}), "-"),
        sign_first=all(shape.sign_first for shape in shapes if shape.sign),
        plus="+" in signs,
        exponent=exponents.pop(),
    )


def _decimals(core: str, marks: Marks) -> int:
    return len(core.rpartition(marks.mark)[2]) if marks.mark in core and marks.mark != marks.thousands else 0


def is_code(shapes: list[NumberShape], marks: Marks) -> bool:
    """Return whether digits are a code: a phone number, the well of a plate.

    Codes have leading zeros, or one width: digits after a plus, or between spaces, that are always as many; or E
    between whole numbers.
    """
    if any(shape.has_leading_zero for shape in shapes):
        return True
    digits = {len(re.sub("[^9Z]", "", shape.core)) for shape in shapes}
    if all(shape.sign == "+" for shape in shapes) and min(digits) >= 7:
        return True
    if any(shape.sign == "+" for shape in shapes) and max(digits) >= 9:
        return True
    if marks.thousands in _SPACES and len(digits) == 1 and min(digits) >= 7 and not shapes[0].prefix:
        return True
    written = [shape for shape in shapes if shape.exponent]
    plain = all("." not in shape.core and "," not in shape.core for shape in shapes)
    return bool(written) and plain and not any(shape.exponent_sign for shape in written)
