"""Names of persons, e-mails, phones, addresses and ids are recognised and made anew."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.personal import personal_kind
from tabgraphsyn.data.personal_words import is_id_of_person
from tabgraphsyn.data.schema import Column, Table, TableSchema

RNG = np.random.default_rng(0)
FIRST = ["Ada", "Bruno", "Chloe", "Dario", "Elif", "Farid", "Gesa", "Hugo", "Ines", "Jonas", "Kemal", "Lena"]
LAST = ["Martova", "Kolberg", "Verdal", "Sanmann", "Dolez", "Reetin", "Zimova", "Marez", "Kolova", "Verberg"]
ROWS = 400


def names(join="{a} {b}"):
    pairs = [(FIRST[n % 12], LAST[n // 12 % 10] + "abcdefgh"[n // 120 % 8]) for n in range(ROWS)]
    return [join.format(a=a, b=b) for a, b in pairs]


def with_luhn(number):
    """Return the number with one more digit, which makes it a card's."""
    digits = [int(one) for one in reversed(str(number))]
    total = sum(sum(divmod(2 * one, 10)) if place % 2 == 0 else one for place, one in enumerate(digits))
    return 10 * number + -total % 10


CASES = {
    "full name": ("person", "full_name", names(), "name"),
    "full name anywhere": ("entry", "fullName", names(), "name"),
    "full name of few known": (
        "people",
        "full_name",
        [f"Xh{'abcdefgh'[n % 8]}eta {LAST[n // 8 % 10]}" for n in range(ROWS)],
        "name",
    ),
    "name of a customer": ("customers", "name", names(), "name"),
    "Kundenname": ("t", "kunde_name", names("{b}, {a}"), "name"),
    "by content": ("t", "owner_of_it", names(), "name"),
    "title": ("visit", "seen_by", [f"Dr. {LAST[n % 10]}" for n in range(ROWS)], "name"),
    "prénom": ("t", "Prenom", [FIRST[n % 12] for n in range(ROWS)], "first_name"),
    "surname": ("t", "customerLastName", [LAST[n % 10] for n in range(ROWS)], "last_name"),
    "mail by content": ("t", "x", [f"u{n}@firm{n % 7}.example" for n in range(ROWS)], "email"),
    "mail": ("t", "E-Mail", [f"u{n}@firm.example" for n in range(ROWS)], "email"),
    "phone": ("t", "home_phone", [f"0{170 + n % 9} {n:07d}" for n in range(ROWS)], "phone"),
    "phone by content": ("t", "x", [f"+49 30 {n:07d}" for n in range(ROWS)], "phone"),
    "phone of digits": ("t", "mobile", [491700000000 + 17 * n for n in range(ROWS)], "phone"),
    "street": ("t", "Strasse", [f"Lindenstraße {n}" for n in range(ROWS)], "street"),
    "street by content": ("t", "x", [f"{n + 1} Oak Road" for n in range(ROWS)], "street"),
    "postcode": ("t", "PLZ", [10115 + n for n in range(ROWS)], "postcode"),
    "iban": ("t", "x", [f"DE{n % 97:02d}{n:018d}" for n in range(ROWS)], "iban"),
    "ssn": ("t", "x", [f"{n % 899:03d}-{n % 99:02d}-{n:04d}" for n in range(ROWS)], "code"),
    "passport": ("t", "passport_no", [f"C{n:08d}" for n in range(ROWS)], "code"),
    "card": ("t", "card_number", [f"{4000000000000000 + 10 * n}" for n in range(ROWS)], "card"),
    "login": ("t", "username", [f"user{n}" for n in range(ROWS)], "user_name"),
    "Nazwisko": ("t", "Nazwisko", [LAST[n % 10] for n in range(ROWS)], "last_name"),
    "Фамилия": ("t", "Фамилия", [LAST[n % 10] for n in range(ROWS)], "last_name"),
    "Förnamn": ("t", "Förnamn", [FIRST[n % 12] for n in range(ROWS)], "first_name"),
    "姓名": ("t", "姓名", names(), "name"),
    "Telefonnr of digits": ("t", "Telefonnr", [31600000000 + 17 * n for n in range(ROWS)], "phone"),
    "電話番号": ("t", "電話番号", [f"03-{n % 9999:04d}-{n:04d}" for n in range(ROWS)], "phone"),
    "Διεύθυνση": ("t", "Διεύθυνση", [f"Odos {n}" for n in range(ROWS)], "street"),
    "card by its check digit": ("t", "pan", [with_luhn(400000000000000 + 977 * n) for n in range(ROWS)], "card"),
    "sender": ("t", "absender", [f"Ada Kolova <a{n}@firm.example>" for n in range(ROWS)], "email"),
    "initials and surname": ("t", "sig", [f"{FIRST[n % 12][0]}. {LAST[n % 10]}" for n in range(ROWS)], "name"),
    "hardware address": ("t", "hw", [f"0a:1b:2c:{n % 97:02x}:{n % 89:02x}:{n % 251:02x}" for n in range(ROWS)], "code"),
    "IPv6": ("t", "peer", [f"2001:db8:0:{n:x}:0:0:0:{n % 7:x}" for n in range(ROWS)], "ip"),
    "patients without a table": ("lab", "patient_id", [n % 60 for n in range(ROWS)], "code"),
    "KundenNr": ("bestellung", "KundenNr", [f"K{n % 60:03d}" for n in range(ROWS)], "code"),
}
WARES = [
    f"{a} {b} {c}" for a in ("Deluxe", "Smart", "Classic") for b in ("Oak", "Steel") for c in ("Lamp", "Sofa", "Mug")
]
NOT_PERSONAL = {
    "repository": ("repository", "full_name", [f"numpy-{n % 7}/array_{n}" for n in range(ROWS)]),
    "table": (
        "t",
        "full_name",
        [f"sales.{w}_total" for w in ("order", "line", "client", "stock", "price", "rate")] * 9,
    ),
    "table of a user": ("users", "full_name", [f"sales.{w}" for w in ("order", "line", "client", "stock", "tax", "x")]),
    "ware": ("stock", "Full Name", WARES * 3),
    "product": ("product", "name", [f"Steel bolt {n}" for n in range(ROWS)]),
    "airline": ("airlines", "name", ["American Airlines Inc.", "United Air Lines Inc.", "Delta Air Lines Inc."] * 9),
    "colour": ("t", "colour", ["red", "green", "blue"] * 40),
    "diagnosis": ("t", "diagnosis", ["flu", "asthma", "none"] * 40),
    "address flag": ("t", "contact", ["yes", "no"] * 40),
    "number of phones": ("t", "phones_sold", [float(n) for n in range(40)]),
    "date": ("t", "taken", pa.array(range(40), pa.int64()).cast(pa.timestamp("us"))),
    "model": ("planes", "model", [f"A{300 + n}-{n % 5}00" for n in range(40)]),
    "has a phone": ("t", "phone", [n % 2 for n in range(ROWS)]),
    "few players": ("t", "player_no", [n % 11 for n in range(ROWS)]),
    "microseconds": ("t", "stamp", [1_600_000_000_000_000 + 1_234_567 * n for n in range(ROWS)]),
    "place of birth": ("t", "birth", ["Bern", "Graz", "Ulm"] * 40),
    "product id": ("t", "product_id", [n % 60 for n in range(ROWS)]),
    "clock": ("t", "at", [f"{n % 24:02d}:{n % 60:02d}:{n % 59:02d}" for n in range(ROWS)]),
    "species": ("t", "species", [f"E. coli {n}" for n in range(40)]),
    "city": ("t", "city", ["New York", "Los Angeles", "Salt Lake City", "San Antonio", "Fort Worth"] * 9),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_recognised(case):
    table, column, values, kind = CASES[case]
    assert personal_kind(table, column, pa.array(values)) == kind


@pytest.mark.parametrize("case", NOT_PERSONAL)
def test_other_columns_are_left_alone(case):
    table, column, values = NOT_PERSONAL[case]
    assert personal_kind(table, column, pa.array(values)) is None


def test_a_birth_date_is_recognised_by_its_name():
    times = pa.array(range(40), pa.int64()).cast(pa.timestamp("us"))
    assert all(personal_kind("t", name, times) == "birth_date" for name in ("born", "DateOfBirth", "geburtsdatum"))


def codec_of(columns, table="person", **config):
    rows = pa.table(columns)
    kinds = tuple(
        Column(name, "categorical" if pa.types.is_integer(rows[name].type) else "text") for name in rows.column_names
    )
    source = Table(TableSchema(table, kinds), rows)
    codec = TableCodec.fit(source, np.ones(rows.num_rows, bool), list(columns), CodecConfig(**config))
    return TableCodec.from_dict(json.loads(json.dumps(codec.to_dict())))


def made(codec, rows=ROWS, first_row=0):
    levels = np.zeros((rows, len(codec.layout.categorical)), int)
    return codec.decode(np.zeros((rows, 0)), levels, np.random.default_rng(0), first_row=first_row)


@pytest.mark.parametrize("case", CASES)
def test_it_is_made_anew_in_its_kind_and_as_unique_as_it_was(case):
    table, column, values, kind = CASES[case]
    codec = codec_of({column: values}, table)
    text = json.dumps(codec.to_dict())
    assert not [one for one in values if len(str(one)) > 4 and str(one) in text]
    new = made(codec)[column].combine_chunks()
    assert new.type == pa.array(values).type and new.null_count == 0
    if len(set(values)) == len(values):
        assert len(set(new.to_pylist())) == ROWS
    looks_like = {kind} | {"first_name": {"first_name"}, "last_name": {"last_name", "first_name"}}.get(kind, set())
    if kind not in ("user_name", "code", "card", "iban", "street"):
        assert personal_kind(table, column, new) in looks_like
    if kind == "postcode":  # there are only so many: a made one may be a real one
        assert len(set(new.to_pylist()) & set(values)) < 0.05 * ROWS
    elif kind not in ("first_name", "last_name") and not is_id_of_person(column):  # of 60 small numbers some are real
        assert not set(new.to_pylist()) & set(values)


def test_columns_of_one_person_go_together_and_do_not_repeat():
    columns = {
        "first_name": names("{a}"),
        "last_name": names("{b}"),
        "full_name": names(),
        "mail": names("{a}.{b}@x.example"),
    }
    codec = codec_of(columns)
    new = made(codec).to_pylist()
    for row in new:
        assert row["full_name"] == f"{row['first_name']} {row['last_name']}"
        assert row["mail"].startswith(f"{row['first_name']}.{row['last_name']}@".lower())
    more = made(codec, 100, first_row=ROWS).to_pylist()
    assert len({row["mail"] for row in new + more}) == ROWS + 100
    assert made(codec).to_pylist() == new


def test_persons_that_repeat_are_repeated():
    new = made(codec_of({"doctor": [f"Dr. {LAST[min(n % 40, 9)]}" for n in range(ROWS)]}, "visit"))[
        "doctor"
    ].to_pylist()
    assert 2 <= len(set(new)) <= 10 and all(one.startswith("Dr. ") for one in new)


def test_made_ibans_and_cards_pass_their_checks():
    new = made(codec_of({"iban": CASES["iban"][2], "card_number": CASES["card"][2]})).to_pylist()
    for row in new:
        moved = row["iban"][4:] + row["iban"][:4]
        assert int("".join(str(int(one, 36)) for one in moved)) % 97 == 1
        digits = [int(one) for one in reversed(row["card_number"])]
        assert sum(d if place % 2 == 0 else sum(divmod(2 * d, 10)) for place, d in enumerate(digits)) % 10 == 0


def test_a_postcode_that_many_share_stays_a_place():
    shared = codec_of({"zip": [10115 + n % 8 for n in range(ROWS)]})
    assert shared.columns["zip"].kind == "categorical"
    assert codec_of({"zip": [10115 + n for n in range(ROWS)]}).columns["zip"].kind == "personal"


def test_it_can_be_left_alone():
    codec = codec_of({"full_name": [LAST[n % 10] + " Anna" for n in range(ROWS)]}, personal="ignore")
    assert codec.columns["full_name"].kind == "text" and "Martova Anna" in json.dumps(codec.to_dict())


@pytest.mark.parametrize(
    "texts",
    [
        [f"{n % 223 + 1}.{n * 7 % 256}.{n * 13 % 256}.{n % 254 + 1}" for n in range(ROWS)],
        [f"10.{n % 3}.{n * 13 % 256}.{n % 254 + 1}" for n in range(ROWS)],
        [f"192.168.{n % 100 + 100}.{n % 154 + 100}" for n in range(ROWS)],
    ],
)
def test_made_addresses_are_addresses(texts):
    codec = codec_of({"client_ip": texts}, table="t")
    addresses = [text.split(".") for text in made(codec, 2_000)["client_ip"].to_pylist()]
    assert all(len(parts) == 4 and all(0 <= int(part) <= 255 for part in parts) for parts in addresses)
    assert not {".".join(parts) for parts in addresses} & set(texts[:1])


@pytest.mark.parametrize("column", ["seen_by", "hausarzt", "Ansprechpartner"])
def test_persons_that_repeat_have_plain_names(column):
    codec = codec_of({column: [f"{FIRST[n % 12]} {LAST[n % 10]}" for n in range(ROWS)]}, table="t")
    assert not [name for name in made(codec)[column].to_pylist() if any(map(str.isdigit, name))]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.timestamp("us")])
def test_a_column_without_values_says_nothing(kind):
    assert (
        personal_kind("t", "anything", pa.nulls(3, kind)) is None
        and personal_kind("t", "x", pa.array([], kind)) is None
    )
