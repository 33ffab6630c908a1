"""The main job as a user meets it: CSV files in, one command, results where they are looked for."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tiny_database import tiny_tables, write_csv, write_metadata
from user_commands import FEW_STEPS, LIGHT_EVALUATION, ONE_THREAD, Ended, Shell, file_hashes

from tabgraphsyn.config.top_level import GENERATOR_GROUPS, config_dir
from tabgraphsyn.orchestration.stored.packed import read_spec

TABLES = ("clerks", "customers", "orders", "favourites")

ARTIFACTS = {
    "ingest": ["schema.json", "metadata.json", "profile.json", *(f"tables/{name}.parquet" for name in TABLES)],
    "prepare": [
        "schema.json",
        "plan.json",
        "dependencies.json",
        "rules.json",
        *(f"holdout/{name}.npy" for name in TABLES),
        *(f"codec/{name}.json" for name in TABLES),
        *(f"encoded/{name}/{kind}.npy" for name in TABLES for kind in ("numerical", "categorical")),
    ],
    "structure": ["structure.json", "structure.safetensors"],
    "absorbing": ["absorbing.json", "absorbing.safetensors"],
    "sample": [
        "bundle/bundle.json",
        *(f"synthetic/{name}.{suffix}" for name in TABLES for suffix in ("csv", "parquet")),
    ],
    "evaluate": ["metrics.json"],
    "report": ["report.html"],
}


class Line:
    """A finished launch of the tiny database, and its command; what computes in its store takes a ``copy``."""

    def __init__(self, shell: Shell, source: Path) -> None:
        self.shell = shell
        self.outputs = shell.folder / "outputs"
        self.command = (
            "dataset=folder",
            f"dataset.path={source}",
            f"output_dir={self.outputs}",
            *FEW_STEPS,
            "evaluation=quick",
            "report=quick",
            *ONE_THREAD,
        )
        self.first = shell.launch(*self.command)
        (self.campaign,) = [path for path in (self.outputs / "campaigns").iterdir() if path.is_dir()]
        self.point = self.campaign / "default"

    def copy(self, outputs: Path) -> tuple[str, ...]:
        """Copy the store to ``outputs`` and return the launch's command there."""
        shutil.copytree(self.outputs, outputs, symlinks=True)
        return *self.command, f"output_dir={outputs}"

    def synthetic(self) -> dict[str, pd.DataFrame]:
        """Return the synthetic CSV files, read as the real ones would be."""
        return {name: pd.read_csv(self.point / "synthetic" / f"{name}.csv") for name in TABLES}


