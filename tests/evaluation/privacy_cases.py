"""Databases of people with visits, and generators of known honesty: what the privacy gate must and must not catch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.sides.data import EvaluationData

CLINIC = Schema(
    tables=(
        TableSchema(
            "person",
            (
                Column("id", "id"),
                Column("age", "numerical"),
                Column("income", "numerical"),
                Column("height", "numerical"),
                Column("city", "categorical"),
            ),
            ("id",),
        ),
        TableSchema(
            "visit",
            (
                Column("id", "id"),
                Column("person", "id"),
                Column("reason", "categorical"),
                Column("ward", "categorical"),
                Column("days", "numerical"),
            ),
            ("id",),
        ),
    ),
    relations=(Relation("visit", ("person",), "person", ("id",)),),
)
PEOPLE = 500

Rows = dict[str, dict[str, np.ndarray]]


def people(seed: int, count: int = PEOPLE) -> Rows:
    """Fresh rows of the population: incomes have a long tail, visits are coarse and depend on the person's age."""
    rng = np.random.default_rng(seed)
    age = rng.gamma(6, 7, count)
    number = rng.poisson(4, count)
    person = np.repeat(np.arange(count), number)
    return {
        "person": {
            "id": np.arange(count),
            "age": age,
            "income": np.exp(rng.normal(7, 0.7, count)) + 20 * age,
            "height": rng.normal(170, 9, count),
            "city": rng.choice(["a", "b", "c", "d"], count, p=[0.5, 0.3, 0.15, 0.05]),
        },
        "visit": {
            "id": np.arange(len(person)),
            "person": person,
            "reason": rng.choice(["check", "pain", "fall", "cough", "skin"], len(person)),
            "ward": rng.choice(["one", "two", "three"], len(person)),
            "days": np.minimum(rng.poisson(1 + age[person] / 30), 9).astype(np.float64),
        },
    }


def held_out(rows: Rows, share: float = 0.1) -> dict[str, np.ndarray]:
    """Every tenth person with all visits."""
    person = np.arange(len(rows["person"]["id"])) % round(1 / share) == 0
    return {"person": person, "visit": person[rows["visit"]["person"]]}


def chosen(rows: Rows, picked: np.ndarray) -> Rows:
    """Some people, in the order given and under new keys, with their visits."""
    owner = rows["visit"]["person"]
    order = np.argsort(owner, kind="stable")
    first, after = (np.searchsorted(owner[order], picked, side) for side in ("left", "right"))
    at = np.concatenate([order[low:high] for low, high in zip(first, after, strict=True)] or [np.zeros(0, np.int64)])
    visit = {name: values[at] for name, values in rows["visit"].items()}
    visit["person"], visit["id"] = np.repeat(np.arange(len(picked)), after - first), np.arange(len(at))
    person = {name: values[picked] for name, values in rows["person"].items()}
    return {"person": person | {"id": np.arange(len(picked))}, "visit": visit}


def together(left: Rows, right: Rows) -> Rows:
    """Both sets of people, the right ones under keys that follow."""
    shift = {("person", "id"): len(left["person"]["id"]), ("visit", "person"): len(left["person"]["id"])}
    shift["visit", "id"] = len(left["visit"]["id"])
    return {
        table: {
            name: np.concatenate([values, right[table][name] + shift.get((table, name), 0)])
            if (table, name) in shift
            else np.concatenate([values, right[table][name]])
            for name, values in columns.items()
        }
        for table, columns in left.items()
    }


def with_noise(rows: Rows, share: float, seed: int) -> Rows:
    """Numbers of people moved by normal noise of so large a share of their standard deviation."""
    rng = np.random.default_rng(seed)
    person = dict(rows["person"])
    for name in ("age", "income", "height"):
        person[name] = person[name] + rng.normal(0, share * person[name].std(), len(person[name]))
    return {**rows, "person": person}


def coarse(rows: Rows) -> Rows:
    """People known by decade of age, class of income and of height: their rows repeat, their families hardly do."""
    person = dict(rows["person"])
    person["age"], person["height"] = np.round(person["age"], -1), np.round(person["height"], -1)
    person["income"] = np.round(np.log(person["income"]))
    return {**rows, "person": person}


def isolated(rows: Rows, among: np.ndarray, count: int) -> np.ndarray:
    """The people farthest from their second nearest, by standardised numbers."""
    numbers = np.stack([rows["person"][name] for name in ("age", "income", "height")], 1)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    away = np.sqrt(np.square(numbers[:, None] - numbers[None]).sum(2))
    return among[np.argsort(-np.sort(away, 1)[among, 2])[:count]]


def clinic(rows: Rows) -> Database:
    """The rows as a database."""
    return Database(CLINIC, {t.name: Table(t, pa.table({c: pa.array(v) for c, v in rows[t.name].items()}))
                             for t in CLINIC.tables})  # fmt: skip


def evaluated(real: Rows, synthetic: Rows, **settings: Any) -> EvaluationData:
    """The clinic with every tenth person held out."""
    settings.setdefault("is_holdout", held_out(real))
    settings.setdefault("wanted", ("synthetic",))
    return EvaluationData(real=clinic(real), synthetic=clinic(synthetic), **settings)
