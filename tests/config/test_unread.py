"""Settings that nothing reads: no part of a signature, and refused where somebody sets them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.unread import unread_problems, unread_sections
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan

DATA = ("dataset=folder", "dataset.path=/data")
ON_GRAPH = ("gnn=sage",)


LATENT = "model=data_space"


@functools.cache
def signatures(*overrides: str) -> dict[str, str]:
    (point,) = compose_points([*DATA, *overrides], multirun=False).points
    made = plan([PlannedPoint("default", point.config, "content", ("a", "b"))], STAGES)
    return dict(made.points["default"])


def found(*overrides: str, multirun: bool = False) -> list[str]:
    composed = compose_points([*DATA, *overrides], multirun=multirun)
    assert composed.problems == []
    return unread_problems((point.overrides, point.config) for point in composed.points)


@pytest.mark.parametrize(
    ("component", "setting", "remedy"),
    [
        ("autoencoder=data_space", "training.autoencoder.steps=99", "choose autoencoder=vae."),
        ("gnn=none", "training.gnn.steps=99", "gnn=gin"),
        ("gnn=none", "training.gnn.betas=[.8,.9]", "gnn=sage"),
    ],
)
def test_settings_of_what_is_not_trained(component: str, setting: str, remedy: str) -> None:
    assert signatures(LATENT, component, setting) == signatures(LATENT, component)
    (problem,) = found(LATENT, component, setting)
    assert problem.startswith(f"{setting.partition('=')[0]}: nothing reads it") and remedy in problem


@pytest.mark.parametrize(
    ("component", "setting"),
    [("autoencoder=vae", "training.autoencoder.steps=99"), ("gnn=sage", "training.gnn.steps=99")],
)
def test_settings_of_what_is_trained(component: str, setting: str) -> None:
    assert signatures(LATENT, component, setting) != signatures(LATENT, component)
    assert found(LATENT, component, setting) == []


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("autoencoder=vae", "or choose model=data_space or model=vae."),
        ("training.diffusion.steps=9", "it reads 'training.absorbing'. Remove it, or choose model=data_space or"),
        ("training.evaluate_every=9", "or choose model=data_space or model=vae."),
        ("training.gnn.steps=9", "or choose gnn=edgecnn, "),
    ],
)
def test_what_the_default_model_has_no_use_for_is_refused_with_the_model_that_reads_it(
    setting: str, remedy: str
) -> None:
    (problem,) = found(setting)
    assert problem.startswith(f"{setting.partition('=')[0]}: nothing reads it: ") and "Absorbing" in problem
    assert remedy in problem
    model = next(word for word in ("model=vae", "gnn=gin") if word in problem)
    assert found(model, setting) == []


def test_a_sweep_in_which_one_point_reads_a_setting_takes_it() -> None:
    assert found(LATENT, "autoencoder=vae,data_space", "training.autoencoder.steps=3", multirun=True) == []
    assert found("model=absorbing,data_space", "sampler.steps=3", multirun=True) == []
    assert len(found("gnn=none", "training.gnn.steps=3,4", multirun=True)) == 1


def test_a_training_option_is_no_single_setting() -> None:
    assert found("training=quick", LATENT) == found("training=quick") == []


def test_a_class_outside_the_package_may_be_trained() -> None:
    assert unread_sections({"gnn": {"_target_": "elsewhere.Net"}, "autoencoder": None}) == {}


@pytest.mark.parametrize(
    "label", ["dataset.name=other", "dataset.max_columns=7", "dataset.max_expansion=3", "evaluation.gate.action=fail"]
)
def test_labels_and_limits_identify_nothing(label: str) -> None:
    assert signatures(label) == signatures()


def test_what_changes_the_rows_identifies() -> None:
    assert signatures("dataset.header=false") != signatures()


def test_a_generator_that_can_do_without_a_graph_network_has_one_where_it_is_named() -> None:
    alone, told, latent = (signatures(*words) for words in ((), ON_GRAPH, (LATENT, "gnn=sage")))
    assert signatures("model=absorbing") == signatures("gnn=none") == alone and "gnn" not in alone
    trained = ("gnn", "autoencoder/a", "autoencoder/b")
    assert {label: told[label] for label in trained} == {label: latent[label] for label in trained}
    assert told["absorbing/a"] != alone["absorbing/a"] and told["sample"] != alone["sample"]
    assert signatures(*ON_GRAPH, "gnn.layers=1")["absorbing/b"] != told["absorbing/b"]


def test_what_only_a_graph_network_reads_is_read_with_one_alone() -> None:
    setting = "autoencoder=vae"
    assert found(*ON_GRAPH, setting) == [] and len(found(setting)) == 1
    assert found("gnn=none") == [] and len(found(*ON_GRAPH, "denoiser=unet")) == 1


@pytest.mark.parametrize("experiment", ["null", "fidelity", "quickstart"])
def test_columns_are_unmasked_unless_another_model_is_named(experiment: str) -> None:
    words = (f"experiment={experiment}",)
    kinds = {name.partition("/")[0] for name in signatures(*words)}
    assert "absorbing" in kinds and not kinds & {"autoencoder", "diffusion", "gnn"}
    assert found(*words, "gnn=gin,none", multirun=True) == []
    kinds = {name.partition("/")[0] for name in signatures(*words, LATENT)}
    assert {"autoencoder", "gnn", "diffusion"} <= kinds and "absorbing" not in kinds
    assert found(*words, LATENT, "training.diffusion.steps=9") == []


def test_a_users_experiment_chooses_the_model_or_the_graph_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    (tmp_path / "experiment").mkdir()
    for name, override in (("told", "/gnn: gin"), ("latent", "/model: vae"), ("least", "/generator: latent_diffusion")):
        text = f"# @package _global_\ndefaults:\n  - override {override}\n"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
    chosen = {}
    for name in ("told", "latent", "least"):
        (point,) = compose_points([*DATA, f"experiment={name}"], multirun=False).points
        parts = ("generator", "autoencoder", "gnn")
        chosen[name] = [point.config[each]["_target_"].rpartition(".")[2] for each in parts]
    assert chosen == {
        "told": ["Absorbing", "DataSpace", "Gin"],
        "latent": ["LatentDiffusion", "VAE", "Gin"],
        "least": ["LatentDiffusion", "DataSpace", "NoConditions"],
    }