@pytest.fixture(scope="module")
def line(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(Shell(tmp_path_factory.mktemp("user")), tiny)


def decisions(ended: Ended) -> dict[str, str]:
    """Return label -> ``run`` or ``cached`` from a dry run."""
    rows = [text.split() for text in ended.out.splitlines() if text.startswith("  ")]
    return {label: word for word, label, *_ in rows}


def test_every_stage_leaves_its_artifacts(line: Line):
    assert line.first.counts == (10, 0)
    stages = line.outputs / "stages"
    assert sorted(path.name for path in stages.iterdir()) == sorted(ARTIFACTS)
    for kind, names in ARTIFACTS.items():
        folders = list((stages / kind).iterdir())
        assert len(folders) == (len(TABLES) if kind == "absorbing" else 1)
        for folder in folders:
            trained = kind != "absorbing" or read_spec(folder).table != "favourites"
            missing = [name for name in names if trained and not (folder / "artifacts" / name).is_file()]
            assert not missing, f"{folder}: {missing}"
            records = {path.name for path in folder.iterdir() if path.is_file()}
            own = {"done.json", *(["metrics.jsonl"] if kind == "absorbing" else [])}
            assert {"done.json"} <= records <= own, "records of a done stage are one file, and what it trained another"
            assert not [*folder.glob("attempts/*"), *folder.glob("logs/*")]
    pointers = {path.name for path in (stages / "prepare").glob("*/artifacts/pointers/*.npy")}
    assert len(pointers) == 5


def test_results_stand_where_a_person_looks(line: Line):
    names = {path.name for path in line.point.iterdir() if not path.name.startswith(".")}
    assert names == {"config.yaml", "synthetic", "metrics.json", "gate.json", "report.html", "bundle"}
    assert line.campaign.name.startswith("tiny-")
    assert str(line.campaign) in line.first.out
    assert line.first.err == ""
    metrics = json.loads((line.point / "metrics.json").read_text())
    assert metrics["metrics"][0]["privacy"] and {score["where"] for score in metrics["scores"]} >= set(TABLES)
    report = (line.point / "report.html").read_text(encoding="utf-8")
    assert all(name in report for name in TABLES)


def test_synthetic_files_have_the_schema_and_every_reference_points_to_a_row(line: Line):
    real, made = tiny_tables(), line.synthetic()
    for name in TABLES:
        assert list(made[name].columns) == list(real[name].columns)
        assert len(made[name]) == pytest.approx(len(real[name]), rel=0.25)
        parquet = pd.read_parquet(line.point / "synthetic" / f"{name}.parquet")
        assert list(parquet.columns) == list(real[name].columns) and len(parquet) == len(made[name])
    assert made["clerks"]["clerk_id"].is_unique and made["orders"]["order_id"].is_unique
    assert not made["customers"].duplicated(["region", "customer_no"]).any()
    assert not made["favourites"].duplicated().any()
    for child, columns, parent, keys in (
        ("clerks", ["boss_id"], "clerks", ["clerk_id"]),
        ("orders", ["region", "customer_no"], "customers", ["region", "customer_no"]),
        ("orders", ["clerk_id"], "clerks", ["clerk_id"]),
        ("favourites", ["order_id"], "orders", ["order_id"]),
        ("favourites", ["clerk_id"], "clerks", ["clerk_id"]),
    ):
        used = made[child][columns].dropna().set_axis(keys, axis=1)
        found = used.merge(made[parent][keys].drop_duplicates(), on=keys, how="inner")
        assert len(found) == len(used) > 0, f"{child}.{columns}"
    assert made["orders"]["clerk_id"].isna().any() and made["clerks"]["boss_id"].isna().any()
    dates = pd.to_datetime(made["orders"]["placed_on"], format="%Y-%m-%d")
    assert dates.between("2024-01-01", "2024-12-31").all()
    assert set(made["orders"]["is_paid"].dropna()) == {True, False}
    assert set(made["customers"]["segment"]) <= {"firm", "person"}


def test_the_same_command_again_computes_nothing(line: Line):
    before = {path: path.stat().st_mtime_ns for path in line.outputs.rglob("artifacts/**/*") if path.is_file()}
    assert line.shell.launch(*line.command).counts == (0, 10)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    ("override", "recomputed"),
    [
        ("codec.max_discrete=10", ["prepare", "structure", "absorbing", "sample", "evaluate"]),
        ("structure.balance=false", ["structure", "sample", "evaluate"]),
        ("gnn=gin", ["autoencoder", "gnn", "absorbing", "sample", "evaluate"]),
        ("generator.layers=1", ["absorbing", "sample", "evaluate"]),
        ("training.absorbing.steps=7", ["absorbing", "sample", "evaluate"]),
        ("sampling.scale=2", ["sample", "evaluate"]),
        ("evaluation.seed=1", ["evaluate"]),
        ("report.bins=12", []),
        ("cluster.workers=1", None),
        ("tracking=none", None),
    ],
)
def test_an_edited_value_recomputes_what_depends_on_it(
    line: Line, here: Callable[..., Ended], override: str, recomputed: list[str] | None
):
    before = file_hashes(line.outputs)
    found = decisions(here(*line.command, override, "dry_run=true"))
    assert file_hashes(line.outputs) == before, "a dry run writes nothing"
    kinds = {label.split("/")[0] for label, word in found.items() if word == "run"}
    assert kinds == (set() if recomputed is None else {*recomputed, "report"})


def test_an_edited_cell_recomputes_all_and_an_unchanged_copy_nothing(
    line: Line, here: Callable[..., Ended], tmp_path: Path
):
    tables = tiny_tables()
    write_metadata(write_csv(tables, tmp_path / "tiny"))
    moved = (*line.command, f"dataset.path={tmp_path / 'tiny'}", "dry_run=true")
    assert set(decisions(here(*moved)).values()) == {"cached"}
    tables["orders"].loc[3, "amount"] = 12.5
    write_metadata(write_csv(tables, tmp_path / "tiny"))
    assert set(decisions(here(*moved)).values()) == {"run"}


