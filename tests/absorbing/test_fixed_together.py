"""What a user fixes in several ways at once: conditions that exclude each other, trees, odd numbers, odd names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from line import trained_absorbing
from small_database import people_and_visits

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.generation.fixing.condition import Condition, can_meet
from tabgraphsyn.verbs.sample import given_tables, sample

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from fuzz import DONE, REFUSED, fuzz


@pytest.fixture(scope="session")
def bundle(absorbing_store: Any) -> Path:
    """Return the bundle; nothing is written to it."""
    return Path(absorbing_store.artifacts["sample"] / "bundle")


def given(tmp_path: Path, table: str, text: str) -> Any:
    path = tmp_path / f"{table}.csv"
    path.write_text(text, encoding="utf-8")
    return given_tables([str(path)])


def condition(operator: str, *values: float) -> Condition:
    return Condition("x", operator, pa.array(values, pa.float64()))


@pytest.mark.parametrize(
    ("asked", "known", "can"),
    [
        ([("=", 1), ("=", 2)], None, False),
        ([("=", 1), (">", 1)], None, False),
        ([("=", 1), (">=", 1), ("!=", 2)], None, True),
        ([("in", 1, 2), ("in", 2, 3)], None, True),
        ([("in", 1, 2), ("<", 1)], None, False),
        ([(">", 5), ("<", 5)], None, False),
        ([(">=", 5), ("<", 5)], None, False),
        ([(">=", 5), ("<=", 5)], None, True),
        ([(">", 1), ("<", 2), (">", 3)], None, False),
        ([(">", 1), ("<", 2)], [0, 3], False),
        ([("!=", 0), ("!=", 3)], [0, 3], False),
        ([("!=", 0), ("<", 9)], [0, 3], True),
    ],
)
def test_whether_one_value_can_meet_them_all(asked: list[Any], known: list[float] | None, can: bool) -> None:
    values = None if known is None else pa.array(known, pa.float64())
    assert can_meet([condition(*one) for one in asked], values) == can


@pytest.mark.parametrize("where", [("visits.score=1", "visits.score=3"), ("people.height>180", "people.height<=170")])
def test_conditions_that_exclude_each_other_are_named_together(
    bundle: Path, tmp_path: Path, where: tuple[str, str]
) -> None:
    with pytest.raises(ConfigError, match="conditions that one value meets expected") as raised:
        sample(bundle, out=tmp_path / "out", where=where, device="cpu")
    values = [one.replace("=", " ").replace(">", " ").replace("<", " ").split()[-1] for one in where]
    assert all(f" {one}'" in str(raised.value) for one in values) and not (tmp_path / "out").exists()


def tops_missing(people: pa.Table) -> int:
    """Return how many persons have nobody at the top above them."""
    boss = dict(zip(people.column("person").to_pylist(), people.column("boss").to_pylist(), strict=True))
    lost = 0
    for one in boss:
        steps = 0
        while one is not None and steps <= len(boss):
            one, steps = boss[one], steps + 1
        lost += one is not None
    return lost


def test_given_bosses_and_numbers_of_staff_leave_a_tree(bundle: Path, tmp_path: Path) -> None:
    rows = [f"PERSON-{number:06d},{f'PERSON-{number + 1:06d}' if number < 5 else ''}" for number in range(10)]
    for seed in range(3):
        chain = given(tmp_path, "people", "person,boss\n" + "\n".join(rows))
        sample(bundle, 1.0, seed, tmp_path / f"chain{seed}", formats=["parquet"], device="cpu", given=chain)
        made = pq.read_table(tmp_path / f"chain{seed}" / "people.parquet")
        boss = dict(zip(made.column("person").to_pylist(), made.column("boss").to_pylist(), strict=True))
        assert all(boss[f"PERSON-{number:06d}"] == f"PERSON-{number + 1:06d}" for number in range(5))
        assert tops_missing(made) == 0
        staff = given(
            tmp_path, "people", "person,count(people.boss)\n" + "\n".join(f"p{n},{n % 3 * 6}" for n in range(12))
        )
        sample(bundle, 1.0, seed, tmp_path / f"staff{seed}", formats=["parquet"], device="cpu", given=staff)
        made = pq.read_table(tmp_path / f"staff{seed}" / "people.parquet")
        counts = [pc.sum(pc.equal(made.column("boss"), f"p{n}")).as_py() or 0 for n in range(12)]
        assert counts == [n % 3 * 6 for n in range(12)] and tops_missing(made) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("person,boss\na,b\nb,c\nc,a\n", "found 3 rows in a ring"),
        ("person,count(people.boss)\na,149\nb,20\n", "20 rows for a given row of 'people' expected"),
        ("person,count(visits.person)\na,99999999999\n", "at most 20,000,000 children together"),
        ("height\n170\ninf\n", "values of numerical"),
        ("height\n1e999\n", "values of numerical"),
    ],
)
def test_what_cannot_stand_is_the_users_to_mend(bundle: Path, tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        sample(bundle, out=tmp_path / "out", given=given(tmp_path, "people", text), device="cpu")
    assert "bundle" not in str(raised.value) and not (tmp_path / "out").exists()


def test_a_number_far_beyond_all_others_stands(bundle: Path, tmp_path: Path) -> None:
    rows = given(tmp_path, "people", "height\n1e300\n-1e300\n")
    sample(bundle, 1.0, 3, tmp_path / "out", formats=["parquet"], device="cpu", given=rows)
    height = pq.read_table(tmp_path / "out" / "people.parquet").column("height").to_pylist()
    assert {1e300, -1e300} <= set(height) and all(abs(one) < 1000 for one in height if abs(one) != 1e300)


def renamed() -> tuple[Schema, dict[str, pa.Table]]:
    """Return people and visits under names with dots, signs and spaces."""
    _, tables = people_and_visits()
    people = tables["people"].select(["person", "height"]).rename_columns(["person.id", "size in cm"])
    visits = tables["visits"].select(["visit", "person", "paid", "score"])
    visits = visits.rename_columns(["visit", "person.id", "p<0.05", "a=b"])
    schema = Schema(
        (
            TableSchema("dbo.people", (Column("person.id", "id"), Column("size in cm", "numerical")), ("person.id",)),
            TableSchema(
                "dbo.visits",
                (
                    Column("visit", "id"),
                    Column("person.id", "id"),
                    Column("p<0.05", "boolean"),
                    Column("a=b", "categorical"),
                ),
                ("visit",),
            ),
        ),
        (Relation("dbo.visits", ("person.id",), "dbo.people", ("person.id",)),),
    )
    return schema, {"dbo.people": people, "dbo.visits": visits}


def test_names_may_hold_dots_signs_and_spaces(tmp_path: Path) -> None:
    store = trained_absorbing(tmp_path / "store", *renamed(), steps=10, width=16)
    sample(
        store.artifacts["sample"] / "bundle",
        1.0,
        3,
        tmp_path / "out",
        formats=["parquet"],
        device="cpu",
        where=["dbo.visits.p<0.05=true", "dbo.people.size in cm > 165"],
        balance=["dbo.visits.a=b"],
        given=given(tmp_path, "dbo.people", "person.id,count(dbo.visits.person.id)\nmine,7\n"),
    )
    people, visits = (pq.read_table(tmp_path / "out" / f"dbo.{name}.parquet") for name in ("people", "visits"))
    assert pc.all(visits.column("p<0.05")).as_py() and visits.num_rows > 300
    counts = [one["counts"] for one in pc.value_counts(visits.column("a=b")).to_pylist()]
    assert max(counts) - min(counts) <= 1 and len(counts) == 5
    size, keys = people.column("size in cm").to_numpy(), people.column("person.id").to_pylist()
    assert np.flatnonzero(size <= 165).size == 0 and "mine" in keys
    assert visits.column("person.id").to_pylist().count("mine") == 7


def test_combinations_are_met_or_refused(bundle: Path) -> None:
    """A short form of ``scripts/fuzz.py wishes``."""
    told: list[str] = []
    counts = fuzz("wishes", range(8), 5, 120.0, told.append, bundle=bundle)
    assert told == [] and counts[DONE] + counts[REFUSED] == 8
