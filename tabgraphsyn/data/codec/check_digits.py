"""Numbers whose last character checks the others: articles and books, cards, devices, securities."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

CHECKED_MIN = 20
"""Different numbers that must all pass: one in ten does by chance."""
LEAST_CHECKED = 10**7
Check = Literal["", "gtin", "luhn", "isbn"]


def check_of(texts: Sequence[str], *, digits_only: bool = False) -> Check:
    """Return how the last character of every text checks the others, nothing where some text does not pass.

    Args:
        texts: different ones.
        digits_only: leave out checks that may end in a letter.

    >>> check_of([f"{number}{gtin(str(number))}" for number in range(400123400000, 400123400030)])
    'gtin'
    >>> check_of([str(number) for number in range(4001234000000, 4001234000030)])
    ''
    """
    if len(texts) < CHECKED_MIN:
        return ""
    checks: list[Check] = ["gtin", "luhn"] if digits_only else ["gtin", "luhn", "isbn"]
    return next((one for one in checks if all(_passes(text, one) for text in texts)), "")


def checked(text: str, check: Check) -> str:
    """Return a text with the character that checks it.

    >>> checked("978-3-16-148410-", "gtin"), checked("080442957", "isbn"), checked("US037833100", "luhn")
    ('978-3-16-148410-0', '080442957X', 'US0378331005')
    """
    return text + _CHARACTERS[check](_plain(text)) if check else text


def gtin(digits: str) -> str:
    """Return the last digit of an article number (GTIN, EAN, ISBN of 13 digits), by all digits before it."""
    weighed = sum(int(one) * (1 if place % 2 else 3) for place, one in enumerate(reversed(digits)))
    return str(-weighed % 10)


def luhn(characters: str) -> str:
    """Return the last digit of a card, a device or a security, by Luhn's formula (ISO 7812, ISO 6166)."""
    digits = [int(one) for one in "".join(str(int(one, 36)) for one in characters)]
    total = sum(sum(divmod(2 * one, 10)) if place % 2 == 0 else one for place, one in enumerate(reversed(digits)))
    return str(-total % 10)


def isbn(digits: str) -> str:
    """Return the last digit of a book's number of ten, ``X`` for ten (ISO 2108)."""
    left = -sum(int(one) * (10 - place) for place, one in enumerate(digits)) % 11
    return "X" if left == 10 else str(left)


_CHARACTERS: Mapping[str, Callable[[str], str]] = {"gtin": gtin, "luhn": luhn, "isbn": isbn}
_SHAPES = {
    "gtin": re.compile(r"\d{8}|\d{12,14}", re.ASCII),
    "luhn": re.compile(r"\d{8,19}|[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII),
    "isbn": re.compile(r"\d{9}[\dX]", re.ASCII),
}


def _plain(text: str) -> str:
    return text.replace("-", "").replace(" ", "")


def _passes(text: str, check: Check) -> bool:
    plain = _plain(text)
    return bool(_SHAPES[check].fullmatch(plain)) and text[-1] == _CHARACTERS[check](plain[:-1])
