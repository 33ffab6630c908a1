"""Types, ranges and unknown keys are found before anything is queued, for every component, without loading torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tabgraphsyn.config.checks import config_problems
from tabgraphsyn.config.composition import compose_points
from tabgraphsyn.config.targets import constructor
from tabgraphsyn.config.together import TOGETHER
from tabgraphsyn.config.top_level import COMPONENT_GROUPS, config_dir
from tabgraphsyn.config.values import value_problems
from tabgraphsyn.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def problems(*overrides: str) -> list[str]:
    # The model of the most components: the default one has no settings of a graph network, nor reads a diffusion's.
    composed = compose_points(["model=data_space", *overrides], multirun=False)
    found = list(composed.problems)
    for point in composed.points:
        found += config_problems(point.config, point.missing, (*COMPONENT_GROUPS, "tracking"), point.added)
        found += value_problems(point.config, found)
    return found


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["gnn.layers=two"], "gnn.layers: a whole number expected, found 'two'."),
        (["gnn.layers=true"], "gnn.layers: a whole number expected, found True."),
        (["gnn.layers=null"], "gnn.layers: a whole number expected, found None."),
        (["gnn.layers=[2]"], "gnn.layers: a whole number expected, found [2]."),
        (["gnn.hidden_dim=-64"], "gnn.hidden_dim: from 1 to 16384 expected, found -64."),
        (
            ["gnn=none", "gnn.layers=2"],
            "gnn.layers: no such key under 'gnn' as it is chosen. Choose one that has it",
        ),
        (["model=absorbing", "generator.width=0"], "generator.width: from 1 to 16384 expected, found 0."),
        (["gnn=gat", "gnn.heads=3"], "gnn.heads: must divide gnn.hidden_dim = 64, found 3."),
        (["gnn.dropout=1"], "gnn.dropout: at least 0 and below 1 expected, found 1."),
        (["denoiser.width=0"], "denoiser.width: from 1 to 16384 expected, found 0."),
        (["denoiser=transformer", "denoiser.heads=7"], "denoiser.heads: 7 heads must divide the width 64, found 7."),
        (["denoiser=unet", "denoiser.depth=9"], "denoiser.depth: the width 256 is halved so many times"),
        (["autoencoder=vae", "autoencoder.token_dim=0.5"], "autoencoder.token_dim: a whole number expected, found 0.5"),
        (["autoencoder=vae", "autoencoder.heads=5"], "autoencoder.heads: 5 heads must divide the width 32"),
        (["autoencoder.code_scale=0"], "autoencoder.code_scale: above 0 and at most 1e+06 expected, found 0."),
        (["diffusion.sigma_min=40"], "diffusion.sigma_min: must lie below diffusion.sigma_max = 40.0, found 40."),
        (["sampler.steps=0"], "sampler.steps: from 2 to 2000 expected, found 0."),
        (["sampler.rho=nan"], "sampler.rho: a finite number expected, found nan."),
        (["structure.balance=maybe"], "structure.balance: true or false expected, found 'maybe'."),
        (["sampling.rows={users: 5}"], "sampling.rows: 'users' is not there yet. A new key is added by +sampling.rows"),
        (["+sampling.rows.users=many"], "sampling.rows: a mapping, each value a whole number, at least 0 expected"),
        (["sampling.scale=big"], "sampling.scale: a finite number expected, found 'big'."),
        (["codec.missing=drop"], "codec.missing: one of 'category', 'factor' expected, found 'drop'."),
        (["holdout.fraction=1.5"], "holdout.fraction: at least 0 and below 1 expected, found 1.5."),
        (["report.umap=often"], "report.umap: true or false expected, found 'often'."),
        (["report.bins=0"], "report.bins: at least 1 expected, found 0."),
        (["tracking=wandb", "tracking.project=[a]"], "tracking.project: text expected, found ['a']."),
        (["training.gnn.steps=1e3"], "training.gnn.steps: a whole number expected, found 1000.0."),
        (["training.gnn.betas=[0.9]"], "training.gnn.betas: a list of 2"),
        (["training.gnn.fanout=0"], "training.gnn.fanout: at least 1 expected, found 0."),
        (["training.autoencoder.schedule=cosin"], "training.autoencoder.schedule: one of 'cosine'"),
        (
            ["training.diffusion.ema_decay=1"],
            "training.diffusion.ema_decay: a finite number, at least 0 and below 1 or null",
        ),
        (
            ["model=absorbing", "training.absorbing.steps=0.5"],
            "training.absorbing.steps: a whole number expected, found 0.5.",
        ),
        (["training.diffusion=3"], "training.diffusion: a section of settings expected, found 3."),
        (["~training.gnn"], "training.gnn: a section of settings expected, found None."),
        (["~training.gnn.steps"], "training.gnn.steps: GraphLoopConfig needs it and it is not set."),
        (["+training.gnn.stpes=3"], "training.gnn.stpes: GraphLoopConfig takes no such argument. Did you mean 'steps'"),
        (["+training.vae.steps=3"], "training.vae.steps: there is no 'vae' under 'training'."),
        (["+training.foo=3"], "training.foo: no such key under 'training'."),
        (["+foo=1"], "foo: no such key at the top level."),
        (["+foo.bar=1"], "foo.bar: there is no 'foo' at the top level."),
        (["++sede=1"], "sede: no such key at the top level. Did you mean 'seed'?"),
        (["+cluster.worker=1"], "cluster.worker: no such key under 'cluster'. Did you mean 'workers'?"),
        (["++resources.evaluat.nodes=2"], "resources.evaluat.nodes: there is no 'evaluat' under 'resources'."),
        (["+resources.gnn.thread=1"], "resources.gnn.thread: no such key under 'resources.gnn'."),
        (["+evaluation.comparison=[copy]"], "evaluation.comparison: no such key under 'evaluation'."),
        (["evaluation.comparisons=[real]"], "evaluation.comparisons: a list of one or more of"),
        (["evaluation.seed=-1"], "evaluation.seed: a whole number, at least 0, expected, found -1."),
        (["evaluation.metrics.c2st.folds=1"], "evaluation.metrics.c2st.folds: at least 2 expected, found 1."),
        (["evaluation.metrics.c2st.least_rows=3"], "evaluation.metrics.c2st.least_rows: at least one row of each side"),
        (["evaluation.gate.action=shout"], "evaluation.gate.action: one of 'warn', 'fail', 'off', found 'shout'."),
        (["evaluation.gate.confidence=2"], "evaluation.gate.confidence: a probability in [0.5, 1), found 2."),
        (["+evaluation.metrics.mine=3"], "evaluation.metrics.mine: a metric with a _target_ expected, found 3."),
        (["~evaluation.metrics"], "evaluation.metrics: at least one metric expected, found None."),
        (["~gnn._target_"], "gnn: a component with a _target_ expected"),
        (["gnn=3"], "gnn: the name of an option expected, found 3."),
        (["tracking=null"], "tracking: a group cannot be null. Use tracking=none."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_cannot_be_is_named(overrides: list[str], text: str):
    found = problems(*overrides)
    assert len(found) == 1, found
    assert found[0].startswith(text), found


@pytest.mark.parametrize(
    "overrides",
    [
        ["gnn.dropout=0"],
        ["sampling.scale=2"],
        ["+sampling.rows.users=5"],
        ["++gnn.layers=3"],
        ["~gnn.layers"],
        ["+cluster.sbatch.exclude=node7"],
        ["+evaluation.metrics.jaccard={_target_: tabgraphsyn.evaluation.metric.jaccard.Jaccard}"],
        ["training.gnn.gradient_clip=null"],
        ["denoiser.message_dim=0"],
        ["model=null"],
        ["experiment=null"],
    ],
    ids=" ".join,
)
def test_what_can_be_is_taken(overrides: list[str]):
    assert problems(*overrides) == []


def test_mistakes_of_all_kinds_come_together():
    found = problems("gnn.layers=two", "sampler.steps=0", "sampling.scale=0", "+foo=1", "training.gnn.steps=-1")
    assert len(found) == 5, found


@pytest.mark.parametrize("path", sorted(config_dir().rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_yaml_of_the_project_passes_its_own_check(path: Path):
    group = path.parent.relative_to(config_dir()).as_posix()
    if group in (*COMPONENT_GROUPS, "tracking", "model", "experiment", "cluster", "resources"):
        needed = ["dataset.path=x"] if (group, path.stem) == ("dataset", "folder") else []
        assert problems(f"{group}={path.stem}", *needed) == []


def test_every_rule_between_arguments_is_that_of_some_yaml():
    """A rule for a name that no yaml has is a rule that was left behind."""
    used: dict[str, set[str]] = {}
    for path in config_dir().rglob("*.yaml"):
        group = path.parent.relative_to(config_dir()).as_posix().replace("evaluation/metric", "evaluation.metrics")
        used.setdefault(group, set()).update(yaml.safe_load(path.read_text()) or {})
    unused = [f"{group}.{name}" for group, rules in TOGETHER.items() for rule in rules for name in rule.names
               if name not in used[group]]  # fmt: skip
    assert unused == []


# The noise's centre has any sign, a seed any value; the gate's limits depend on each other and it checks them itself.
ANY_NUMBER = ("log_mean", "seed", "confidence", "warn_confidence", "blind")


def test_every_number_in_a_yaml_has_a_range_at_its_constructor():
    unbounded = []
    for path in config_dir().rglob("*.yaml"):
        content = yaml.safe_load(path.read_text()) or {}
        accepted = constructor(str(content.get("_target_", ""))) if isinstance(content, dict) else None
        for name in content if accepted is not None else ():
            if name in accepted.types and accepted.types[name].words in ("a whole number", "a finite number"):
                unbounded.append(f"{path.stem}.{name}")
    assert [key for key in unbounded if key.rpartition(".")[2] not in ANY_NUMBER] == []


MY_GNN = """
from __future__ import annotations
import torch
from typing import Literal
from tabgraphsyn.models.gnn.encoder import GraphEncoder

