from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.config.checks import config_problems
from tabgraphsyn.config.composition import compose_points, group_options
from tabgraphsyn.config.top_level import COMPONENT_GROUPS, config_dir, user_config_dir
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generators.frame import kinds_with, own_generators

ROOT = Path(__file__).resolve().parents[2]
GROUPS = (*COMPONENT_GROUPS, "tracking")


def problems(*overrides: str, multirun: bool = False) -> list[str]:
    composed = compose_points(overrides, multirun=multirun)
    found = list(composed.problems)
    for point in composed.points:
        found += config_problems(point.config, point.missing, GROUPS)
    return found


def test_the_defaults_compose_and_have_no_problem():
    assert problems() == []


def test_every_mistake_is_found_at_once():
    found = problems("gnn=gni", "sed=1", "training.gnn.stepz=3", "cluster.workers=many", "clutser.workers=1", "seed=-1")
    text = "\n".join(found)
    assert len(found) == 6
    assert "gnn=gni: no such option. Did you mean 'gin'?" in text
    assert "sed: no such key at the top level. Did you mean 'seed'?" in text
    assert "training.gnn.stepz: no such key under 'training.gnn'. Did you mean 'steps'?" in text
    assert "cluster.workers=many" in text and "Integer" in text
    assert "clutser.workers: there is no 'clutser'. Did you mean 'cluster'?" in text
    assert "seed: at least 0, found -1" in text


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("gnn=null", "gnn: a group cannot be null. Use gnn=none."),
        ("~gnn", "gnn: the group was removed"),
        ("training=[]", "training: the group was removed"),
        ("+gnn.wdith=3", "takes no such argument"),
        ("denoiser._target_=os.system", "is outside the package"),
        ("denoiser._target_=tabgraphsyn.models.denoiser.mlp.Mpl", "Did you mean"),
        ("+denoiser.latent_dim=3", "denoiser.latent_dim: the stage sets it at run time"),
        ("campaign='a;b'", "campaign: 'a;b' names a folder"),
        ("campaign=../x", "campaign: '../x' names a folder"),
        ("cluster.executor=slrum", "cluster.executor: one of"),
        ("cluster.heartbeat_s=50", "a living stage is taken for dead"),
        ("resources.gnn.device=tpu", "resources.gnn.device: one of"),
        ("nonsense", "'nonsense' is not an override"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(override: str, text: str):
    found = problems(override)
    assert any(text in problem for problem in found), found


def test_a_value_that_must_be_set_is_asked_for():
    found = problems("dataset=folder")
    assert found == ["dataset.path: must be set and has no default. Add dataset.path=<value>."]


def test_a_target_of_a_package_that_is_trusted():
    assert problems("denoiser._target_=mine.Denoiser", "allow_targets=[mine]") == []


def test_a_sweep_needs_the_flag():
    with pytest.raises(ConfigError, match="Add -m"):
        compose_points(["gnn=gin,gat"], multirun=False)


def test_a_sweep_is_the_product_in_the_order_typed():
    composed = compose_points(["gnn=gin,gat", "seed=range(0,2)", "training.gnn.steps=7"], multirun=True)
    assert composed.problems == []
    assert [point.name for point in composed.points] == [
        *("gnn=gin,seed=0", "gnn=gin,seed=1", "gnn=gat,seed=0", "gnn=gat,seed=1")
    ]
    assert [point.config["seed"] for point in composed.points] == [0, 1, 0, 1]
    assert all(point.config["training"]["gnn"]["steps"] == 7 for point in composed.points)
    targets = [point.config["gnn"]["_target_"] for point in composed.points]
    assert targets[0] == targets[1] != targets[2] == targets[3]


def test_points_share_no_values():
    """One composition serves many points: what one sets must not stay for the next."""
    composed = compose_points(["training.gnn={steps:3},{batch_rows:9}"], multirun=True)
    first, second = (point.config["training"]["gnn"] for point in composed.points)
    assert (first["steps"], second["batch_rows"]) == (3, 9)
    assert second["steps"] != 3


def test_a_later_override_wins_also_over_a_sweep():
    composed = compose_points(["seed=0,1", "gnn=gin", "seed=5"], multirun=True)
    assert [point.config["seed"] for point in composed.points] == [5]


def test_glob_takes_every_option():
    composed = compose_points(["gnn=glob(*)"], multirun=True)
    assert len(composed.points) == len(list((config_dir() / "gnn").glob("*.yaml")))


def test_a_point_name_is_a_folder_name():
    composed = compose_points(["dataset.name='a/b','c d;e'"], multirun=True)
    assert [point.name for point in composed.points] == ["dataset.name=_a_b_", "dataset.name=_c_d_e_"] or all(
        "/" not in point.name and ";" not in point.name and " " not in point.name for point in composed.points
    )


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml")))
def test_every_experiment_composes(experiment: str):
    assert problems(f"experiment={experiment}") == []


@pytest.mark.parametrize("model", sorted(path.stem for path in (config_dir() / "model").glob("*.yaml")))
def test_a_preset_gives_way_to_a_component_that_is_named(model: str):
    assert problems(f"model={model}") == []
    composed = compose_points([f"model={model}", "denoiser=transformer"], multirun=False)
    assert "transformer" in composed.points[0].config["denoiser"]["_target_"]


def test_the_users_own_dataset_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    assert user_config_dir() == tmp_path
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: mine\npath: /data\n")
    assert "mine" in group_options()["dataset"]
    composed = compose_points(["dataset=mine"], multirun=False)
    assert composed.problems == []
    dataset = composed.points[0].config["dataset"]
    assert (dataset["name"], dataset["path"]) == ("mine", "/data")
    # What the yaml leaves open has a key all the same, which the command line can set without a +.
    assert compose_points(["dataset=mine", "dataset.header=false"], multirun=False).problems == []


def test_resources_know_every_stage_kind():
    wanted = {kind.name for generator in own_generators() for kind in kinds_with(generator)}
    for option in ("default", "measured"):
        (point,) = compose_points([f"resources={option}"], multirun=False).points
        assert set(point.config["resources"]) == wanted


def test_stage_keys_exist_in_the_config():
    config = compose_points([], multirun=False).points[0].config
    for kind in STAGES.of(config).kinds.values():
        for key in kind.config_keys:
            node = config
            for part in key.split("."):
                assert part in node, f"{kind.name} reads {key}"
                node = node[part]


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_help_is_quick_and_loads_nothing_heavy(arguments: list[str]):
    code = (
        "import sys, time; from tabgraphsyn import launch; "
        f"code = launch.main({arguments!r}); "
        "heavy = [name for name in ('torch', 'pandas', 'wandb', 'pyarrow', 'numpy') if name in sys.modules]; "
        "print(code, heavy, time.process_time(), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    code_text, heavy, seconds = done.stderr.strip().rsplit(" ", 2)[0], done.stderr, float(done.stderr.split()[-1])
    assert code_text.startswith("0") and "[]" in heavy
    # CPU time, as a busy machine stretches the wall clock; 0.5 s when it was written, and some machines are slow.
    assert seconds < 4
    assert "training:" in done.stdout


def test_importing_launch_is_light():
    code = "import sys, tabgraphsyn.launch; print([n for n in ('torch','pandas','wandb','hydra') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("gnn=gin,gat", "seed=0,1", "training.gnn.steps=3,4"),
        ("seed=range(0,3)", "training.gnn.learning_rate=choice(1e-3,0.1)"),
        ("campaign='a,b',c", "dataset.path=/x,null"),
    ],
)
def test_a_sweep_composes_each_point_as_it_is_composed_alone(arguments: tuple[str, ...]):
    composed = compose_points(arguments, multirun=True)
    assert not composed.problems and len(composed.points) >= 4
    for point in composed.points:
        (alone,) = compose_points(point.overrides, multirun=False).points
        assert (point.config, point.missing) == (alone.config, alone.missing)


def test_swept_values_reach_what_is_made_from_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A user's yaml may refer to other keys: then a point is more than what the sweep sets."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: run-${seed}\npath: ???\n")
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path))
    points = compose_points(["dataset=mine", "seed=1,2"], multirun=True).points
    assert [point.config["dataset"]["name"] for point in points] == ["run-1", "run-2"]
    assert all(point.missing == ("dataset.path",) for point in points)
    swept = compose_points(["dataset=mine", "dataset.path=${output_dir}/a,b", "seed=1,2"], multirun=True).points
    assert {(point.config["seed"], Path(point.config["dataset"]["path"]).name) for point in swept} == {
        (seed, name) for seed in (1, 2) for name in "ab"
    }
    assert all(point.missing == () for point in swept)


def test_every_point_of_a_sweep_is_checked():
    """Points share what the sweep does not set; what it sets is checked in each of them."""
    found = problems("gnn=gin,gat", "gnn.layers=2,-1", "seed=0,1,-5", multirun=True)
    text = "\n".join(found)
    assert "gnn.layers" in text and "-1" in text
    assert "seed: at least 0, found -5" in text
