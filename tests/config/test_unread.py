"""Settings that nothing reads: no part of a signature, and refused where somebody sets them."""

from __future__ import annotations

import functools

import pytest

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.unread import unread_problems, unread_sections
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan

DATA = ("dataset=folder", "dataset.path=/data")
ON_GRAPH = ("model=absorbing", "gnn=sage")


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
    ("component", "setting"),
    [
        ("autoencoder=data_space", "training.autoencoder.steps=99"),
        ("gnn=none", "training.gnn.steps=99"),
        ("gnn=none", "training.gnn.betas=[.8,.9]"),
    ],
)
def test_settings_of_what_is_not_trained(component: str, setting: str) -> None:
    assert signatures(component, setting) == signatures(component)
    (problem,) = found(component, setting)
    assert problem.startswith(f"{setting.partition('=')[0]}: nothing reads it")


@pytest.mark.parametrize(
    ("component", "setting"),
    [("autoencoder=vae", "training.autoencoder.steps=99"), ("gnn=sage", "training.gnn.steps=99")],
)
def test_settings_of_what_is_trained(component: str, setting: str) -> None:
    assert signatures(component, setting) != signatures(component)
    assert found(component, setting) == []


def test_a_sweep_in_which_one_point_reads_a_setting_takes_it() -> None:
    assert found("autoencoder=vae,data_space", "training.autoencoder.steps=3", multirun=True) == []
    assert len(found("gnn=none", "training.gnn.steps=3,4", multirun=True)) == 1


def test_a_training_option_is_no_single_setting() -> None:
    assert found("training=quick", "autoencoder=data_space") == []


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
    alone, told, latent = (signatures(*words) for words in (("model=absorbing",), ON_GRAPH, ("gnn=sage",)))
    assert signatures("model=absorbing", "gnn=none") == alone and "gnn" not in alone
    trained = ("gnn", "autoencoder/a", "autoencoder/b")
    assert {label: told[label] for label in trained} == {label: latent[label] for label in trained}
    assert told["absorbing/a"] != alone["absorbing/a"] and told["sample"] != alone["sample"]
    assert signatures(*ON_GRAPH, "gnn.layers=1")["absorbing/b"] != told["absorbing/b"]


def test_what_only_a_graph_network_reads_is_read_with_one_alone() -> None:
    setting = "autoencoder=vae"
    assert found(*ON_GRAPH, setting) == [] and len(found("model=absorbing", setting)) == 1
    assert found("model=absorbing", "gnn=none") == [] and len(found(*ON_GRAPH, "denoiser=unet")) == 1


def test_fidelity_takes_the_generator_that_unmasks_and_the_latent_one_where_it_is_named() -> None:
    kinds = {name.partition("/")[0] for name in signatures("experiment=fidelity")}
    assert "absorbing" in kinds and not kinds & {"diffusion", "gnn"}
    swept = compose_points([*DATA, "experiment=fidelity", "gnn=gin,none"], multirun=True)
    assert swept.problems == [] and found("experiment=fidelity", "gnn=gin,none", multirun=True) == []
    words = ("experiment=fidelity", "model=data_space")
    assert "diffusion/a" in signatures(*words) and found(*words, "training.diffusion.steps=9") == []
