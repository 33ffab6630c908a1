"""Rows of which something is fixed have as many children as such rows have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from line import trained_absorbing

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.generation.fixing.condition import Condition
from tabgraphsyn.generation.fixing.following import Drawn, aligned
from tabgraphsyn.verbs.sample import given_tables, sample


def clinics() -> tuple[Schema, dict[str, pa.Table]]:
    """240 patients: the chronic come ten to fourteen times, of the others the old twice, the young not at all or once;
    a visit has prescriptions."""
    rng = np.random.default_rng(0)
    is_chronic, age = rng.random(240) < 0.25, rng.integers(18, 90, 240)
    visits = np.where(is_chronic, rng.integers(10, 15, 240), np.where(age > 60, 2, rng.integers(0, 2, 240)))
    patient = np.repeat(np.arange(240), visits)
    count = rng.integers(0, 3, len(patient))
    visit = np.repeat(np.arange(len(patient)), count)
    schema = Schema(
        (
            TableSchema(
                "patients", (Column("id", "id"), Column("kind", "categorical"), Column("age", "numerical")), ("id",)
            ),
            TableSchema(
                "visits", (Column("id", "id"), Column("patient", "id"), Column("cost", "numerical")), ("id",)
            ),
            TableSchema("drugs", (Column("visit", "id"), Column("dose", "categorical")), ()),
        ),
        (Relation("visits", ("patient",), "patients", ("id",)), Relation("drugs", ("visit",), "visits", ("id",))),
    )  # fmt: skip
    kinds = np.where(is_chronic, "chronic", "other")
    return schema, {
        "patients": pa.table({"id": np.arange(240), "kind": kinds, "age": age}),
        "visits": pa.table(
            {"id": np.arange(len(patient)), "patient": patient, "cost": rng.normal(80, 9, len(patient))}
        ),
        "drugs": pa.table({"visit": visit, "dose": rng.choice(["low", "high"], len(visit))}),
    }


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = trained_absorbing(tmp_path_factory.mktemp("clinics"), *clinics(), steps=150, width=32)
    return Path(store.artifacts["sample"] / "bundle")


def visits_of(bundle: Path, out: Path, **wishes: Any) -> tuple[list[dict[str, Any]], np.ndarray, list[str]]:
    """Return patients, how many visits each has, and what was said."""
    said: list[str] = []
    sample(bundle, 1.0, 5, out, formats=["parquet"], device="cpu", say=said.append, **wishes)
    patients, visits = pq.read_table(out / "patients.parquet"), pq.read_table(out / "visits.parquet")
    drugs = pq.read_table(out / "drugs.parquet").column("visit").to_pylist()
    assert set(drugs) <= set(visits.column("id").to_pylist()) and len(drugs) > 0.5 * visits.num_rows
    keys = {key: place for place, key in enumerate(patients.column("id").to_pylist())}
    places = [keys[key] for key in visits.column("patient").to_pylist()]
    return patients.to_pylist(), np.bincount(places, minlength=len(keys)), said


@pytest.mark.slow
def test_conditions_on_parents_bring_their_numbers_of_children(bundle: Path, tmp_path: Path) -> None:
    chronic = visits_of(bundle, tmp_path / "a", where=["patients.kind=chronic"])
    other = visits_of(bundle, tmp_path / "b", where=["patients.kind=other", "patients.age<50"])
    assert {one["kind"] for one in chronic[0]} == {"chronic"} and len(chronic[0]) == 240
    assert chronic[1].mean() > 7 and other[1].mean() < 3 and not chronic[2] and not other[2]


@pytest.mark.slow
def test_given_parents_have_the_numbers_of_children_of_such_and_those_that_are_given(
    bundle: Path, tmp_path: Path
) -> None:
    kinds = ["chronic"] * 20 + ["other"] * 20
    lines = [f"{kind},{number},{'4' if number % 20 == 0 else ''}" for number, kind in enumerate(kinds, 900)]
    (tmp_path / "patients.csv").write_text("kind,id,count(visits)\n" + "\n".join(lines) + "\n")
    (tmp_path / "visits.csv").write_text("patient\n" + "939\n" * 6)
    given = given_tables([str(tmp_path / "patients.csv"), str(tmp_path / "visits.csv")])
    patients, visits, _ = visits_of(bundle, tmp_path / "out", given=given)
    of = {one["id"]: int(count) for one, count in zip(patients, visits, strict=True)}
    assert of[900] == of[920] == 4 and of[939] >= 6
    assert np.mean([of[id_] for id_ in range(901, 920)]) > np.mean([of[id_] for id_ in range(921, 939)]) + 4


@pytest.mark.slow
def test_levels_that_are_balanced_have_their_numbers_of_children(bundle: Path, tmp_path: Path) -> None:
    patients, visits, _ = visits_of(bundle, tmp_path / "out", balance=["patients.kind"])
    is_chronic = np.array([one["kind"] == "chronic" for one in patients])
    assert is_chronic.mean() == 0.5 and visits[is_chronic].mean() > visits[~is_chronic].mean() + 4


def test_what_is_alike_is_found_among_words_times_numbers_and_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = 400
    is_big, day = rng.random(rows) < 0.3, rng.integers(0, 300, rows)
    counts = np.stack([np.where(is_big, 9, 1), np.where(day < 100, 5, 0)], axis=1)
    days = pa.array(day.astype(np.int32)).cast(pa.date32())
    sizes = pa.array(np.where(is_big, "big", None), pa.string(), from_pandas=True)
    drawn = Drawn(pa.table({"size": sizes, "day": days, "noise": rng.random(rows)}), counts)
    asked = pa.table(
        {"size": ["big", None, "big", None], "day": pa.array([20, 250, None, None], pa.int32()).cast(pa.date32())}
    )
    found = drawn.like(asked, rng)
    assert found[0].tolist() == [9, 5] and found[1, 1] == 0 and found[2, 0] == 9 and (found[3] == -1).all()
    met = drawn.meeting([Condition("size", "=", pa.array(["big"]))])
    assert met is not None and (met.counts[:, 0] == 9).all()
    assert drawn.meeting([Condition("size", "=", pa.array(["small"]))]) is None
    assert aligned(counts, counts[rng.permutation(rows)]).tolist() == counts.tolist()