def test_a_changed_report_alone_is_computed_alone(line: Line, here: Callable[..., Ended], tmp_path: Path):
    ended = here(*line.copy(tmp_path / "outputs"), "report.bins=12", "cluster=inline")
    assert ended.counts == (1, 9)


def test_a_launch_in_the_background_is_found_by_status(line: Line, tmp_path: Path):
    outputs = tmp_path / "outputs"
    ended = line.shell.launch(*line.copy(outputs), "report.bins=10", "campaign=background", "wait=false")
    assert "background as process" in ended.out
    campaign: dict[str, Any] = {}
    end = time.monotonic() + 200
    while campaign.get("counts") != {"done": 10} and time.monotonic() < end:
        time.sleep(0.3)
        raw = json.loads(line.shell.verb("status", "--json", "--output-dir", str(outputs)).out)
        campaign = next((each for each in raw["campaigns"] if each["name"] == "background"), {})
    assert campaign["counts"] == {"done": 10}
    log = outputs / "campaigns" / "background" / "launch.log"
    while "1 computed, 9 cached" not in log.read_text() and time.monotonic() < end:
        time.sleep(0.1)
    text = line.shell.verb("status", "background", "--output-dir", str(outputs)).out
    assert "background: 1 point, 10 done; runner: ended" in text
    assert "done in" in line.shell.verb("logs", "report", "-c", "background", "--output-dir", str(outputs)).out


def test_a_dry_run_of_new_data_writes_nothing(tiny: Path, here: Callable[..., Ended], tmp_path: Path):
    outputs = tmp_path / "outputs"
    found = decisions(here("dataset=folder", f"dataset.path={tiny}", f"output_dir={outputs}", "dry_run=true"))
    assert set(found.values()) == {"run"} and len(found) == 10
    assert not outputs.exists()


def test_a_bundle_samples_where_no_real_data_is(line: Line, tmp_path: Path):
    shell = Shell(tmp_path)
    shutil.copytree(line.point / "bundle", tmp_path / "carried")
    hidden = line.outputs.rename(line.outputs.with_name("away"))
    try:
        ended = shell.verb("sample", "carried", "--scale", "2", "--seed", "7", "--out", "more")
    finally:
        hidden.rename(line.outputs)
    assert "rows  orders" in ended.out
    made = {name: pd.read_csv(tmp_path / "more" / f"{name}.csv") for name in TABLES}
    assert len(made["customers"]) == 2 * len(tiny_tables()["customers"])
    assert set(made["favourites"]["order_id"]) <= set(made["orders"]["order_id"])
    assert set(made["orders"]["clerk_id"].dropna()) <= set(made["clerks"]["clerk_id"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "more"]


@pytest.fixture(scope="module")
def inline_outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the launches of this process share."""
    yield tmp_path_factory.mktemp("inline") / "outputs"


def small(source: str, outputs: Path) -> list[str]:
    """Return the command of a launch that takes a second or two."""
    dataset = [f"dataset={source}"] if "/" not in source else ["dataset=folder", f"dataset.path={source}"]
    return [*dataset, f"output_dir={outputs}", *FEW_STEPS, *LIGHT_EVALUATION, "cluster=inline", "cluster.threads=1"]


def test_points_of_a_sweep_share_their_stages(two_tables: Path, tmp_path: Path, here: Callable[..., Ended]):
    swept = ("gnn=gin,none", "training.gnn.steps=4", "seed=0,1")
    ended = here("-m", *small(str(two_tables), tmp_path), *swept, "campaign=sweep")
    # ingest, prepare, structure once; with gnn=gin 2 autoencoders and a gnn; 2 tables, sample, evaluate, report.
    assert ended.counts == (3 + 2 * (3 + 5) + 2 * 5, 0)
    points = {path.name: path for path in (tmp_path / "campaigns" / "sweep").iterdir() if path.is_dir()}
    assert sorted(points) == ["gnn=gin,seed=0", "gnn=gin,seed=1", "gnn=none,seed=0", "gnn=none,seed=1"]
    made = [(point / "synthetic" / "orders.csv").read_bytes() for point in points.values()]
    assert len(set(made)) == 4


def _groups() -> dict[str, list[str]]:
    """Return group -> its options but the default one, of all groups that are built into a model."""
    chosen = yaml.safe_load((config_dir() / "config.yaml").read_text())["defaults"]
    default = {name: option for each in chosen if isinstance(each, dict) for name, option in each.items()}
    built = ("codec", "holdout", "structure", *GENERATOR_GROUPS)
    found = {name: sorted(path.stem for path in (config_dir() / name).glob("*.yaml")) for name in built}
    return {name: [each for each in options if each != default[name]] for name, options in found.items()}


def _combinations() -> list[list[str]]:
    """Return overrides in which every option of every group occurs once, as few launches as that takes."""
    groups = _groups()
    most = max(map(len, groups.values()))
    models = sorted(path.stem for path in (config_dir() / "model").glob("*.yaml"))
    together = []
    for n in range(most):
        chosen = {name: options[n] for name, options in groups.items() if n < len(options)}
        # The default model has no denoiser; a graph network it takes.
        latent = ["model=data_space"] if {*chosen} & {"autoencoder", "denoiser", "diffusion", "sampler"} else []
        together.append([*latent, *(f"{name}={option}" for name, option in chosen.items())])
    return [*together, *([f"model={model}"] for model in models)]


@pytest.fixture
def two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A training of the user's own in which everything takes two steps."""
    quick = yaml.safe_load((config_dir() / "training" / "quick.yaml").read_text())
    steps = {name: {"steps": 2} for name, section in quick.items() if isinstance(section, dict)}
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "two_steps.yaml").write_text(yaml.safe_dump({"defaults": ["quick", "_self_"], **steps}))
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    return "training=two_steps"


