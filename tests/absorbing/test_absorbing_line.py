"""``model=absorbing`` from prepared rows to a bundle, and from a carried bundle to files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.errors import DataError
from tabgraphsyn.verbs.sample import sample

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from fuzz_bundles import renew


@pytest.fixture
def bundle(absorbing_store: Any, tmp_path: Path) -> Path:
    """Return a copy of the bundle far from the store."""
    source = absorbing_store.artifacts["sample"] / "bundle"
    return Path(shutil.copytree(source, tmp_path / "carried" / "bundle"))


def test_new_tables_have_the_form_of_the_real_ones_and_values_of_no_person(absorbing_store: Any) -> None:
    made, ingest = absorbing_store.artifacts["sample"] / "synthetic", absorbing_store.artifacts["ingest"]
    for name in ("cities", "people", "visits", "friends"):
        new, real = pq.read_table(made / f"{name}.parquet"), pq.read_table(ingest / "tables" / f"{name}.parquet")
        assert new.schema.types == real.schema.types and new.column_names == real.column_names
        assert new.num_rows == pytest.approx(real.num_rows, rel=0.15)
    people, real = (pq.read_table(folder / "people.parquet") for folder in (made, ingest / "tables"))
    height = people.column("height").to_numpy()
    assert not set(height.tolist()) & set(real.column("height").to_pylist())
    assert pc.min(real.column("height")).as_py() - 10 < height.min() <= height.max() < 1000
    visits = pq.read_table(made / "visits.parquet")
    assert set(visits.column("person").to_pylist()) <= set(people.column("person").to_pylist())


def test_a_carried_bundle_makes_the_same_rows_every_time(bundle: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        sample(bundle, 1.5, seed, tmp_path / name, formats=["parquet"], device="cpu")
    first, again, other = (pq.read_table(tmp_path / name / "visits.parquet") for name in "abc")
    assert first.equals(again) and not first.select(["score"]).equals(other.select(["score"]))
    assert pq.read_table(tmp_path / "a" / "people.parquet").num_rows == 225


def changed(bundle: Path, name: str, key: str, value: Any) -> None:
    raw = json.loads((bundle / name).read_text())
    raw[key] = value
    (bundle / name).write_text(json.dumps(raw))
    renew(bundle)


def not_finite(bundle: Path) -> None:
    name = bundle / "absorbing" / "visits.safetensors"
    arrays = load_file(name)
    arrays["stem.weight"][0, 0] = np.nan
    save_file(arrays, name)
    renew(bundle)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bundle: changed(bundle, "absorbing/visits.json", "more", 1), "more"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "digits", []), "an entry for each number"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "facts", 900), "facts.weight"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "told_by", [[0, 900]]), "categorical fields of the"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "told_by", [[900, 0]]), "told_by: fields below"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "table", "people"), "another name"),
        (lambda bundle: changed(bundle, "absorbing/visits.json", "training", None), "weights where"),
        (not_finite, "finite"),
    ],
)
def test_what_no_bundle_says_is_refused(
    bundle: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    change(bundle)
    with pytest.raises(DataError, match=words):
        sample(bundle, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_levels_stand_for_enough_entities(absorbing_store: Any) -> None:
    prepared = Prepared(absorbing_store.artifacts["prepare"])
    record = json.loads((absorbing_store.artifacts["absorbing/visits"] / "absorbing.json").read_text())
    assert len(record["digits"]) == len(prepared.layout("visits").numerical)
    assert record["has_families"] and record["training"]["best_validation"] is not None
