"""The line from done stages to files, and from a carried bundle to files, with the real stages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import ConfigError, DataError, Interrupted
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.stages import sample as sample_stage
from tabgraphsyn.verbs.sample import parse_rows, sample

REAL_ROWS = {"cities": 8, "people": 150, "visits": 500}


def tables_of(folder: Path) -> dict[str, pa.Table]:
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def check_integrity(schema: Schema, tables: dict[str, pa.Table]) -> None:
    for item in schema.relations:
        child = tables[item.child_table].select(list(item.child_columns)).drop_null()
        parents = {
            tuple(row.values()) for row in tables[item.parent_table].select(list(item.parent_columns)).to_pylist()
        }
        assert {tuple(row.values()) for row in child.to_pylist()} <= parents, item.name
    for table in schema.tables:
        if table.primary_key:
            keys = tables[table.name].select(list(table.primary_key))
            assert keys.group_by(list(table.primary_key)).aggregate([]).num_rows == keys.num_rows


def test_stage_writes_all_tables_in_the_form_of_the_originals(small_store: Any) -> None:
    artifacts = small_store.artifacts["sample"]
    ingest = small_store.artifacts["ingest"]
    schema = Schema.from_dict(read_json(ingest / "schema.json"))
    made = tables_of(artifacts / "synthetic")
    assert set(made) == {"cities", "people", "visits", "friends"}
    check_integrity(schema, made)
    for name, table in made.items():
        real = pq.read_table(ingest / "tables" / f"{name}.parquet")
        assert table.column_names == real.column_names
        assert table.schema.types == real.schema.types, name
        assert table.num_rows == pytest.approx(real.num_rows, rel=0.12)
        assert (artifacts / "synthetic" / f"{name}.csv").is_file()
    assert made["people"].column("boss").null_count == pytest.approx(10, abs=6)
    assert made["visits"].column("guide").null_count / made["visits"].num_rows == pytest.approx(0.25, abs=0.06)
    lines = (artifacts / "synthetic" / "visits.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "visit,person,guide,day,paid,score"
    read = pacsv.read_csv(artifacts / "synthetic" / "visits.csv")
    assert set(pc.unique(read.column("paid")).to_pylist()) <= {True, False, "True", "False"}
    assert all(len(day.split(".")) == 3 for day in read.column("day").to_pylist() if day)
    rates = [line for line in small_store.tracker.lines if "writing_s" in line]
    assert len(rates) == 4
    assert not list((artifacts / "synthetic").glob(".*"))


def test_no_real_row_travels_in_the_bundle(small_store: Any) -> None:
    bundle = small_store.artifacts["sample"] / "bundle"
    content = b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())
    people = pq.read_table(small_store.artifacts["ingest"] / "tables" / "people.parquet")
    for column in ("person", "note"):
        found = [value for value in people.column(column).to_pylist() if value.encode() in content]
        assert found == [], column
    assert str(small_store.root).encode() not in content


def test_sampling_works_after_the_real_data_and_the_store_are_gone(bundle: Path, tmp_path: Path) -> None:
    # Another process, another folder: nothing is left of the store but the carried bundle.
    script = (
        "from pathlib import Path; from tabgraphsyn.verbs.sample import sample; "
        "print(sample(Path('bundle'), scale=2.0, seed=7, out=Path('out'), formats=['parquet']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=bundle.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = tables_of(bundle.parent / "out")
    assert not list((bundle.parent / "out").glob("*.csv"))
    assert made["cities"].num_rows == 8
    assert made["people"].num_rows == 300
    assert made["visits"].num_rows == pytest.approx(1000, rel=0.1)
    check_integrity(Schema.from_dict(read_json(bundle / "schema.json")), made)


def test_same_seed_same_tables_other_seed_other_tables(bundle: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        sample(bundle, 0.5, seed, tmp_path / name, formats=["parquet"], device="cpu")
    first, again, other = (tables_of(tmp_path / name) for name in "abc")
    assert all(first[name].equals(again[name]) for name in first)
    assert not first["people"].equals(other["people"])
    assert not first["visits"].select(["score", "paid"]).equals(other["visits"].select(["score", "paid"]))


def test_bf16_makes_other_rows_of_the_same_kind(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    for precision in ("float32", "bf16"):
        sample(bundle, 1.0, 3, tmp_path / precision, formats=["parquet"], device="cpu", precision=precision)
    exact, coarse = tables_of(tmp_path / "float32"), tables_of(tmp_path / "bf16")
    assert not exact["visits"].equals(coarse["visits"])
    assert exact["visits"].schema == coarse["visits"].schema
    check_integrity(Schema.from_dict(read_json(bundle / "schema.json")), coarse)
    with pytest.raises(ConfigError, match=r"sampling\.precision"):
        sample(bundle, out=tmp_path / "odd", device="cpu", precision="fp8")


def test_rows_and_defaults_of_the_bundle(bundle: Path, tmp_path: Path) -> None:
    rows = sample(bundle, rows={"people": 40}, out=tmp_path / "out", device="cpu")
    assert rows["people"] == 40
    assert rows["cities"] == 8
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".parquet", ".csv"}


def test_sampling_leaves_other_files_alone_and_nothing_half_written(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="no such table"):
        sample(bundle, rows={"peopel": 3}, out=tmp_path, device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "mine.txt"]


def test_an_interrupt_between_tables_drops_what_was_sampled(small_store: Any, tmp_path: Path) -> None:
    context = small_store.context("sample", small_store.sample_roles(), requested=True)
    fresh = type(context)(**{**vars(context), "folder": tmp_path})
    with pytest.raises(Interrupted):
        sample_stage.run(fresh)
    assert not (tmp_path / "artifacts" / "synthetic").exists()


@pytest.mark.parametrize("name", ["gnn.safetensors", "codec/people.json", "diffusion/visits.safetensors"])
def test_missing_or_changed_files_are_named(bundle: Path, name: str) -> None:
    path = bundle / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"#")
    with pytest.raises(DataError, match=rf"{name}: its content is not"):
        sample(bundle, device="cpu")
    path.unlink()
    with pytest.raises(DataError, match=rf"files that are listed, but missing: '{name}'"):
        sample(bundle, device="cpu")


def test_what_is_no_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a bundle has a bundle\.json, found none"):
        sample(tmp_path)
    manifest = read_json(bundle / "bundle.json")
    write_json(bundle / "bundle.json", {**manifest, "format_version": 99})
    with pytest.raises(DataError, match="format_version 5 expected, found 99"):
        sample(bundle)
    (bundle / "bundle.json").write_text("{")
    with pytest.raises(DataError, match="was truncated"):
        sample(bundle)


def test_bundle_says_where_it_comes_from(small_store: Any) -> None:
    manifest = read_json(small_store.artifacts["sample"] / "bundle" / "bundle.json")
    assert manifest["provenance"]["signatures"]["gnn"] == "signature-gnn"
    assert manifest["components"]["denoiser/people"]["_target_"].endswith("Mlp")
    assert manifest["tables"][0] == "cities"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"formats": ["xls"]}, "'xls'"),
        ({"formats": []}, "formats"),
        ({"batch_rows": 0}, "batch_rows"),
        ({"scale": -1.0}, "scale"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SamplingConfig(**wrong)


def test_rows_on_the_command_line() -> None:
    assert parse_rows(["a=1", "b=c=2"]) == {"a": 1, "b=c": 2}
    with pytest.raises(ConfigError, match="TABLE=NUMBER"):
        parse_rows(["people"])


def test_one_table_without_relations(tmp_path: Path, train_small: Any) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=300)
    table = pa.table(
        {"x": values, "kind": np.where(values > 0, "plus", "minus"), "both": values * 2 + rng.normal(size=300)}
    )
    schema = Schema(
        (TableSchema("points", (Column("x", "numerical"), Column("kind", "categorical"), Column("both", "numerical"))),)
    )
    store = train_small(tmp_path, schema, {"points": table})
    made = tables_of(store.artifacts["sample"] / "synthetic")["points"]
    assert made.num_rows == 300
    assert made.schema.types == table.schema.types
    shutil.rmtree(store.root / "ingest")
    assert sample(store.artifacts["sample"] / "bundle", 3.0, 1, tmp_path / "out", device="cpu") == {"points": 900}


@pytest.mark.parametrize("nothing", [None, 0.0])
def test_a_ledger_stays_balanced(tmp_path: Path, train_small: Any, nothing: float | None) -> None:
    """Entries count their lines and say the sum of both sides; a line stands on one side."""
    rng, entries, lines = np.random.default_rng(0), [], []
    for number in range(160):
        total = round(float(np.exp(rng.normal(5, 1))), 2)
        sides = [int(rng.integers(1, 4)), int(rng.integers(1, 3))]
        for side, count in enumerate(sides):
            parts = np.round(rng.dirichlet(np.ones(count)) * total, 2)
            parts[-1] = round(total - parts[:-1].sum(), 2)
            for part in parts.tolist():
                lines.append((number, *((part, nothing) if side == 0 else (nothing, part))))
        entries.append((number, total, sum(sides)))
    schema = Schema(
        (
            TableSchema(
                "entries",
                (Column("entry", "id"), Column("total", "numerical"), Column("lines", "numerical")),
                ("entry",),
            ),
            TableSchema("lines", (Column("entry", "id"), Column("debit", "numerical"), Column("credit", "numerical"))),
        ),
        (Relation("lines", ("entry",), "entries", ("entry",)),),
    )
    tables = {
        "entries": pa.table(dict(zip(("entry", "total", "lines"), zip(*entries, strict=True), strict=True))),
        "lines": pa.table(dict(zip(("entry", "debit", "credit"), zip(*lines, strict=True), strict=True))),
    }
    store = train_small(tmp_path, schema, tables)
    made = tables_of(store.artifacts["sample"] / "synthetic")
    entry = {one["entry"]: one for one in made["entries"].to_pylist()}
    sums = made["lines"].group_by("entry").aggregate([("debit", "sum"), ("credit", "sum"), ("entry", "count")])
    both = [one for one in sums.to_pylist() if one["debit_sum"] and one["credit_sum"]]
    assert len(both) > 40
    for one in both:
        assert one["debit_sum"] == pytest.approx(one["credit_sum"], abs=0.006)
        assert one["debit_sum"] == pytest.approx(entry[one["entry"]]["total"], abs=0.006)
    assert all(entry[one["entry"]]["lines"] == one["entry_count"] for one in sums.to_pylist())