@pytest.mark.parametrize("overrides", _combinations(), ids=" ".join)
def test_every_component_runs_the_whole_line(
    two_tables: Path, inline_outputs: Path, here: Callable[..., Ended], two_steps: str, overrides: list[str]
):
    dataset = ["dataset=folder", f"dataset.path={two_tables}", f"output_dir={inline_outputs}"]
    ended = here(*dataset, *LIGHT_EVALUATION, "cluster=inline", "cluster.threads=1", two_steps, *overrides)
    assert ended.counts[0] >= 5
    folder = Path(ended.out.rsplit(": ", 1)[1].strip())
    assert (folder / "default" / "report.html").is_file()


def test_a_quota_counts_files(line: Line, tmp_path: Path):
    """Of a point, besides artifacts: a file a stage, one more where it trained, four of its own; all else as before."""
    outputs = tmp_path / "outputs"
    command = line.copy(outputs)
    before = line.shell.verb("usage", "--json", "--output-dir", str(line.outputs)).out
    for folder in (path.parent for path in outputs.glob("stages/*/*/done.json")):
        besides = [path for path in folder.rglob("*") if path.is_file() and "artifacts" not in path.parts]
        assert len(besides) <= 6, besides
    line.shell.verb("gc", "--rule", "records", "--yes", "--output-dir", str(outputs))
    stages, point = outputs / "stages", outputs / "campaigns" / line.campaign.name / "default"
    done = {path.parent for path in stages.glob("*/*/done.json")}
    trained = [folder for folder in done if folder.parent.name == "absorbing"]
    found = [path for path in stages.rglob("*") if path.is_file() and "artifacts" not in path.parts]
    assert len(done) >= 10 and len(found) <= len(done) + len(trained), sorted(found)
    own = [
        path
        for path in point.rglob("*")
        if path.is_file() and (path.parent.name == ".shown" or path.name == "config.yaml")
    ]
    assert len(own) <= 4
    assert line.shell.verb("usage", "--json", "--output-dir", str(outputs)).out == before
    assert (
        f"{len(done)} published stages checked, 0 damaged"
        in line.shell.verb("verify", "--output-dir", str(outputs)).out
    )
    assert "done in" in line.shell.verb("logs", "absorbing/orders", "--output-dir", str(outputs)).out
    again = line.shell.launch(*command)
    assert again.counts == (0, 10)


def test_one_table_alone(inline_outputs: Path, here: Callable[..., Ended]):
    ended = here(*small("breast_cancer", inline_outputs), "campaign=single")
    assert ended.counts[0] >= 5
    made = pd.read_csv(inline_outputs / "campaigns" / "single" / "default/synthetic/breast_cancer.csv")
    assert made.shape == (569, 31)
