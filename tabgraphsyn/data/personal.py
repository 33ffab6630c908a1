"""What names a person or leads to one, told from a column's name and from its values.

Used twice: what is personal is made anew by the codecs, and a table that holds it is never published unasked.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.personal_words import (
    PersonalKind,
    is_full_name,
    is_id_of_person,
    is_person_table,
    named_kind,
)

SAMPLE = 500
SHARE = 0.9
"""Share of the sampled values that must look like a kind before the column counts as one, whatever its name is."""
NAME_SHARE, LIKELY_SHARE, EXPECTED_SHARE = 0.6, 0.4, 0.2
"""Share of texts with a known first name from which they name persons: anywhere, where a column holds full names of
something, where it is said to hold persons'."""
SINGLE_NAME_SHARE = 0.85
SINGLE_NAMES_MIN = 15
LEAST_PERSONS = 20
"""Different values of a code, at least, before it tells persons apart."""
_DIGITS: dict[PersonalKind, str] = {
    "phone": "6,15", "postcode": "3,10", "card": "12,19", "code": "5,", "iban": "8,"
}  # fmt: skip
"""How many digits whole numbers of a kind have: a ``phone`` of 0 and 1 says whether there is one."""

_STREET = r"(?i)(\b(road|rd|street|st|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|place|square|rue|via|calle|plaza|platz|allee|gasse|weg)\b|stra(ss|ß)e|str\.)"  # noqa: E501
_CONTENT: tuple[tuple[PersonalKind, str], ...] = (
    ("email", r"^[^@\s]+@[^@\s]+\.[^@\s.]+$|^[^@]* ?<[^@\s]+@[^@\s]+\.[^@\s.]+>$"),
    ("iban", r"^[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}$"),
    ("code", r"^\d{3}-\d{2}-\d{4}$"),
    ("code", r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"),
    ("ip", r"^(\d{1,3}\.){3}\d{1,3}$|^([0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}$"),
    ("phone", r"^\+\d[\d ()./-]{6,20}$|^\(\d{2,5}\) ?\d[\d -]{4,14}$"),
    ("card", r"^(\d{4}[ -]){3}\d{4}$"),
)
_TITLE = r"^(Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Frau|Mme|Sra?|Dott)\.? +\p{Lu}"
_INITIALS = r"^(\p{Lu}\. ?){1,3}\p{Lu}[\p{L}'\x{2019}-]+$|^\p{Lu}[\p{L}'\x{2019}-]+,? (\p{Lu}\. ?){1,3}$"
_NO_NAME = r"[/\\_:#=<>|@+*]|\d|\p{L}{2}\.\p{L}"
"""What no person's name holds: ``owner/repo``, ``schema.table``."""
_FULL_NAME = r"^\p{L}[\p{L}'\x{2019}.-]*,?( \p{L}[\p{L}'\x{2019}.-]*){1,3}$"


def personal_kind(
    table: str, column: str, values: pa.Array | pa.ChunkedArray, pii: bool = False
) -> PersonalKind | None:
    """Return how a column's values lead to a person, None where nothing says that they do; values are (rows,).

    Args:
        table: name of the table: a ``name`` in ``customers`` is a person's, in ``products`` it is not.
        column: name of the column.
        values: some of its values.
        pii: whether its owner says that it names a person.
    """
    named = named_kind(table, column)
    kind = values.type
    if pa.types.is_temporal(kind):
        return "birth_date" if named == "birth_date" else None
    if pa.types.is_integer(kind):
        return _of_digits(named, column, values)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    sample = _sample(values)
    if not len(sample):
        return None
    for found, expression in _CONTENT:
        if _share(sample, expression) >= SHARE:
            return found
    if _share(sample, r"^\d{13,19}$") >= SHARE and _are_cards(sample):
        return "card"
    if named == "name" and is_full_name(column) and not (pii or is_person_table(table)):
        return _name_by_content(sample, LIKELY_SHARE)
    if named is not None and (_repeats_enough(sample) if is_id_of_person(column) else _fits(named, sample)):
        return named
    is_expected = named is not None or pii or is_person_table(table)
    return _name_by_content(sample, EXPECTED_SHARE if is_expected else NAME_SHARE)


def is_personal_key(column: str, values: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether a column tells persons apart by a number or code: ``patient_id``; values are (rows,)."""
    if not is_id_of_person(column) or not (pa.types.is_integer(values.type) or pa.types.is_string(values.type)):
        return False
    return _repeats_enough(_sample(values))


def _of_digits(named: PersonalKind | None, column: str, values: pa.Array | pa.ChunkedArray) -> PersonalKind | None:
    """Return how whole numbers lead to a person: by their name and enough digits, or as cards by their check digits."""
    sample = _sample(values).cast(pa.string())
    if not len(sample):
        return named if named in _DIGITS else None
    if _share(sample, r"^\d{13,19}$") >= SHARE and _are_cards(sample):
        return "card"
    if is_id_of_person(column):
        return "code" if _repeats_enough(sample) else None
    return named if named in _DIGITS and _share(sample, rf"^\d{{{_DIGITS[named]}}}$") >= SHARE else None


def _repeats_enough(sample: pa.Array) -> bool:
    return len(pc.unique(sample)) >= LEAST_PERSONS


def _are_cards(sample: pa.Array) -> bool:
    """Return whether (nearly) all numbers pass Luhn's check: one in ten does by chance."""
    texts = pc.unique(sample).to_pylist()
    passed = sum(_passes_luhn(text) for text in texts)
    return len(texts) >= LEAST_PERSONS and passed >= SHARE * len(texts)


def _passes_luhn(text: str) -> bool:
    digits = [int(one) for one in reversed(text)]
    return sum(sum(divmod(2 * one, 10)) if place % 2 else one for place, one in enumerate(digits)) % 10 == 0


def _fits(kind: PersonalKind, sample: pa.Array) -> bool:
    """Return whether values can be what the column's name says: a ``contact`` may be 'yes', an ``address`` a number."""
    tests: dict[PersonalKind, Callable[[], bool]] = {
        "email": lambda: _share(sample, "@") >= 0.5,
        "phone": lambda: _share(sample, r"\d.*\d.*\d.*\d.*\d") >= 0.5,
        "street": lambda: _share(sample, r"\p{L}") >= 0.5 and len(pc.unique(sample)) > 5,
        "name": lambda: (
            _share(sample, r"^\p{L}.*\p{L}") >= 0.5 and _share(sample, _NO_NAME) < 0.5 and len(pc.unique(sample)) > 5
        ),
        "ip": lambda: _share(sample, r"[.:]") >= 0.5,
        "birth_date": lambda: _share(sample, r"\d") >= 0.5,
    }
    return tests[kind]() if kind in tests else True


def _name_by_content(sample: pa.Array, least: float) -> PersonalKind | None:
    """Return by which kind of name texts lead to persons; ``least``: share of them with a known first name."""
    texts = pc.unique(sample).to_pylist()
    if len(texts) > 1 and (_share(sample, _TITLE) >= 0.5 or _share(sample, _INITIALS) >= SHARE):
        return "name"
    if _share(sample, r"\d") > 0.1 and _share(sample, _STREET) >= 0.6 and _share(sample, r"\d") >= 0.6:
        return "street"
    is_enough = least < NAME_SHARE or len(texts) >= SINGLE_NAMES_MIN
    if is_enough and _share(sample, _FULL_NAME) >= SHARE and _known_share(texts) >= least:
        return "name"
    single = [text for text in texts if re.fullmatch(r"[^\W\d_]+", text)]
    if len(single) >= max(SINGLE_NAMES_MIN, SHARE * len(texts)) and _known_share(single) >= SINGLE_NAME_SHARE:
        return "first_name"
    return None


def _known_share(texts: Sequence[str]) -> float:
    names = first_names()
    known = sum(any(word.strip(",.") in names for word in text.split()) for text in texts)
    return known / max(len(texts), 1)


def _share(sample: pa.Array, expression: str) -> float:
    return float(pc.mean(pc.cast(pc.match_substring_regex(sample, expression), pa.float64())).as_py() or 0.0)


def _sample(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    filled = values.drop_null()
    step = max(1, len(filled) // SAMPLE)
    whole = filled.take(pa.array(range(0, len(filled), step), pa.int64()))
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole


@cache
def first_names() -> frozenset[str]:
    """Return first names of all languages that Faker knows, some 30,000."""
    from faker.config import AVAILABLE_LOCALES

    found: set[str] = set()
    for locale in AVAILABLE_LOCALES:
        found.update(_names_of(locale))
    return frozenset(found)


def _names_of(locale: str) -> Iterable[str]:
    try:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    except ModuleNotFoundError:  # a locale without persons of its own
        return
    for attribute in ("first_names", "first_names_male", "first_names_female"):
        names = getattr(provider, attribute, ())
        yield from () if isinstance(names, property) else names
