"""From file to report: no real row, no name and no rare value in the bundle, the tables, the report or the scores."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_database import write_csv
from user_commands import FEW_STEPS, LIGHT_EVALUATION

ROOT = Path(__file__).resolve().parents[2]
FIRST = ["Ada", "Bruno", "Chloe", "Dario", "Elif", "Farid", "Gesa", "Hugo", "Ines", "Jonas", "Kemal", "Lena"]
LAST = ["Martova", "Kolberg", "Verdal", "Sanmann", "Dolez", "Reetin", "Zimova", "Marez", "Kolova", "Verberg"]
PATIENTS, LABS = 150, 900


def search(*arguments):
    place = ROOT / "scripts" / "search_outputs.py"
    spec = importlib.util.spec_from_file_location("search_outputs", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(one) for one in arguments])


def hospital():
    """One patient holds an eighth of the laboratory rows, one has a disease of her own; a ward of six beds."""
    rng = np.random.default_rng(7)
    pairs = [(FIRST[n % 12], LAST[n // 12 % 10] + "xyz"[n // 120 % 3]) for n in range(PATIENTS)]
    patient = pd.DataFrame(
        {
            "patient_id": np.arange(1, PATIENTS + 1),
            "full_name": [f"{a} {b}" for a, b in pairs],
            "mail": [f"{a}.{b}@clinic.example".lower() for a, b in pairs],
            "born": pd.to_datetime("1930-01-01") + pd.to_timedelta(rng.integers(0, 27_000, PATIENTS), unit="D"),
            "postcode": rng.integers(10_000, 99_999, PATIENTS),
            "income": rng.lognormal(10.4, 0.5, PATIENTS).astype(int),
            "diagnosis": ["Fabry disease" if n == 77 else ["flu", "asthma", "none"][n % 3] for n in range(PATIENTS)],
            "note": [f"{a} {b} called about day {n}" for n, (a, b) in enumerate(pairs)],
        }
    )
    owner = np.where(rng.random(LABS) < 0.13, 17, rng.integers(1, PATIENTS + 1, LABS))
    lab = pd.DataFrame(
        {
            "lab_id": np.arange(1, LABS + 1),
            "patient_id": owner,
            "ward_id": rng.integers(1, 7, LABS),
            "creatinine": np.where(owner == 17, rng.normal(8, 0.2, LABS), rng.normal(1, 0.2, LABS)).round(2),
        }
    )
    ward = pd.DataFrame(
        {
            "ward_id": np.arange(1, 7),
            "chief": [f"Dr. {LAST[n]}" for n in range(6)],
            "label": [f"Station {letter}-{n}" for n, letter in enumerate("QWERTZ")],
            "budget": [912_345 + 7_777 * n for n in range(6)],
        }
    )
    return {"patient": patient, "lab": lab, "ward": ward}


def test_nothing_of_a_person_leaves_a_run(here, tmp_path):
    data = write_csv(hospital(), tmp_path / "hospital")
    place = (f"dataset.path={data}", f"output_dir={tmp_path / 'out'}", "cluster=inline", "cluster.threads=1")
    done = here("dataset=folder", *place, *FEW_STEPS, *LIGHT_EVALUATION)
    point = next((tmp_path / "out" / "campaigns").glob("*/default"))
    assert search(data, point) == 0
    # The wards are six rows: nobody decided that they may be published, so they are not, and cannot be judged.
    # Fifteen patients are held out: a row more among the nearest can warn.
    assert re.search(r"privacy gate: (not judged|warn): .*2 of 3 tables judged.*'ward'", done.out), done.out
    tables = {name: pd.read_csv(point / "synthetic" / f"{name}.csv") for name in ("patient", "lab", "ward")}
    assert tables["patient"].full_name.is_unique and tables["patient"].mail.is_unique
    assert tables["patient"].mail.str.fullmatch(r"[^@]+@example\.(org|com|net)").all()
    assert tables["patient"].postcode.between(10_000, 99_999).all()
    assert set(tables["patient"].diagnosis) <= {"flu", "asthma", "none"}
    assert tables["lab"].creatinine.max() < 3  # what one patient alone has is not a value of the output
    page = (point / "report.html").read_text(encoding="utf-8")
    assert "cannot be told from real ones" not in page and "patient.full_name" in page


@pytest.mark.parametrize("kind", ["row", "name", "number"])
def test_the_search_finds_what_it_is_for(tmp_path, kind):
    data, point = write_csv(hospital(), tmp_path / "hospital"), tmp_path / "point"
    (point / "bundle" / "codec").mkdir(parents=True)
    (point / "synthetic").mkdir()
    if kind == "row":
        hospital()["patient"].head(50).to_csv(point / "synthetic" / "patient.csv", index=False)
    elif kind == "name":
        (point / "report.html").write_text(f"<p>{hospital()['patient'].full_name[5]}</p>", encoding="utf-8")
    else:
        codec = f'{{"kind": "numerical", "atoms": {{"values": [{hospital()["patient"].income[3]}]}}}}'
        text = f'{{"columns": [{{"name": "income", "codec": {codec}}}]}}'
        (point / "bundle" / "codec" / "patient.json").write_text(text, encoding="utf-8")
    assert search(data, point) == 1
