"""The stage from folder to folder, and conditions for generated rows by the same path."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from tabgraphsyn.data.files import write_json
from tabgraphsyn.errors import ConfigError, Interrupted, StageError
from tabgraphsyn.stages import gnn
from tabgraphsyn.stages.conditioning import load_conditions
from tabgraphsyn.stages.context import Resources, StageContext
from tabgraphsyn.training.conditions import ConditionTask, GraphLoopConfig

TRAINING = {"steps": 6, "batch_rows": 16, "learning_rate": 1e-3, "validate_every": 3, "log_every": 2}


@dataclass
class Recorder:
    lines: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def log(self, metrics, step: int) -> None:
        self.lines.append((step, dict(metrics)))

    def rewind(self, step: int, recorded=None) -> None:
        self.lines = [line for line in self.lines if line[0] <= step]

    def recorded(self):
        return ()

    def close(self) -> None: ...


@dataclass
class Flag:
    """Asks to stop when it has been looked at so many times."""

    looks: int = 10**9
    overtaken = False

    @property
    def requested(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture
def context(small, tmp_path: Path):
    """Return a maker of contexts over the small database."""
    prepare = tmp_path / "prepare"
    write_json(prepare / "schema.json", small.schema.to_dict())
    write_json(prepare / "plan.json", {**small.plan, "training_rows": small.rows, "real_rows": small.rows})
    (prepare / "pointers").mkdir()
    for name, parent_row in small.pointers().items():
        np.save(prepare / "pointers" / f"{name}.npy", parent_row)
    inputs = {"prepare": prepare}
    for table, values in small.latents().items():
        inputs[f"autoencoder/{table}"] = tmp_path / "autoencoder" / table
        inputs[f"autoencoder/{table}"].mkdir(parents=True)
        np.save(inputs[f"autoencoder/{table}"] / "latents.npy", values.numpy())

    def make(config, folder: str = "gnn", training=None, interrupt=None) -> StageContext:
        return StageContext(
            stage="gnn",
            table=None,
            signature="0",
            folder=tmp_path / folder,
            config={"gnn": config, "training": {"gnn": {**TRAINING, **(training or {})}}, "seed": 3},
            inputs=inputs,
            resources=Resources(),
            tracker=Recorder(),
            interrupt=interrupt or Flag(),
            log=logging.getLogger("test"),
        )

    return make


def conditions_in(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.load(path) for path in sorted((folder / "condition").glob("*.npy"))}


def test_conditions_at_sampling_are_those_of_training(config, small, context) -> None:
    stage = context(config)
    gnn.run(stage)
    source = load_conditions(stage.artifacts, "cpu")
    written = conditions_in(stage.artifacts)
    assert set(written) == set(small.rows)
    for table, expected in written.items():
        assert expected.dtype == np.float32
        assert expected.shape == (small.rows[table], source.encoder.condition_dim)
        found = source.condition(table, small.rows, small.pointers(), small.latents())
        assert np.array_equal(found.numpy(), expected)
        before = {t: small.latents()[t] for t in small.plan["order"][: small.plan["order"].index(table)]}
        assert np.array_equal(source.open(small.rows, small.pointers()).condition(table, before).numpy(), expected)
    assert not any(str(stage.folder.parent) in text for text in [(stage.artifacts / "gnn.json").read_text()])
    if source.encoder.condition_dim:
        assert all(np.abs(values.mean(axis=0)).max() < 1e-2 for values in written.values())


def test_same_seed_same_files_sampled_too(trained_config, context) -> None:
    for name, training in (("whole", {}), ("sampled", {"full_batch_rows": 0, "fanout": 2})):
        first, second = (context(trained_config, f"{name}-{run}", training) for run in "ab")
        for stage in (first, second):
            gnn.run(stage)
        assert (first.artifacts / "gnn.safetensors").read_bytes() == (second.artifacts / "gnn.safetensors").read_bytes()
        one, other = conditions_in(first.artifacts), conditions_in(second.artifacts)
        assert all(np.array_equal(one[table], other[table]) for table in one)


def test_interrupted_and_resumed_ends_the_same(trained_config, context) -> None:
    whole, parts = context(trained_config, "whole"), context(trained_config, "parts")
    gnn.run(whole)
    with pytest.raises(Interrupted):
        gnn.run(context(trained_config, "parts", interrupt=Flag(looks=4)))
    assert not (parts.artifacts / "gnn.json").exists()
    gnn.run(parts)
    assert (whole.artifacts / "gnn.safetensors").read_bytes() == (parts.artifacts / "gnn.safetensors").read_bytes()


def test_metrics_and_summary_are_recorded(small, context, trained_config) -> None:
    stage = context(trained_config)
    gnn.run(stage)
    assert {"loss", "prediction", "reconstruction", "rows_per_s"} <= set(stage.tracker.lines[0][1])
    assert any("validation_loss" in metrics for _, metrics in stage.tracker.lines)
    saved = json.loads((stage.artifacts / "gnn.json").read_text())
    assert saved["training"]["steps"] == 6
    assert saved["graph_schema"]["tables"] == small.plan["order"]


def test_generated_rows_of_another_number(trained_config, small, context) -> None:
    stage = context(trained_config)
    gnn.run(stage)
    rows = {table: 3 * count for table, count in small.rows.items()}
    database = load_conditions(stage.artifacts, "cpu").open(rows, small.pointers(1, rows))
    latents: dict[str, torch.Tensor] = {}
    for table in small.plan["order"]:
        condition = database.condition(table, latents)
        assert condition.shape == (rows[table], 64)
        assert torch.isfinite(condition).all()
        latents[table] = small.latents(2, rows)[table]


def test_latents_that_are_missing_are_named(trained_config, small, context) -> None:
    stage = context(trained_config)
    gnn.run(stage)
    database = load_conditions(stage.artifacts, "cpu").open(small.rows, small.pointers())
    with pytest.raises(StageError, match="latents of 'airport'"):
        database.condition("crew", {})
    with pytest.raises(StageError, match=r"\(7, 5\), found \(6, 5\)"):
        database.condition("crew", {"airport": torch.zeros(6, 5)})


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"gnn\.json"):
        load_conditions(tmp_path, "cpu")


def test_runtime_argument_in_the_yaml_is_refused(trained_config, context) -> None:
    with pytest.raises(ConfigError, match="graph_schema"):
        gnn.run(context({**trained_config, "graph_schema": None}))


@pytest.mark.parametrize("bad", [{"fanout": 0}, {"full_batch_rows": -1}, {"validation_share": 1.0}])
def test_settings_out_of_range_are_refused(bad) -> None:
    with pytest.raises(ConfigError, match=rf"training\.gnn\.{next(iter(bad))}"):
        GraphLoopConfig(**TRAINING, **bad)


def test_validation_rows_are_never_asked_for(small, trained_config) -> None:
    for limit in (10**6, 0):
        config = GraphLoopConfig(**TRAINING, full_batch_rows=limit)
        task = ConditionTask(small.encoder(trained_config), small.graph(), config, seed=0)
        assert set(task.targets) == {"airport", "crew", "flight", "note"}
        assert len(task.validation_rows["flight"]) == 12
        assert not set(task.training_rows["flight"]) & set(task.validation_rows["flight"])
        assert task.validation_loss() == task.validation_loss()
        assert {task.target_at(step) for step in range(60)} == set(task.targets)
        assert all(task.rows_in_step(step) > 0 for step in range(5))
