"""What names a person or leads to one, told from a column's name and from its values.

Used twice: what is personal is made anew by the codecs, and a table that holds it is never published unasked.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

PersonalKind = Literal[
    "name", "first_name", "last_name", "user_name", "email", "phone", "street", "postcode", "iban", "card", "code",
    "ip", "birth_date",
]  # fmt: skip

SAMPLE = 500
SHARE = 0.9
"""Share of the sampled values that must look like a kind before the column counts as one, whatever its name is."""
NAME_SHARE = 0.6
SINGLE_NAME_SHARE = 0.85
SINGLE_NAMES_MIN = 15

_WORDS: dict[PersonalKind, str] = {
    "email": "email|e mail|mail|emailaddress|courriel|correo|mailadresse",
    "phone": "phone|telephone|telefon|telefono|tel|mobile|cell|cellphone|handy|fax|msisdn|phonenumber|rufnummer",
    "birth_date": "birth|birthdate|birthday|birth date|date of birth|dateofbirth|dob|born|geburtsdatum|geboren"
    "|geburtstag|naissance|date naissance|nacimiento|fecha nacimiento|nascita",
    "first_name": "first name|firstname|given name|givenname|forename|vorname|prenom|nombre|middle name|middlename",
    "last_name": "last name|lastname|surname|family name|familyname|maiden name|nachname|familienname|apellido"
    "|apellidos|cognome|nom famille",
    "name": "full name|fullname|person name|patient name|customer name|client name|contact name|employee name|contact"
    "|contact person|next of kin|account holder|cardholder|holder name|guardian|physician|doctor|doctor name"
    "|arzt|hausarzt|teacher name",
    "user_name": "username|user name|login|loginname|screen name|nickname|handle|benutzername",
    "street": "street|street address|address|addr|address line|address line 1|address 1|address1|home address"
    "|strasse|straße|anschrift|adresse|rue|direccion|calle|indirizzo|via",
    "postcode": "zip|zipcode|zip code|postcode|post code|postal code|postalcode|plz|postleitzahl|code postal"
    "|codigo postal|cap|pincode|pin code|eircode",
    "iban": "iban|bban|bank account|bankaccount|account iban|kontonummer",
    "card": "credit card|creditcard|card number|cardnumber|credit card number|pan number|kreditkarte",
    "code": "ssn|social security|social security number|national id|nationalid|national insurance|nino|passport"
    "|passport number|passport no|tax id|taxid|tin|steuernummer|sozialversicherungsnummer|bsn|cpf|dni|nif|nie"
    "|curp|aadhaar|pesel|personnummer|codice fiscale|drivers license|driver license|driving licence|licence plate"
    "|license plate|kennzeichen|vin|nhs number|mrn|medical record number|health card|insurance number"
    "|versichertennummer",
    "ip": "ip|ip address|ipaddress|ipv4|ipv6",
}  # fmt: skip
_KIND_OF = {words: kind for kind, all_words in _WORDS.items() for words in all_words.split("|")}
_PERSON_WORDS = """
    person people patient customer client user member employee staff student pupil teacher doctor physician nurse
    contact subscriber passenger guest tenant borrower donor applicant candidate participant subject resident citizen
    individual author actor driver player owner beneficiary insured policyholder cardholder account
    kunde kunden patienten personen mitarbeiter personne personnes cliente clientes persona personas
