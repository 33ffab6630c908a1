"""Foreign keys: declared ones are kept or named, guesses need evidence, what is open is asked."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.ingest.key_evidence import chance_of_inclusion
from tabgraphsyn.data.ingest.table_queries import ColumnValues
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.errors import ConfigError, DataError
from tests.data_in.test_every_value_comes_back import write_csv


def ingested(folder: Path, **options: object) -> tuple[set[str], dict, Schema]:
    out = folder / "out"
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder / "data"), **options}), out)
    schema = Schema.from_dict(read_json(out / "schema.json"))
    return {f"{one.name}.{'+'.join(one.parent_columns)}" for one in schema.relations}, profile, schema


def grades_and_zones(folder: Path) -> None:
    rng = Random(1)
    write_csv(folder / "data" / "zone.csv", {"zone": list("ABCDEFGH"), "area": [str(k * 7 % 50) for k in range(8)]})
    write_csv(
        folder / "data" / "pupil.csv",
        {"pupil_id": [str(k) for k in range(200)], "grade": [rng.choice("ABCDE") for _ in range(200)]},
    )


def test_values_that_happen_to_lie_in_a_key_are_asked_about(tmp_path: Path) -> None:
    grades_and_zones(tmp_path)
    relations, profile, _ = ingested(tmp_path)
    assert relations == set()
    (note,) = [note for note in profile["notes"] if "grade" in note]
    assert "not taken as a foreign key" in note and "dataset.keys={pupil.grade: zone.zone}" in note


def test_the_option_in_the_question_settles_it(tmp_path: Path) -> None:
    grades_and_zones(tmp_path)
    relations, profile, _ = ingested(tmp_path, keys={"pupil.grade": "zone.zone"})
    assert relations == {"pupil.grade--zone.zone"}
    assert profile["relations"][0]["reason"] == "from dataset.keys"


CODES = [a + b + c for a in "ABCDEF" for b in "ABCDEF" for c in "ABCDEF"][::11]


def flown(folder: Path, few: str, many: str, also: str | None = None) -> None:
    """Write places of codes, and trips of two columns of them: ``many`` of all codes and ``few`` of three."""
    rng = Random(3)
    write_csv(folder / "data" / "place.csv", {"code": CODES, "size": [rng.choice("SML") for _ in CODES]})
    ends = {many: [rng.choice(CODES) for _ in range(300)], few: [rng.choice(CODES[:3]) for _ in range(300)]}
    write_csv(folder / "data" / "trip.csv", {"trip_id": [str(k) for k in range(300)], **ends})
    if also is not None:
        codes = [rng.choice(CODES[:3]) for _ in range(80)]
        write_csv(folder / "data" / "rain.csv", {"rain_id": [str(k) for k in range(80)], also: codes})


def test_a_column_of_few_codes_beside_a_key_is_one(tmp_path: Path) -> None:
    flown(tmp_path, "origin", "dest", also="origin")
    relations, profile, _ = ingested(tmp_path)
    assert relations == {"trip.dest--place.code", "trip.origin--place.code", "rain.origin--place.code"}
    reasons = {one["child"] if "child" in one else str(one): one["reason"] for one in profile["relations"]}
    assert any("beside dest, which refers there" in reason for reason in reasons.values())
    assert any("same name as trip.origin, which refers there" in reason for reason in reasons.values())


def test_a_column_of_another_name_in_another_table_is_asked_about(tmp_path: Path) -> None:
    flown(tmp_path, "origin", "dest", also="kind")
    relations, profile, _ = ingested(tmp_path)
    assert relations == {"trip.dest--place.code", "trip.origin--place.code"}
    assert [note for note in profile["notes"] if "dataset.keys={rain.kind: place.code}" in note]


def test_a_column_beside_one_that_is_named_after_the_parent_is_asked_about(tmp_path: Path) -> None:
    flown(tmp_path, "state", "place")
    relations, profile, _ = ingested(tmp_path)
    assert relations == {"trip.place--place.code"}
    assert [note for note in profile["notes"] if "dataset.keys={trip.state: place.code}" in note]


def test_keys_can_be_ruled_out(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "shop.csv", {"shop_id": [str(k) for k in range(9)], "size": list("112233445")})
    sales = {"sale_id": [str(k) for k in range(90)], "shop_id": [str(k % 9) for k in range(90)]}
    write_csv(tmp_path / "data" / "sale.csv", sales)
    assert ingested(tmp_path)[0] == {"sale.shop_id--shop.shop_id"}
    assert ingested(tmp_path / ".", keys={"sale.shop_id": None})[0] == set()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"pupil.grad": "zone.zone"}, "no column 'pupil.grad'. Did you mean 'pupil.grade'"),
        ({"pupil.grade": "zone.size"}, "no column 'zone.size'"),
        ({"pupil.pupil_id": "pupil.grade"}, "every value once"),
    ],
)
def test_keys_that_cannot_be_are_refused_by_name(tmp_path: Path, keys: dict[str, str], words: str) -> None:
    grades_and_zones(tmp_path)
    with pytest.raises(DataError, match=words.split(".")[-1][:20]):
        ingested(tmp_path, keys=keys)


@pytest.mark.parametrize("keys", [["a.b"], {"a.b": "c"}, {"a.b": 3}])
def test_keys_have_a_form(tmp_path: Path, keys: object) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.keys"):
        DatasetOptions.from_mapping({"path": str(tmp_path), "keys": keys})


@pytest.mark.parametrize(
    ("codes", "distinct", "is_chance"),
    [
        (list("ABCDEFGH"), 5, True),
        ([f"{k:02d}" for k in range(60)], 12, True),
        ([f"T{k:02d}" for k in range(40)], 40, False),
        ([f"{chr(65 + k % 26)}{chr(65 + k // 26 % 26)}{chr(65 + k * 7 % 26)}" for k in range(300)], 90, False),
        (["north-east", "south-west", "centre", "harbour"], 4, False),
    ],
)
def test_chance_explains_few_codes_of_a_dense_kind(codes: list[str], distinct: int, is_chance: bool) -> None:
    there = ColumnValues(len(codes), 0, len(codes), codes[0], codes[-1])
    assert (chance_of_inclusion(codes, there, distinct) > 1e-9) == is_chance


def test_codes_of_a_unique_column_are_keys_by_evidence(tmp_path: Path) -> None:
    rng = Random(3)
    codes = [f"T{k:02d}" for k in range(40)]
    write_csv(tmp_path / "data" / "team.csv", {"team_id": [str(500 + k) for k in range(40)], "short_code": codes})
    games = [rng.sample(codes, 2) for _ in range(300)]
    sides = {"home_code": [game[0] for game in games], "away_code": [game[1] for game in games]}
    write_csv(tmp_path / "data" / "game.csv", {"game_id": [str(k) for k in range(300)], **sides})
    relations, profile, schema = ingested(tmp_path)
    assert relations == {"game.home_code--team.short_code", "game.away_code--team.short_code"}
    reason = profile["relations"][0]["reason"]
    assert "by chance once in" in reason and "100% of those there" in reason
    assert "short_code" in schema.key_columns("team"), "a column that is referred to is made with the keys"


def app(folder: Path, script: str) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "data" / "app.db") as db:
        db.executescript(script)
        for k in range(30):
            db.execute("insert into account values (?, ?)", (k, f"u{k:03d}"))
        for k in range(90):
            db.execute("insert into post values (?, ?)", (k, f"u{k % 30:03d}"))


@pytest.mark.parametrize("reference", ["account(handle)", "Account(HANDLE)"])
def test_a_declared_key_to_a_unique_column_is_kept(tmp_path: Path, reference: str) -> None:
    app(tmp_path, f"create table account (id integer primary key, handle text unique);"
                  f"create table post (id integer primary key, author text references {reference});")  # fmt: skip
    relations, profile, _ = ingested(tmp_path)
    assert relations == {"post.author--account.handle"}
    assert profile["relations"][0]["reason"].startswith("declared in the file")


@pytest.mark.parametrize("rules", [1, True, 2.5, "x", ["x"], {"kind": "order"}])
def test_rules_have_a_form(tmp_path: Path, rules: object) -> None:
    with pytest.raises(ConfigError, match=r"dataset.rules: a list of rules"):
        DatasetOptions.from_mapping({"path": str(tmp_path), "rules": rules})


def test_a_declared_key_that_cannot_hold_is_named_and_counted(tmp_path: Path) -> None:
    app(tmp_path, "create table account (id integer primary key, handle text);"
                  "create table post (id integer primary key, author text references account(handle));")  # fmt: skip
    with sqlite3.connect(tmp_path / "data" / "app.db") as db:
        db.execute("insert into account values (99, 'u001')")
    relations, profile, schema = ingested(tmp_path)
    assert relations == set()
    assert [one.name for one in schema.dropped] == ["post.author--account"]
    assert any("values twice" in note and "key validity" in note for note in profile["notes"])
    assert Schema.from_dict(schema.to_dict()).dropped == schema.dropped


def test_a_key_of_the_file_that_the_metadata_omits_is_named_and_counted(tmp_path: Path) -> None:
    app(tmp_path, "create table account (id integer primary key, handle text unique);"
                  "create table post (id integer primary key, author text references account(handle));")  # fmt: skip
    columns = {"account": {"id": "id", "handle": "id"}, "post": {"id": "id", "author": "categorical"}}
    tables = {
        name: {"primary_key": "id", "columns": {one: {"sdtype": what} for one, what in found.items()}}
        for name, found in columns.items()
    }
    (tmp_path / "data" / "metadata.json").write_text(json.dumps({"tables": tables, "relationships": []}))
    relations, profile, schema = ingested(tmp_path)
    assert relations == set() and [one.name for one in schema.dropped] == ["post.author--account"]
    assert any("not in the metadata" in note for note in profile["notes"])


SITE = {"site_id": "id", "latitude": "latitude", "country_code": "country_code", "serial": "numerical", "code": "id"}


def sites(folder: Path, alternate: list[str], **columns: list[str]) -> None:
    rng, rows = Random(5), 60
    values = {
        "site_id": [str(k) for k in range(rows)],
        "latitude": [f"{rng.gauss(48, 1):.5f}" for _ in range(rows)],
        "country_code": [rng.choice(["DE", "AT", "CH"]) for _ in range(rows)],
        "serial": [str(70_000 + 3 * k) for k in range(rows)],
        "code": [f"S-{k:04d}" for k in rng.sample(range(9_999), rows)],
        **columns,
    }
    write_csv(folder / "data" / "site.csv", values)
    spec = {name: {"sdtype": what, "pii": what not in ("id", "numerical")} for name, what in SITE.items()}
    table = {"primary_key": "site_id", "alternate_keys": alternate, "columns": spec}
    (folder / "data" / "metadata.json").write_text(json.dumps({"tables": {"site": table}, "relationships": []}))


def test_semantic_types_that_are_values_are_modelled(tmp_path: Path) -> None:
    sites(tmp_path, ["serial", "code"])
    _, profile, schema = ingested(tmp_path)
    found = {column.name: column.sdtype for column in schema.table("site").columns}
    assert found["latitude"] == "numerical" and found["country_code"] == "categorical"
    assert schema.table("site").alternate_keys == ("serial", "code")
    named = {one["column"] for one in profile["not_modelled"]}
    assert named == {"serial", "code"}, "what is not modelled is named"
    written = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert written["tables"]["site"]["alternate_keys"] == ["serial", "code"]


@pytest.mark.parametrize("column", ["serial", "code"])
def test_an_alternate_key_with_repeats_is_refused(tmp_path: Path, column: str) -> None:
    sites(tmp_path, [column], **{column: ["7"] * 60})
    with pytest.raises(DataError, match=f"site.{column}: an alternate key has each value once"):
        ingested(tmp_path)


def slashes(folder: Path, days: list[str], other: list[str]) -> None:
    write_csv(folder / "data" / "t.csv", {"k": [str(k * k) for k in range(len(days))], "day": days, "other": other})


def ambiguous(rows: int) -> list[str]:
    rng = Random(8)
    return [f"{rng.randint(1, 12):02d}/{rng.randint(1, 12):02d}/{rng.randint(1950, 2020)}" for _ in range(rows)]


@pytest.mark.parametrize(("sibling", "first"), [("25/12/2001", "%d/%m/%Y"), ("12/25/2001", "%m/%d/%Y")])
def test_day_and_month_are_told_apart_by_other_columns(tmp_path: Path, sibling: str, first: str) -> None:
    slashes(tmp_path, ambiguous(120), [sibling] * 60 + ["03/04/2005"] * 60)
    _, _, schema = ingested(tmp_path)
    assert schema.table("t").column("day").datetime_format == first


def test_day_and_month_that_nothing_tells_apart_are_asked(tmp_path: Path) -> None:
    slashes(tmp_path, ambiguous(120), ["x", "y"] * 60)
    with pytest.raises(DataError) as caught:
        ingested(tmp_path)
    assert "t.day: day and month cannot be told apart" in str(caught.value)
    assert "dataset.formats={t.day: '%d/%m/%Y'} or '%m/%d/%Y'" in str(caught.value)
    _, _, schema = ingested(tmp_path, formats={"t.day": "%m/%d/%Y"})
    assert schema.table("t").column("day").datetime_format == "%m/%d/%Y"


def test_few_ambiguous_days_stay_what_they_are(tmp_path: Path) -> None:
    slashes(tmp_path, ["01/02/2020", "03/04/2021", "05/06/2022"] * 30, ["x", "y", "z"] * 30)
    _, profile, schema = ingested(tmp_path)
    assert schema.table("t").column("day").sdtype == "categorical"
    assert any("kept as text" in note and "dataset.formats" in note for note in profile["notes"])


@pytest.mark.parametrize(
    ("example", "expected"), [("1.234", 3377), ("1.234,56", 3377), ("1234.567", 3.377), ("text", "3.377")]
)
def test_a_format_can_be_given_as_an_example(tmp_path: Path, example: str, expected: object) -> None:
    rng = Random(2)
    texts = ["3.377", *(f"{rng.randint(1, 9)}.{rng.randint(100, 999)}" for _ in range(99))]
    write_csv(tmp_path / "data" / "t.csv", {"a": texts, "k": [str(k) for k in range(100)]})
    ingest_database(
        DatasetOptions.from_mapping({"path": str(tmp_path / "data"), "formats": {"t.a": example}}), tmp_path / "out"
    )
    read = pa.parquet.read_table(tmp_path / "out" / "tables" / "t.parquet")["a"][0].as_py()
    assert read == expected


def dialled(folder: Path, numbers: list[int]) -> None:
    """Write lines with a long number each, and calls from one to another under names that say nothing."""
    rng = Random(5)
    write_csv(folder / "data" / "line.csv", {"serial": [str(one) for one in numbers], "size": list("SML") * 20})
    ends = {name: [str(rng.choice(numbers[:50])) for _ in range(200)] for name in ("source", "target")}
    write_csv(folder / "data" / "call.csv", {"call_id": [str(k) for k in range(200)], **ends})


def test_long_numbers_of_one_length_are_codes_and_refer(tmp_path: Path) -> None:
    dialled(tmp_path, Random(2).sample(range(10**10, 10**11), 60))
    relations, _, schema = ingested(tmp_path)
    assert relations == {"call.source--line.serial", "call.target--line.serial"}
    assert schema.table("line").primary_key == ("serial",)


@pytest.mark.parametrize(
    "numbers",
    [
        Random(3).sample(range(1_500_000_000, 1_700_000_000), 60),  # seconds since 1970
        [20_200_101 + 100 * k for k in range(0, 60)],  # days as digits
        Random(4).sample(range(10_000, 10_000_000), 60),  # amounts of any length
    ],
)
def test_moments_and_amounts_are_no_codes(tmp_path: Path, numbers: list[int]) -> None:
    dialled(tmp_path, numbers)
    relations, _, schema = ingested(tmp_path)
    assert relations == set() and schema.table("line").primary_key == ()


def test_a_pair_of_which_one_part_leads_on_by_itself_is_asked_about(tmp_path: Path) -> None:
    rng = Random(6)
    pairs = [(area, number) for area in CODES for number in rng.sample(range(100, 140), 4)]
    write_csv(tmp_path / "data" / "area.csv", {"area": CODES, "size": [rng.choice("SML") for _ in CODES]})
    write_csv(
        tmp_path / "data" / "course.csv",
        {
            "area": [one for one, _ in pairs],
            "number": [str(one) for _, one in pairs],
            "level": list("12") * (len(pairs) // 2),
        },
    )
    taken = [rng.choice(pairs) for _ in range(400)]
    write_csv(
        tmp_path / "data" / "taken.csv",
        {
            "taken_id": [str(k) for k in range(400)],
            "area": [one for one, _ in taken],
            "number": [str(one) for _, one in taken],
        },
    )
    _, profile, _ = ingested(tmp_path)
    (note,) = [note for note in profile["notes"] if "taken: (area, number)" in note]
    assert "primary_key [area, number] of course" in note


def test_large_numbers_of_any_length_refer(tmp_path: Path) -> None:
    rng = Random(5)
    players = [str(one) for one in sorted(rng.sample(range(10**5, 4 * 10**7), 150))]
    write_csv(tmp_path / "data" / "players.csv", {"fide_id": players, "elo": [str(k * 7 % 900) for k in range(150)]})
    games = {side: [rng.choice(players) for _ in range(400)] for side in ("white", "black")}
    write_csv(tmp_path / "data" / "games.csv", {"moves": [str(k % 90) for k in range(400)], **games})
    keys, _, _ = ingested(tmp_path)
    assert keys == {"games.white--players.fide_id", "games.black--players.fide_id"}


def test_small_ids_of_another_name_are_asked_about(tmp_path: Path) -> None:
    rng = Random(6)
    write_csv(tmp_path / "data" / "users.csv", {"id": [str(k) for k in range(1, 61)], "age": ["40", "50"] * 30})
    owners = [str(rng.randint(1, 60)) for _ in range(90)]
    write_csv(tmp_path / "data" / "repos.csv", {"id": [str(k) for k in range(1, 91)], "owner_id": owners})
    keys, profile, _ = ingested(tmp_path)
    assert not keys
    assert any("dataset.keys={repos.owner_id: users.id}" in note for note in profile["notes"])


def test_a_number_under_a_key_is_part_of_one_where_rows_hang_on_both(tmp_path: Path) -> None:
    rng = Random(7)
    write_csv(tmp_path / "data" / "patient.csv", {"pid": [f"P{k:03d}" for k in range(50)], "sex": ["f", "m"] * 25})
    visits = [(f"P{p:03d}", str(n)) for p in range(50) for n in range(1, rng.randint(3, 7))]
    write_csv(tmp_path / "data" / "visit.csv", {"pid": [p for p, _ in visits], "visit": [n for _, n in visits]})
    labs = [one for one in visits for _ in range(3)]
    values = [f"{rng.gauss(5, 1):.2f}" for _ in labs]
    write_csv(tmp_path / "data" / "lab.csv", {"pid": [p for p, _ in labs], "visit": [n for _, n in labs], "y": values})
    keys, profile, schema = ingested(tmp_path)
    assert keys == {"visit.pid--patient.pid", "lab.pid+visit--visit.pid+visit"}
    assert schema.table("visit").primary_key == ("pid", "visit")
    assert not any("unique together" in note for note in profile["notes"] if note.startswith("visit"))


def test_decimals_under_the_name_of_an_id_are_ids(tmp_path: Path) -> None:
    numbers = [f"{1900 + k}.{k * 7 % 90}{'0' if k % 3 else ''}" for k in range(80)]
    write_csv(tmp_path / "data" / "works.csv", {"inventory_no": numbers, "height": [f"{k}.50" for k in range(80)]})
    loans = [numbers[k * 13 % 80] for k in range(60)]
    write_csv(tmp_path / "data" / "loans.csv", {"work": loans, "fee": [f"{k % 7}.25" for k in range(60)]})
    keys, profile, schema = ingested(tmp_path)
    assert schema.table("works").primary_key == ("inventory_no",) and keys == {"loans.work--works.inventory_no"}
    assert schema.table("works").column("height").sdtype == schema.table("loans").column("fee").sdtype == "numerical"
    assert any("dataset.formats={works.inventory_no" in note for note in profile["notes"])
