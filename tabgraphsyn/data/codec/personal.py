"""Columns that name a person or lead to one: names, e-mails, phones, addresses, ids, all made anew.

Names come from Faker's lists, codes and numbers keep the shape of the column's values. The row's number decides, so
that first name, last name, full name and e-mail of a row go together, and none stands twice as long as the lists last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.identifier import IdentifierCodec, UnmodelledCodec, head_and_tail, repeated_index
from tabgraphsyn.data.codec.pattern import permuted
from tabgraphsyn.data.codec.series import NAMED_SHARE, TrainingSeries, named_share
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.personal_words import PersonalKind
from tabgraphsyn.data.untrusted import Count

LOCALE = "en_US"
SEED = 20_231_107
STREETS = 5_000
PREFIX = 4
FIRST = 1
"""Number of the first made code: number 0 has zeros all over."""
REPEATED_SHARE = 0.5
"""A column with fewer distinct values per row than this repeats persons (a doctor); they are drawn as often again."""
_DOMAINS = ("example.org", "example.com", "example.net")
_PATTERNED = ("phone", "postcode", "iban", "card", "code", "ip")


@dataclass(frozen=True)
class PersonalCodec(UnmodelledCodec):
    """Values made anew by kind.

    Attributes:
        person: what the column leads to a person by.
        title: words before every name (``Dr.``), empty where there are none.
        is_reversed: ``Last, First``.
        shape: codes, phones and the like in the shape of the column's values; None for names, e-mails and streets.
        type: arrow type of the column.
        head, tail_ids, tail_rows: how often persons repeat, see ``IdentifierCodec``; empty where each row has its own.
        offset: of the persons, so that two columns of a table do not name the same.
    """

    kind = "personal"
    says = "that it names a person by {person}; every value is made anew"
    person: PersonalKind
    type: ArrowType
    title: Annotated[str, Meta(max_length=20)] = ""
    is_reversed: bool = False
    tail_ids: Count = 0
    tail_rows: Count = 0
    offset: Annotated[int, Meta(ge=0, le=2**60)] = 0
    head: tuple[Count, ...] = ()
    shape: IdentifierCodec | None = None

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: counts to draw by."""
        yield not self.head or sum(self.head) + self.tail_rows > 0, "persons occur"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> PersonalCodec | None:
        """Return the codec of a column that names a person, if such columns are to be made anew."""
        column, sample = series.column, series.sample
        if series.config.personal == "ignore" or column.regex_format is not None:
            return None
        person = personal_kind(series.rows.table.schema.name, column.name, sample, column.pii)
        # What its owner calls personal is made anew in its kind also where many share a value: words would say nothing.
        if person is None or person == "birth_date" or (not column.pii and _is_shared(person, series)):
            return None
        return cls.fit(column.name, person, sample)

    @staticmethod
    def fit(column: str, person: PersonalKind, sample: pa.ChunkedArray) -> PersonalCodec:
        """Fit to (a sample of) training values, (rows,)."""
        filled, has_missing, kind = sample.drop_null(), sample.null_count > 0, str(sample.type)
        if person in _PATTERNED:
            return PersonalCodec(column, has_missing, person, kind, shape=_shape(column, person, filled))
        counts = np.sort(pc.value_counts(filled).field(1).to_numpy(zero_copy_only=False))[::-1]
        repeats = person not in ("first_name", "last_name") and len(counts) < REPEATED_SHARE * len(filled)
        head, tail_ids, tail_rows = head_and_tail(counts) if repeats else ((), 0, 0)
        return PersonalCodec(
            column=column,
            has_missing=has_missing,
            person=person,
            type=kind,
            title=_title(filled),
            is_reversed=_share(filled, r"^\p{L}+, ") > 0.5,
            head=head,
            tail_ids=tail_ids,
            tail_rows=tail_rows,
            offset=sum(map(ord, column)) * 7919 if repeats else 0,
        )

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        rows, is_null = len(categorical), self._nulls(categorical)
        if self.shape is not None:
            shifted = replace(draw, first_row=draw.first_row + FIRST)
            made = self.shape.decode(numerical, np.zeros((rows, 0), np.int64), shifted)
            if self.person in _CHECKED:
                made = pa.array(_CHECKED[self.person](made.cast(pa.string()).to_pylist()))
            made = made.cast(pa.type_for_alias(self.type))
            return pc.if_else(pa.array(~is_null), made, pa.scalar(None, made.type))
        if self.head:
            index = repeated_index(self.head, self.tail_ids, self.tail_rows, rows, draw.rng)
        else:
            index = np.arange(draw.first_row, draw.first_row + rows)
        return pa.array(self.made(index), pa.string(), mask=is_null).cast(pa.type_for_alias(self.type))

    def made(self, index: np.ndarray) -> np.ndarray:
        """Return names, e-mails or streets of the persons with these numbers, (rows,) str."""
        if self.person == "street":
            return _streets(index + self.offset)
        first, last, round_ = _persons(index, self.offset)
        again = np.where(round_ > 0, np.char.add(" ", (round_ + 1).astype(str)), "").astype(object)
        match self.person:
            case "first_name":
                return first
            case "last_name":
                return last
            case "email" | "user_name":
                number = np.where(round_ > 0, round_.astype(str), "").astype(object)
                names = np.array([f"{a}.{b}".lower() for a, b in zip(first, last, strict=True)], dtype=object) + number
                if self.person == "user_name":
                    return names
                domain = np.asarray(_DOMAINS, dtype=object)[index % len(_DOMAINS)]
                return names + "@" + domain
        whole = last + ", " + first if self.is_reversed else first + " " + last
        return (f"{self.title} " if self.title else "") + whole + again


