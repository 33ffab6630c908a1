"""Sibling trends: what follows what within a parent, in the order that the real file or its times give."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.metric.sibling_trends import SiblingTrends
from tabgraphsyn.evaluation.score import Unscored

VISITS = ("patient", "at", "pulse", "ward")
SCHEMA = Schema(
    (
        TableSchema("patient", (Column("id", "id"),), ("id",)),
        TableSchema(
            "visit",
            tuple(
                Column(name, kind)
                for name, kind in zip(VISITS, ("id", "datetime", "numerical", "categorical"), strict=True)
            ),
            (),
        ),
    ),
    (Relation("visit", ("patient",), "patient", ("id",)),),
)


def visits(seed: int, patients: int = 200, each: int = 6, *, told: bool = True, sort: bool = False) -> Database:
    """Pulse and ward go on from visit to visit (``told``) or are drawn anew; rows lie in any order of the file."""
    rng = np.random.default_rng(seed)
    pulse, ward = np.zeros((patients, each)), np.zeros((patients, each), dtype=int)
    for visit in range(each):
        last = pulse[:, visit - 1] if visit and told else rng.normal(0, 1, patients)
        pulse[:, visit] = 0.95 * last + 0.3 * rng.normal(0, 1, patients)
        stays = (rng.random(patients) < 0.85) & bool(visit) & told
        ward[:, visit] = np.where(stays, ward[:, visit - 1], rng.integers(0, 4, patients))
    days = np.sort(rng.random((patients, each)) * 365, axis=1)
    order = np.arange(patients * each) if sort else rng.permutation(patients * each)
    at = np.datetime64("2020-01-01", "us") + (days.ravel()[order] * 86_400e6).astype("timedelta64[us]")
    rows = {
        "patient": np.repeat(np.arange(patients), each)[order],
        "at": at,
        "pulse": pulse.ravel()[order],
        "ward": pa.array([f"ward {one}" for one in ward.ravel()[order]]),
    }
    tables = {"patient": pa.table({"id": np.arange(patients)}), "visit": pa.table(rows)}
    return Database(SCHEMA, {name: Table(SCHEMA.table(name), table) for name, table in tables.items()})


@pytest.mark.parametrize("sort", [False, True])
def test_rows_that_go_on_from_the_row_before_are_told_from_rows_drawn_anew(evaluation, value, sort: bool):
    real = visits(0, sort=sort)
    like = SiblingTrends().compute(evaluation(real, visits(1, sort=sort), wanted=("synthetic",)))
    anew = SiblingTrends().compute(evaluation(real, visits(2, told=False, sort=sort), wanted=("synthetic",)))
    (relation,) = [one for one in like if getattr(one, "level", "") == "relation"]
    assert relation.detail["order"] == ("file" if sort else "at") and relation.detail["parts"] == 3
    assert value(like, "database") > 0.85 and value(anew, "database") < value(like, "database") - 0.15
    worst = {one["where"] for one in next(r for r in anew if getattr(r, "level", "") == "relation").detail["worst"][:2]}
    assert worst == {"visit.pulse", "visit.ward"}


def test_a_database_without_siblings_says_why_it_has_no_score(evaluation):
    found = SiblingTrends().compute(evaluation(visits(0, each=1), visits(1, each=1), wanted=("synthetic",)))
    assert [type(one) for one in found] == [Unscored, Unscored]
    assert "0 pairs of real siblings" in found[0].reason and "no parent with several rows" in found[1].reason


def test_a_generator_that_leaves_out_siblings_gets_nothing(evaluation, value):
    found = SiblingTrends().compute(evaluation(visits(0), visits(1, each=1), wanted=("synthetic",)))
    assert value(found, "database") == 0.0
