"""Rows, values and shares that a user fixes in samples, and nulls that are filled, with an absorbing bundle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.given import read_given
from tabgraphsyn.data.schema import TableSchema
from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.generation.fixing import write_back
from tabgraphsyn.generation.fixing.typed import ReadTable
from tabgraphsyn.verbs.sample import given_tables, impute, sample


@pytest.fixture(scope="session")
def bundle(absorbing_store: Any) -> Path:  # ZZ
    """Return the bundle; nothing is written to it."""
    return Path(absorbing_store.artifacts["sample"] / "bundle")


def drawn(bundle: Path, out: Path, **wishes: Any) -> dict[str, pa.Table]:
    notes: list[str] = []
    sample(bundle, 1.0, 3, out, formats=["parquet"], device="cpu", say=notes.append, **wishes)
    made = {path.stem: pq.read_table(path) for path in out.glob("*.parquet")}
    made["notes"] = notes  # type: ignore[assignment]
    return made


def test_conditions_hold_in_all_rows_and_the_same_seed_gives_the_same_bits(bundle: Path, tmp_path: Path) -> None:
    where = ["visits.paid=true", "visits.score in 1, 3", "visits.day>=01.06.2021", "people.height<170"]
    made, again = (drawn(bundle, tmp_path / name, where=where) for name in "ab")
    visits, height = made["visits"], made["people"].column("height")
    assert visits.num_rows > 400 and pc.all(visits.column("paid")).as_py()
    assert set(visits.column("score").to_pylist()) == {1, 3}
    assert pc.min(visits.column("day")).as_py().isoformat() >= "2021-06-01"
    assert made["people"].num_rows == 150 and height.null_count == 0 and pc.max(height).as_py() < 170
    assert all(made[name].equals(again[name]) for name in ("people", "visits", "friends"))


def test_levels_are_as_frequent(bundle: Path, tmp_path: Path) -> None:
    made = drawn(bundle, tmp_path, balance=["visits.score"], where=["visits.paid=false", "visits.score>1"])["visits"]
    counts = [one["counts"] for one in pc.value_counts(made.column("score")).to_pylist()]
    assert len(counts) == 3 and pc.min(made.column("score")).as_py() == 2, "those that meet what is asked of it"
    assert max(counts) - min(counts) <= 1 and not pc.any(made.column("paid")).as_py()


def test_parents_stand_with_their_keys_some_children_and_numbers_of_children(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "people.csv").write_text(
        "person,height,count(visits.person)\nPERSON-777777,181.5,6\nPERSON-000001,,0\nmy own,160,\n"
    )
    (tmp_path / "given" / "visits.csv").write_text(
        "person,paid,score,day\nPERSON-777777,True,4,24.12.2021\nPERSON-777777,False,,\nmy own,,2,\n"
    )
    made = drawn(bundle, tmp_path / "out", given=given_tables([str(tmp_path / "given")]))
    people, visits = made["people"], made["visits"].to_pylist()
    keys = people.column("person").to_pylist()
    assert len(set(keys)) == len(keys) == 150 and {"PERSON-777777", "PERSON-000001", "my own"} <= set(keys)
    height = dict(zip(keys, people.column("height").to_pylist(), strict=True))
    assert height["PERSON-777777"] == 181.5 and height["my own"] == 160 and height["PERSON-000001"] is not None
    own = [one for one in visits if one["person"] == "PERSON-777777"]
    assert len(own) == 6 and not [one for one in visits if one["person"] == "PERSON-000001"]
    day = [one for one in own if one["day"] is not None and one["day"].isoformat().startswith("2021-12-24")]
    assert any(one["paid"] and one["score"] == 4 for one in day)
    assert any(one["score"] == 2 for one in visits if one["person"] == "my own")
    assert {one["person"] for one in visits} <= set(keys)
    assert any("given rows stand in the sample" in note for note in made["notes"])
    assert not any("777777" in path.read_text(errors="ignore") for path in bundle.rglob("*.json"))
    said = read_given(tmp_path / "out", {"people": people.num_rows, "visits": made["visits"].num_rows})
    assert {keys[row] for row in said["people"]} == {"PERSON-777777", "PERSON-000001", "my own"}
    assert [visits[row]["person"] for row in said["visits"]].count("PERSON-777777") == 2
    drawn(bundle, tmp_path / "out")
    assert not (tmp_path / "out" / "given.json").exists()


def test_more_rows_than_the_size_makes_are_there(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("height\n" + "\n".join(str(150 + n / 10) for n in range(200)) + "\n")
    made = drawn(bundle, tmp_path / "out", given=given_tables([f"people={tmp_path / 'mine.csv'}"]))["people"]
    assert made.num_rows == 200
    assert sorted(made.column("height").to_pylist()) == [150 + n / 10 for n in range(200)]
    given = given_tables([f"people={tmp_path / 'mine.csv'}"])
    with pytest.raises(ConfigError, match="--rows asks for 20"):
        sample(bundle, out=tmp_path / "no", rows={"people": 20}, given=given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hieght\n1\n", "no column of 'people' 'hieght'.*Did you mean 'height'"),
        ("height\ntall\n", r"people\.height: values of numerical .*found 'tall'"),
        ("person\na\na\n", "keys that differ expected"),
        ("boss\nPERSON-000009\n", "keys are made anew"),
        ("person,boss\na,b\n", "1 of 1 keys are no row of the given 'people'"),
        ("height,count(visits)\n1,2\n", "one key that refers to 'people' expected, found 2"),
        ("height,count(visits.person)\n1,-2\n", "numbers of children"),
        ("height,height2\n1\n", "people"),
        ("city,height\nC3,170\n", "rows of 'cities' with 'city' expected beside them"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_what_to_do(bundle: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        sample(bundle, out=tmp_path / "out", given=given_tables([str(tmp_path / "people.csv")]), device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("visits.score=9", "no value that the bundle knows meets"),
        ("visits.scrore=1", "Did you mean 'score'"),
        ("visit.score=1", "Did you mean 'visits'"),
        ("people.height>tall", "found 'tall'"),
        ("people.height>900", "The model hardly knows such rows"),
        ("people.person=x", "keys are made anew"),
        ("people.note=x", "made anew"),
        ("cities.size>3", "keeps the rows of its lookup table"),
        ("score", "TABLE.COLUMN=VALUE"),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(bundle: Path, tmp_path: Path, where: str, words: str) -> None:
    with pytest.raises((ConfigError, DataError), match=words):
        sample(bundle, out=tmp_path / "out", where=[where], device="cpu")


def test_only_empty_cells_of_a_file_change(
    bundle: Path, absorbing_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = absorbing_store.artifacts["ingest"] / "tables"
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("cities", "friends"):
        shutil.copy(real / f"{name}.parquet", source)
    people = pq.read_table(real / "people.parquet")
    notes_left = pa.array([None if row % 2 else one for row, one in enumerate(people.column("note").to_pylist())])
    people = people.set_column(people.column_names.index("note"), "note", notes_left)
    pq.write_table(people, source / "people.parquet")
    rows = pq.read_table(real / "visits.parquet").slice(0, 60).to_pylist()
    lines = ['visit;"person";guide;day;paid;score']
    for number, one in enumerate(rows):
        day, paid = one["day"].strftime("%d.%m.%Y"), "" if number % 3 == 0 else str(one["paid"])
        score = "NA" if number % 4 == 0 else f" {one['score']}"
        lines.append(f'{one["visit"]};"{one["person"]}";{one["guide"] or ""};{day};{paid};{score}')
    text = "\r\n".join(lines) + "\r\n"
    (source / "visits.csv").write_bytes(text.encode())
    notes: list[str] = []
    made = impute(bundle, given_tables([str(source)]), out, seed=1, device="cpu", say=notes.append)
    new = (out / "visits.csv").read_bytes().decode()
    assert len(new.split("\r\n")) == len(lines) + 1
    for before, after in zip(lines[1:], new.split("\r\n")[1:], strict=False):
        old, cells = before.split(";"), after.split(";")
        stood = [number for number, cell in enumerate(old) if cell not in ("", "NA")]
        assert [cells[number] for number in stood] == [old[number] for number in stood]
        assert cells[4] in ("True", "False") and cells[5].strip() in "01234" and cells[2] == old[2]
    assert pq.read_table(out / "people.parquet").equals(people)
    assert any("'note'" in note and "not filled" in note for note in notes)
    assert made["visits"].column("score").null_count == 0
    again = impute(bundle, given_tables([str(source)]), tmp_path / "again", seed=1, device="cpu")
    assert again["visits"].equals(made["visits"])
    with pytest.raises(ConfigError, match="holds the tables themselves"):
        impute(bundle, given_tables([str(source)]), source, device="cpu")
    written = write_back.write_filled

    def fails(read: ReadTable, made: pa.Table, table: TableSchema, folder: Path) -> pa.Table:
        if read.name == "visits":
            raise DataError("lines that are no rows")
        return written(read, made, table, folder)

    monkeypatch.setattr(write_back, "write_filled", fails)
    with pytest.raises(DataError, match="no rows"):
        impute(bundle, given_tables([str(source)]), tmp_path / "half", device="cpu")
    assert not (tmp_path / "half").exists()