"""
_PERSON_TABLES = frozenset(_PERSON_WORDS.split())
_NAME_WORDS = frozenset(("name", "nom", "nome", "namen"))
_STREET = r"(?i)(\b(road|rd|street|st|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|place|square|rue|via|calle|plaza|platz|allee|gasse|weg)\b|stra(ss|ß)e|str\.)"  # noqa: E501
_CONTENT: tuple[tuple[PersonalKind, str], ...] = (
    ("email", r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"),
    ("iban", r"^[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}$"),
    ("code", r"^\d{3}-\d{2}-\d{4}$"),
    ("ip", r"^(\d{1,3}\.){3}\d{1,3}$"),
    ("phone", r"^\+\d[\d ()./-]{6,20}$|^\(\d{2,5}\) ?\d[\d -]{4,14}$"),
    ("card", r"^(\d{4}[ -]){3}\d{4}$"),
)
_TITLE = r"^(Dr|Prof|Mr|Mrs|Ms|Miss|Herr|Frau|Mme|Sra?|Dott)\.? +\p{Lu}"
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
    named = _named(table, column)
    kind = values.type
    if pa.types.is_temporal(kind):
        return "birth_date" if named == "birth_date" else None
    if pa.types.is_integer(kind):
        return named if named in ("phone", "postcode", "card", "code", "iban") else None
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    sample = _sample(values)
    if not len(sample):
        return None
    for found, expression in _CONTENT:
        if _share(sample, expression) >= SHARE:
            return found
    if named is not None and _fits(named, sample):
        return named
    return _name_by_content(sample, named is not None or pii or is_person_table(table))


def words_of(name: str) -> str:
    """Return a name as words in lower case.

    >>> words_of("customerFirst_Name2")
    'customer first name'
    """
    parted = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])", " ", name)
    return " ".join(re.findall(r"[^\W\d_]+", parted.lower()))


def _named(table: str, column: str) -> PersonalKind | None:
    words = words_of(column).split()
    for start in range(len(words)):  # customer_first_name, home_phone: the end of a name says what it is
        found = _KIND_OF.get(" ".join(words[start:]))
        if found is not None:
            return found
    for end in range(len(words), 0, -1):  # email_1, phone_home
        found = _KIND_OF.get(" ".join(words[:end]))
        if found is not None and len(words) - end <= 1 and found not in ("name", "street", "postcode"):
            return found
    if words and words[-1] in _NAME_WORDS:
        owner = words[-2] if len(words) > 1 else ""
        if _is_person_word(owner) or (not owner and is_person_table(table)):
            return "name"
    return None


def is_person_table(table: str) -> bool:
    """Return whether a table's name says that its rows are persons."""
    return any(_is_person_word(word) for word in words_of(table).split()[-1:])


def _is_person_word(word: str) -> bool:
    return word in _PERSON_TABLES or (word.endswith("s") and word[:-1] in _PERSON_TABLES)


def _fits(kind: PersonalKind, sample: pa.Array) -> bool:
    """Return whether values can be what the column's name says: a ``contact`` may be 'yes', an ``address`` a number."""
    tests: dict[PersonalKind, Callable[[], bool]] = {
        "email": lambda: _share(sample, "@") >= 0.5,
        "phone": lambda: _share(sample, r"\d.*\d.*\d.*\d.*\d") >= 0.5,
        "street": lambda: _share(sample, r"\p{L}") >= 0.5 and len(pc.unique(sample)) > 5,
        "name": lambda: _share(sample, r"^\p{L}.*\p{L}") >= 0.5 and len(pc.unique(sample)) > 5,
        "ip": lambda: _share(sample, r"[.:]") >= 0.5,
    }
    return tests[kind]() if kind in tests else True


def _name_by_content(sample: pa.Array, is_expected: bool) -> PersonalKind | None:
    texts = pc.unique(sample).to_pylist()
    if len(texts) > 1 and _share(sample, _TITLE) >= 0.5:
        return "name"
    if _share(sample, r"\d") > 0.1 and _share(sample, _STREET) >= 0.6 and _share(sample, r"\d") >= 0.6:
        return "street"
    full = pc.match_substring_regex(sample, _FULL_NAME)
    if pc.mean(pc.cast(full, pa.float64())).as_py() >= SHARE:
        known = _known_share(texts)
        if known >= (0.2 if is_expected else NAME_SHARE) and (is_expected or len(texts) >= SINGLE_NAMES_MIN):
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
    whole = filled.take(pa.array(range(0, len(filled), step)))
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
