"""What a user fixes, with a generator that cannot condition: drawn again until it holds, or refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.generation.fixing import rejection
from tabgraphsyn.verbs.sample import given_tables, impute, sample


def test_rows_are_drawn_again_until_conditions_hold(bundle: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        notes: list[str] = []
        where = ["visits.score in 0, 1, 2, 3"]
        sample(bundle, 0.3, 3, tmp_path / name, formats=["parquet"], device="cpu", where=where, say=notes.append)
    visits, again = (pq.read_table(tmp_path / name / "visits.parquet") for name in "ab")
    assert visits.equals(again) and visits.num_rows > 100
    assert set(visits.column("score").to_pylist()) == {0, 1, 2, 3}
    assert any("drawn rows met what is asked" in note for note in notes)


def test_keys_and_numbers_of_children_stand(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("person,count(visits.person)\nmine,9\nPERSON-123456,0\n")
    given = given_tables([str(tmp_path / "people.csv")])
    sample(bundle, 1.0, 3, tmp_path / "out", formats=["parquet"], device="cpu", given=given)
    people, visits = (pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in ("people", "visits"))
    assert {"mine", "PERSON-123456"} <= set(people.column("person").to_pylist()) and people.num_rows == 150
    who = visits.column("person").to_pylist()
    assert who.count("mine") == 9 and who.count("PERSON-123456") == 0
    assert set(who) <= set(people.column("person").to_pylist())


def test_what_rejection_cannot_find_is_refused(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejection, "TRIES", 3)
    (tmp_path / "people.csv").write_text("height\n170.25\n")
    with pytest.raises(DataError, match=r"no number is found so.*model=absorbing"):
        sample(bundle, out=tmp_path / "out", given=given_tables([str(tmp_path / "people.csv")]), device="cpu")
    with pytest.raises(ConfigError, match=r"rows met 'people.height > 900' in none of 3 draws"):
        sample(bundle, 0.2, out=tmp_path / "out", where=["people.height>900"], device="cpu")
    with pytest.raises(ConfigError, match="cannot draw single values"):
        impute(bundle, given_tables([str(tmp_path / "people.csv")]), tmp_path / "filled", device="cpu")
    assert not list((tmp_path / "out").glob("*"))
