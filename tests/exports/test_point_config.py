"""A point's own config.yaml reproduces it: the same signatures, whatever the defaults are."""

from __future__ import annotations

import subprocess
import sys

import pytest
from machine_words import words_of_this_machine

from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.whole import parsed_whole
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.campaign.config_texts import ConfigTexts
from tabgraphsyn.orchestration.code import stage_code


def written(*overrides: str) -> tuple[dict, bytes]:
    composed = compose_points(overrides, multirun=False)
    assert composed.problems == []
    return composed.points[0].config, ConfigTexts().text(composed.points[0].config).encode()


@pytest.mark.parametrize(
    "overrides",
    [
        ("experiment=quickstart",),
        ("evaluation=full", "~evaluation.metrics.c2st", "~evaluation.metrics.utility"),
        ("model=vae", "gnn=none", "training.diffusion.learning_rate=1e-5", "seed=7"),
        ("dataset.null_values=['1e5','\\${seed}','yes','12:30','null','a\\\\b']", "dataset.limit={table: a, rows: 3}"),
    ],
    ids=["experiment", "without metrics", "components", "texts that look like something"],
)
def test_a_whole_config_comes_back_as_it_was(overrides: tuple[str, ...]):
    config, text = written(*overrides)
    composed = compose_points((), multirun=False, whole=parsed_whole(text, "config.yaml"))
    assert composed.problems == []
    assert composed.points[0].config == config


def test_overrides_and_whole_sections_are_set_on_it():
    config, text = written("~evaluation.metrics.c2st")
    whole = parsed_whole(text, "config.yaml")
    found = compose_points(("cluster=slurm", "seed=3"), multirun=False, whole=whole)
    changed = {key for key, value in found.points[0].config.items() if value != config[key]}
    assert (found.problems, changed) == ([], {"cluster", "seed"})
    assert len(compose_points(("seed=3,4",), multirun=True, whole=whole).points) == 2
    with pytest.raises(ConfigError, match="experiment: with --config only a whole section"):
        compose_points(("experiment=quickstart",), multirun=False, whole=whole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(b"codec:", b"kodec:"), ["'kodec'", "'codec' missing, and no default"]),
        (lambda text: b"- 1", ["found list"]),
        (lambda text: b"a: [", ["yaml of a whole config"]),
        (lambda text: b"a: &a [1]\nb: [" + b"*a, " * 200 + b"]", ["at most 100 aliases"]),
        (lambda text: b"\xff\xfe\x00", ["yaml of a whole config"]),
    ],
    ids=["another key", "a list", "no yaml", "aliases", "bytes"],
)
def test_what_is_no_whole_config_is_refused(change, words: list[str]):
    with pytest.raises(ConfigError) as refused:
        parsed_whole(change(written()[1]), "theirs.yaml")
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_value_of_a_wrong_type_is_named():
    whole = parsed_whole(written()[1].replace(b"workers: 0", b"workers: many"), "theirs.yaml")
    with pytest.raises(ConfigError, match=r"cluster: .*many"):
        compose_points((), multirun=False, whole=whole)


def test_a_text_that_reads_the_environment_is_only_a_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "s3cret-value")
    whole = parsed_whole(written()[1].replace(b"name: nycflights13", b"name: ${oc.env:WANDB_API_KEY}"), "theirs.yaml")
    found = compose_points((), multirun=False, whole=whole).points[0].config
    assert found["dataset"]["name"] == "${oc.env:WANDB_API_KEY}"


def test_the_points_config_finds_all_of_its_results(finished, capfd: pytest.CaptureFixture[str]):
    from tabgraphsyn.launch import main

    config = finished.point / "config.yaml"
    code = main(["--config", str(config), f"output_dir={finished.out}", "campaign=again", "cluster=inline"])
    told = capfd.readouterr()
    assert code == 0, told.err
    assert "(0 computed, 15 cached" in told.out
    assert "made by other code" not in told.out


def test_code_that_changed_under_the_same_version_is_said(
    finished, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    from tabgraphsyn.launch import main

    ours = stage_code._hash
    changed = "tabgraphsyn.stages.prepare"
    monkeypatch.setattr(stage_code, "_hash", lambda roots: "0" * 16 if changed in roots else ours(roots))
    assert main([f"--config={finished.point / 'config.yaml'}", f"output_dir={finished.out}", "dry_run=true"]) == 0
    told = capfd.readouterr().out
    assert "1 done stages are used as they are and were made by other code" in told and "'prepare'" in told


def test_the_code_of_a_stage_is_what_it_and_its_components_import():
    def code(module: str, target: str = "") -> str:
        return stage_code.stage_code(f"tabgraphsyn.stages.{module}", {"denoiser": {"_target_": target}})

    imported = stage_code._imported("tabgraphsyn.stages.evaluate")
    assert "tabgraphsyn.evaluation.run" in imported
    mlp, unet = (f"tabgraphsyn.models.denoiser.{name}.X" for name in ("mlp", "unet"))
    assert code("diffusion", mlp) == code("diffusion", mlp) != code("diffusion", unet)
    assert code("diffusion", "somebody.elses.Class") == code("diffusion")
    probe = (
        "import sys; from tabgraphsyn.orchestration.code.stage_code import stage_code; "
        "stage_code('tabgraphsyn.stages.report', {}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_what_a_point_shows_names_no_place(original):
    """The config says where its data lay, for its own machine; nothing else in the folder does."""
    words = words_of_this_machine(original.data, original.out)
    for path in sorted(original.point.rglob("*")):
        if path.is_file() and path.name != "config.yaml":
            content = path.read_bytes()
            assert [word for word in words if word.encode() in content] == [], path