def _is_shared(person: PersonalKind, series: TrainingSeries) -> bool:
    """Return whether most rows of a postcode are shared by enough entities: then it is a place, like a city."""
    return person == "postcode" and named_share(series.sample_counts, series.config.min_entities) >= NAMED_SHARE


def _shape(column: str, person: PersonalKind, filled: pa.ChunkedArray) -> IdentifierCodec:
    """Return the shape of codes: letters that never change are kept, digits are open.

    Cards, IBANs, phones and postcodes keep the beginning that names who issued them. Of other codes a beginning that
    never changes would leave so few numbers that made ones were real ones again and again.
    """
    if pa.types.is_integer(filled.type) and person != "card":
        return IdentifierCodec.fit(column, filled, False, None)
    texts = filled.cast(pa.string())
    if person == "card":  # the last digit checks the others
        texts = pc.utf8_slice_codeunits(texts, 0, -1)
    found = IdentifierCodec.fit(column, texts, False, None, open_after=PREFIX if person != "code" else 0)
    if person == "ip" and found.pattern is not None:
        made = tuple(_within_255(template) for template in found.pattern.templates)
        return replace(found, pattern=replace(found.pattern, templates=made))
    return found


def _within_255(template: tuple[str, ...]) -> tuple[str, ...]:
    """Return the shape of addresses of four numbers with no number above 255; other shapes are left.

    >>> _within_255(("0123456789",) * 3 + (".", "2", "0123456789", "0123456789"))
    ('1', '0123456789', '0123456789', '.', '2', '01234', '0123456789')
    """
    found = list(template)
    for start in [0, *(at + 1 for at, one in enumerate(template) if one == ".")]:
        if (
            "." not in template
            or any(not one.isdigit() for one in template[start : start + 3])
            or start + 3 > len(found)
        ):
            continue
        if found[start] == "2":
            found[start + 1] = "".join(one for one in found[start + 1] if one <= "4") or "0"
        else:
            found[start] = "1"
    return tuple(found)


def _share(values: pa.ChunkedArray, expression: str) -> float:
    return float(pc.mean(pc.cast(pc.match_substring_regex(values, expression), pa.float64())).as_py() or 0.0)


def _title(values: pa.ChunkedArray) -> str:
    """Return the title that most names begin with, if it is one of the usual ones."""
    for title in ("Dr.", "Prof.", "Mr.", "Mrs.", "Ms.", "Herr", "Frau", "Dr", "Mme", "Sr.", "Sra."):
        if float(pc.mean(pc.cast(pc.starts_with(values, f"{title} "), pa.float64())).as_py() or 0.0) > 0.5:
            return title
    return ""


@cache
def _lists() -> tuple[np.ndarray, np.ndarray]:
    """Return Faker's first and last names that are plain letters, in a fixed shuffled order."""
    from faker.providers.person.en_US import Provider

    rng = np.random.default_rng(SEED)
    found = []
    for names in (Provider.first_names, Provider.last_names):
        plain = sorted({name for name in names if name.isascii() and name.isalpha()})
        found.append(rng.permutation(np.asarray(plain, dtype=object)))
    return found[0], found[1]


def _persons(index: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first names, last names, and how often the pair was used before; some 600,000 pairs are made once each."""
    first, last = _lists()
    size = len(first) * len(last)
    number = permuted((index + offset) % size, size)
    return first[number % len(first)], last[number // len(first)], index // size


@cache
def _street_names() -> np.ndarray:
    from faker import Faker

    faker = Faker(LOCALE)
    faker.seed_instance(SEED)
    return np.asarray(list(dict.fromkeys(faker.street_name() for _ in range(STREETS))), dtype=object)


def _streets(index: np.ndarray) -> np.ndarray:
    names = _street_names()
    house = (index // len(names) + 1 + permuted(index % 97, 97)).astype(str).astype(object)
    return house + " " + names[permuted(index % len(names), len(names))]


def _with_iban_checks(codes: Sequence[str]) -> list[str]:
    """Return account numbers with the check digits that ISO 13616 asks for."""
    return [_with_iban_check(code) for code in codes]


def _with_iban_check(code: str) -> str:
    plain = code.replace(" ", "")
    if len(plain) < 5 or not (plain[:2].isalpha() and plain[2:4].isdigit() and plain.isalnum()):
        return code
    number = int("".join(str(int(one, 36)) for one in plain[4:] + plain[:2] + "00"))
    digits = iter(f"{98 - number % 97:02d}")
    places = [place for place, one in enumerate(code) if one != " "][2:4]
    return "".join(next(digits) if place in places else one for place, one in enumerate(code))


def _with_luhn_checks(codes: Sequence[str]) -> list[str]:
    """Return card numbers with one more digit, the last, that Luhn's formula (ISO 7812) asks for."""
    return [_with_luhn_check(code) for code in codes]


def _with_luhn_check(code: str) -> str:
    digits = [int(one) for one in code if one.isdigit()]
    total = sum(sum(divmod(2 * one, 10)) if place % 2 == 0 else one for place, one in enumerate(reversed(digits)))
    return f"{code}{-total % 10}"


_CHECKED = {"iban": _with_iban_checks, "card": _with_luhn_checks}
