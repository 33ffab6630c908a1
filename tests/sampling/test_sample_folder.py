"""Where ``tabgraphsyn sample`` writes: no table twice, new in one format and old in the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.verbs.sample import sample


def test_one_format_beside_the_other_of_a_former_run_is_refused(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sample(bundle, seed=1, out=out, formats=["csv"], device="cpu")
    names = {path.name for path in out.iterdir()}
    assert names == {"cities.csv", "people.csv", "visits.csv", "friends.csv"}
    before = {name: (out / name).read_bytes() for name in names}
    with pytest.raises(ConfigError, match=r"--out: .* holds .*'people\.csv'.* already, which --format parquet"):
        sample(bundle, seed=2, out=out, formats=["parquet"], device="cpu")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    sample(bundle, seed=2, out=out, formats=["csv"], device="cpu")
    assert {path.name for path in out.iterdir()} == names
    assert (out / "people.csv").read_bytes() != before["people.csv"]


def test_files_of_other_tables_are_no_hindrance(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.parquet").write_bytes(b"mine")
    sample(bundle, out=tmp_path, formats=["csv"], device="cpu")
    assert (tmp_path / "notes.parquet").read_bytes() == b"mine"
    assert (tmp_path / "people.csv").is_file()