Kind = Literal["slow", "fast"]


class Mine(GraphEncoder):
    def __init__(self, *, graph_schema, depth: int = 3, kind: Kind = "slow", spread: float | None = None) -> None:
        super().__init__(graph_schema=graph_schema)


class Plain(GraphEncoder):
    pass
"""


@pytest.fixture
def researcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A researcher's package on the path and a folder of yaml files beside the project's."""
    package = tmp_path / "researchers_package"
    package.mkdir()
    # Checking must not import: importing this package fails.
    (package / "__init__.py").write_text("raise ImportError('only on the nodes')\n")
    (package / "gnns.py").write_text(MY_GNN)
    monkeypatch.syspath_prepend(str(tmp_path))
    conf = tmp_path / "conf"
    (conf / "gnn").mkdir(parents=True)
    (conf / "gnn" / "mine.yaml").write_text("_target_: researchers_package.gnns.Mine\ndepth: 3\nkind: slow\n")
    (conf / "gnn" / "plain.yaml").write_text("_target_: researchers_package.gnns.Plain\nhidden_dim: 32\n")
    (conf / "training").mkdir()
    training = "defaults:\n  - quick\n  - _self_\nmy_steps: 7\ngnn:\n  steps: ${training.my_steps}\n"
    (conf / "training" / "mine.yaml").write_text(training)
    (conf / "experiment").mkdir()
    (conf / "experiment" / "mine.yaml").write_text("# @package _global_\nsede: 5\n")
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(conf))
    return conf


