"""The stage, from the artifacts of prepare to its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.layout import CategoricalField, NumericalField, TableLayout
from tabgraphsyn.errors import DataError, Interrupted, StageError
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.stages import autoencoder as stage
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.training.interrupt import NeverInterrupted

CONF = Path(__file__).parents[2] / "conf"
CONFIGS = sorted((CONF / "autoencoder").glob("*.yaml"))
ROWS = 1200
LAYOUTS = {
    "rows": TableLayout((NumericalField("x"),), (CategoricalField("c", 3),)),
    "keys": TableLayout((), ()),
}


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    training = yaml.safe_load((CONF / "training" / "quick.yaml").read_text())
    training["autoencoder"] |= {"steps": 40, "validate_every": 20, "log_every": 10}
    autoencoder = yaml.safe_load(request.param.read_text())
    return {"autoencoder": autoencoder, "training": {"autoencoder": training["autoencoder"]}, "seed": 4}


@pytest.fixture
def prepare(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "prepare"
    for table, layout in LAYOUTS.items():
        low = rng.normal(size=(ROWS, len(layout.numerical), 1))
        numerical = np.concatenate([low, low + 0.1], axis=2).astype(np.float32)
        categorical = rng.integers(0, 3, (ROWS, len(layout.categorical))).astype(np.int32)
        (folder / "encoded" / table).mkdir(parents=True)
        np.save(folder / "encoded" / table / "numerical.npy", numerical)
        np.save(folder / "encoded" / table / "categorical.npy", categorical)
        write_json(folder / "codec" / f"{table}.json", {"layout": layout.to_dict()})
    return folder


def context(config: dict[str, Any], prepare: Path, folder: Path, table: str, interrupt: Any = None) -> StageContext:
    folder.mkdir(parents=True, exist_ok=True)
    return StageContext(
        stage="autoencoder",
        table=table,
        signature="0" * 8,
        folder=folder,
        config=config,
        inputs={"prepare": prepare},
        resources=Resources(),
        tracker=JsonlTracker(folder / "metrics.jsonl"),
        interrupt=interrupt or NeverInterrupted(),
    )


def test_what_is_written_is_what_is_loaded(config: dict[str, Any], prepare: Path, tmp_path: Path) -> None:
    here = context(config, prepare, tmp_path / "stage", "rows")
    stage.run(here)
    assert sorted(path.name for path in here.artifacts.iterdir()) == [
        "autoencoder.json",
        "autoencoder.safetensors",
        "latents.npy",
    ]
    latents = np.load(here.artifacts / "latents.npy")
    loaded = stage.load_autoencoder(here.artifacts)
    assert not loaded.training
    assert latents.shape == (ROWS, loaded.latent_dim) and latents.dtype == np.float32
    numerical = np.load(prepare / "encoded" / "rows" / "numerical.npy").mean(axis=2)
    categorical = np.load(prepare / "encoded" / "rows" / "categorical.npy")
    with torch.no_grad():
        found = loaded.encode(EncodedBatch(torch.from_numpy(numerical), torch.from_numpy(categorical).long()))
    assert np.allclose(found.numpy(), latents, atol=1e-5)
    training = read_json(here.artifacts / "autoencoder.json")["training"]
    assert (training is not None) == loaded.is_trained
    if loaded.is_trained:
        assert training["steps"] == 40
        assert np.allclose(latents.std(axis=0).max(), 1.0, atol=0.01)


def test_a_table_of_keys_only(config: dict[str, Any], prepare: Path, tmp_path: Path) -> None:
    here = context(config, prepare, tmp_path / "stage", "keys")
    stage.run(here)
    assert np.load(here.artifacts / "latents.npy").shape == (ROWS, 0)
    assert stage.load_autoencoder(here.artifacts).latent_dim == 0


def test_the_seed_decides_and_nothing_else(config: dict[str, Any], prepare: Path, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((4, 4, 5)):
        torch.manual_seed(number)
        here = context({**config, "seed": seed}, prepare, tmp_path / str(number), "rows")
        stage.run(here)
        weights.append(load_file(here.artifacts / "autoencoder.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    if stage.load_autoencoder(tmp_path / "0" / "artifacts").is_trained:
        assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


class AfterSomeLooks(NeverInterrupted):
    """Asks to stop when it was looked at some times."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def requested(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def test_an_interrupted_stage_goes_on_and_ends_the_same(config: dict[str, Any], prepare: Path, tmp_path: Path) -> None:
    whole = context(config, prepare, tmp_path / "whole", "rows")
    stage.run(whole)
    if not stage.load_autoencoder(whole.artifacts).is_trained:
        pytest.skip("nothing is trained")
    folder = tmp_path / "cut"
    with pytest.raises(Interrupted):
        stage.run(context(config, prepare, folder, "rows", AfterSomeLooks(17)))
    assert not (folder / "artifacts" / "autoencoder.json").exists()
    here = context(config, prepare, folder, "rows")
    stage.run(here)
    for name in ("autoencoder.safetensors", "latents.npy"):
        assert (here.artifacts / name).read_bytes() == (whole.artifacts / name).read_bytes()


def test_missing_and_foreign_files_are_named(config: dict[str, Any], prepare: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no autoencoder\.json"):
        stage.load_autoencoder(tmp_path)
    here = context(config, prepare, tmp_path / "stage", "rows")
    stage.run(here)
    saved = read_json(here.artifacts / "autoencoder.json")
    saved["layout"]["categorical"].append({"name": "new", "levels": 7})
    write_json(here.artifacts / "autoencoder.json", saved)
    with pytest.raises(DataError, match=r"autoencoder\.safetensors: .* which the config"):
        stage.load_autoencoder(here.artifacts)
