"""Where ``tabgraphsyn sample`` writes: no table twice, new in one format and old in the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generation.writer import write_table
from tabgraphsyn.verbs.cli import main
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


def test_the_folder_of_a_sweep_point_is_enough(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "point").mkdir()
    shutil.copytree(bundle, tmp_path / "point" / "bundle")
    sample(tmp_path / "point", out=tmp_path / "of point", formats=["csv"], device="cpu")
    sample(bundle, out=tmp_path / "of bundle", formats=["csv"], device="cpu")
    assert (tmp_path / "of point" / "people.csv").read_bytes() == (tmp_path / "of bundle" / "people.csv").read_bytes()


@pytest.mark.parametrize("names_real", [True, False], ids=["--real", "beside"])
def test_samples_in_the_layout_of_syntherela_are_scored_as_they_lie(
    bundle: Path,
    tmp_path: Path,
    names_real: bool,
    real_people: tuple[Schema, dict[str, pa.Table]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``sample`` and ``evaluate`` as typed; the real tables are named, or lie in ``original`` beside the samples."""
    root, out = tmp_path / "data", tmp_path / "scores"
    schema, tables = real_people
    original = tmp_path / "real" if names_real else root / "original" / "people"
    original.mkdir(parents=True)
    for table in schema.tables:
        write_table(table, [tables[table.name]], original, ["csv"])
    write_json(original / "metadata.json", metadata_dict(schema))
    layout = ["--layout", "syntherela", "--dataset", "people", "--samples", "2", "--out", str(root)]
    assert main(["sample", str(bundle), "--device", "cpu", *layout]) == 0
    real = ["--real", str(original), "--metadata", str(original / "metadata.json")] if names_real else []
    light = [f"~evaluation.metrics.{name}" for name in ("c2st", "c2st_agg", "near_copies", "dcr")]
    settings = [part for text in light for part in ("--set", text)]
    command = ["evaluate", "--synthetic", str(root), *real, "--out", str(out), "--protocol", "quick", *settings]
    assert main([*command, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    for number in (1, 2):
        name = f"people/TABGRAPHSYN/1/sample{number}"
        scored = read_json(out / name / "metrics.json")
        keys = {score["where"]: score["value"] for score in scored["scores"] if score["metric"] == "keys"}
        assert scored["problems"] == [] and keys["database"] == 1.0
        assert scored["rows"]["visits"]["real"] == 500 and scored["rows"]["visits"]["synthetic"] > 0
        assert name in printed and str(out / name / "metrics.json") in printed  # not broken over two lines
