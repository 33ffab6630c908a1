"""Columns that say whose a row is: no unseen row can agree in them, and a line through them flags honest rows."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.evaluation.metric.dcr import DCR
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.owners import presence, shared_share

PATIENTS, VISITS = 300, 900


def visits(seed, without=0.0, homes=PATIENTS):
    """Visits of patients that no table holds, numbered from 1: number, house and kin are the patient's alone."""
    rng = np.random.default_rng(seed)
    house, weight = rng.permutation(homes)[np.arange(PATIENTS) % homes], rng.lognormal(0, 0.8, PATIENTS)
    patient = np.sort(rng.choice(PATIENTS, VISITS, p=weight / weight.sum()))
    numbers = {name: rng.normal(size=VISITS) for name in ("pulse", "weight")}
    ward = pa.array(rng.choice(["a", "b", "c"], VISITS, p=[0.7, 0.2, 0.1]))
    kin = pa.array([f"K{n}" for n in patient], mask=rng.random(VISITS) < without)
    return {
        "patient_id": ("categorical", pa.array([f"P{n:04d}" for n in patient])),
        "house": ("categorical", pa.array([f"H{n}" for n in house[patient]])),
        "kin": ("categorical", kin),
        "ward": ("categorical", ward),
        **{name: ("numerical", pa.array(values)) for name, values in numbers.items()},
    }


def patients_held_out(columns):
    """Every tenth patient with all visits."""
    return np.array([int(name[1:]) % 10 == 0 for name in columns["patient_id"][1].to_pylist()])


@pytest.fixture
def score(one_table, evaluation):
    def scored(metric, real, synthetic):
        held = {"t": patients_held_out(real)}
        data = evaluation(one_table(real), one_table(synthetic), wanted=("synthetic",), is_holdout=held)
        return next(iter(metric.compute(data)))

    return scored


def taken(columns, rows):
    return {name: (kind, values.take(pa.array(rows))) for name, (kind, values) in columns.items()}


@pytest.mark.parametrize("without", [0.0, 0.6], ids=["full", "with holes"])
@pytest.mark.parametrize("homes", [PATIENTS, PATIENTS - 4], ids=["own houses", "some shared"])
@pytest.mark.parametrize("caps", [{}, {"cap_queries": 800, "cap_records": 700}], ids=["searched", "indexed"])
def test_new_visits_under_numbers_that_real_patients_have_are_no_near_copies(score, without, homes, caps):
    real = visits(0, without, homes)
    found = score(NearCopies(**caps), real, visits(1, without, homes))
    assert abs(found.detail["excess"]) < 0.03
    assert found.detail["by_presence"] == ["patient_id", "house", "kin"]


def test_visits_copied_with_noise_are_near_copies_under_any_number(score):
    real, strangers = visits(0), visits(1)
    noise = np.random.default_rng(2).normal(0, 0.002, VISITS)
    rows = np.random.default_rng(3).choice(np.flatnonzero(~patients_held_out(real)), VISITS)
    copied = taken(real, rows)
    copied = {
        name: (kind, pa.array(values.to_numpy() + noise) if kind == "numerical" else strangers[name][1])
        if name != "ward"
        else (kind, values)
        for name, (kind, values) in copied.items()
    }
    assert score(NearCopies(), real, copied).value > 0.8


def test_numbers_of_training_patients_on_new_visits_are_what_dcr_sees(score):
    real, fresh = visits(0), visits(1)
    rows = np.random.default_rng(3).choice(np.flatnonzero(~patients_held_out(real)), VISITS)
    leaked = fresh | {name: taken(real, rows)[name] for name in ("patient_id", "house", "kin")}
    assert score(DCR(), real, leaked).detail["memorised"] > 0.5 > abs(score(DCR(), real, fresh).detail["memorised"])


def test_a_category_is_shared_by_entities_and_not_by_rows():
    category = Feature("c", "categorical", np.array([0, 0, 1, 1, -1, -1], np.int32), 2)
    assert shared_share(category, np.array([1, 1, 2, 2, 3, 4]), holders=2) == 0.0
    assert shared_share(category, np.array([1, 2, 2, 2, 3, 4]), holders=2) == 0.5
    assert shared_share(category, np.array([1, 2, 2, 2, 3, 4])) == 0.0
    assert shared_share(presence(category), np.arange(6)) == 0.0
    assert shared_share(presence(category), np.arange(6), holders=4) == 1.0
    assert shared_share(category.take(np.array([4, 5])), np.arange(2)) == 1.0