TRUSTED = "allow_targets=[researchers_package]"


def test_a_researchers_own_gnn_needs_one_file_and_one_yaml(researcher: Path):
    assert problems("gnn=mine", TRUSTED) == []
    assert problems("gnn=mine", TRUSTED, "+gnn.spread=0.5") == []
    assert problems("gnn=plain", TRUSTED, "+gnn.dropout=0.2") == []


def test_a_researchers_own_keys_in_a_yaml_are_theirs(researcher: Path):
    assert problems("training=mine") == []
    assert compose_points(["training=mine"], multirun=False).points[0].config["training"]["gnn"]["steps"] == 7


def test_a_typo_at_the_top_level_of_an_experiment_is_named(researcher: Path):
    with pytest.raises(ConfigError, match=r"experiment=mine: .*'sede' not in"):
        compose_points(["experiment=mine"], multirun=False)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["gnn=mine"], "gnn._target_: 'researchers_package.gnns.Mine' is outside the package."),
        (["gnn=mine", TRUSTED, "gnn.depth=deep"], "gnn.depth: a whole number expected, found 'deep'."),
        (["gnn=mine", TRUSTED, "gnn.kind=medium"], "gnn.kind: one of 'slow', 'fast' expected, found 'medium'."),
        (["gnn=mine", TRUSTED, "+gnn.dpeth=2"], "gnn.dpeth: researchers_package.gnns.Mine takes no such argument."),
        (["gnn=plain", TRUSTED, "gnn.hidden_dim=wide"], "gnn.hidden_dim: a whole number expected, found 'wide'."),
        (["gnn=plain", TRUSTED, "+gnn.graph_schema=1"], "gnn.graph_schema: the stage sets it at run time."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_researchers_own_gnn_is_checked_like_ours(researcher: Path, overrides: list[str], text: str):
    found = problems(*overrides)
    assert len(found) == 1, found
    assert found[0].startswith(text), found


def test_checking_the_models_loads_no_torch():
    code = (
        "import sys\n"
        "from tabgraphsyn.config.composition import compose_points\n"
        "from tabgraphsyn.config.top_level import COMPONENT_GROUPS\n"
        "from tabgraphsyn.config.checks import config_problems\n"
        "from tabgraphsyn.config.values import value_problems\n"
        "point = compose_points(['gnn=gin', 'gnn.layers=two'], multirun=False).points[0]\n"
        "found = config_problems(point.config, point.missing, COMPONENT_GROUPS, point.added)\n"
        "found += value_problems(point.config, found)\n"
        "print(len(found), [name for name in ('torch', 'pandas', 'wandb') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"
