"""A denoiser, a graph network, a metric, a structure model and a sampler of a user's own: one ``.py`` and one ``.yaml``
each, run through the whole line; nothing of tabgraphsyn is edited, and no list names them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from user_commands import FEW_LATENT_STEPS, LIGHT_EVALUATION, Ended

PACKAGE = "my_components"

# group -> code, and the settings of its yaml.
COMPONENTS = {
    "denoiser": (
        """
        from torch import nn
        from tabgraphsyn.ranges import Width
        from tabgraphsyn.models.denoiser.base import Denoiser
        from tabgraphsyn.models.denoiser.stem import ContextEmbedding, NoiseEmbedding


        class Mine(Denoiser):
            def __init__(self, *, latent_dim: int, output_dim: int, condition_dim: int, width: Width = 8) -> None:
                super().__init__()
                self.stem, self.head = nn.Linear(latent_dim, width), nn.Linear(width, output_dim)
                self.noise = NoiseEmbedding(width=width)
                self.embedding = ContextEmbedding(condition_dim=condition_dim, width=width)

            def context(self, condition, siblings):
                return self.embedding(condition, siblings)

            def forward(self, scaled, noise, context, siblings):
                return self.head((self.stem(scaled) + context + self.noise(noise, siblings)).tanh())
        """,
        "width: 12",
    ),
    "gnn": (
        """
        from torch import nn
        from tabgraphsyn.models.gnn.encoder import GraphEncoder


        class Total(nn.Module):
            def forward(self, source, target, edges):
                return edges.total(edges.from_source(source)).tanh()


        class Mine(GraphEncoder):
            def convolution(self):
                return Total()
        """,
        "hidden_dim: 8\ncondition_dim: 8",
    ),
    "evaluation/metric": (
        """
        from tabgraphsyn.evaluation.column_metric import ColumnMetric
        from tabgraphsyn.evaluation.statistics.statistics import known


        class Mine(ColumnMetric):
            name, title, range, direction, kinds = "mine", "Gap of means", "0 and up", "lower", ("numerical",)
            measures, reading, source, worst = "Distance of the means of a number.", "0: none.", "this test", 1.0

            def column(self, real, other):
                return float(abs(known(real).mean() - known(other).mean()))

            def influences(self, real, other, groups):
                return None
        """,
        "",
    ),
    "structure": (
        """
        from tabgraphsyn.generation.structure.skeleton import SkeletonStructure


        class Mine(SkeletonStructure):
            def grow(self, *, scale, rows, seed):
                return super().grow(scale=scale, rows=rows, seed=seed + 1)
        """,
        "balance: false",
    ),
    "sampler": (
        """
        from itertools import pairwise
        from tabgraphsyn.diffusion.sampler.base import KarrasSampler


        class Mine(KarrasSampler):
            def solve(self, denoised, noisy, levels):
                for level, following in pairwise(levels.tolist()):
                    noisy = noisy + (following - level) * (noisy - denoised(noisy, level)) / level
                return noisy
        """,
        "steps: 5",
    ),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder with a package on the path and its yaml files."""
    (tmp_path / PACKAGE).mkdir()
    for group, (code, settings) in COMPONENTS.items():
        module = group.partition("/")[2] or group
        (tmp_path / PACKAGE / f"{module}.py").write_text(textwrap.dedent(code))
        yaml = tmp_path / "conf" / group / "mine.yaml"
        yaml.parent.mkdir(parents=True)
        yaml.write_text(f"_target_: {PACKAGE}.{module}.Mine\n{settings}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.mark.slow  # the fast form runs the examples of docs/extend.md
def test_one_file_and_one_yaml_each_run_the_whole_line(package: Path, two_tables: Path, here: Callable[..., Ended]):
    few = [text for text in FEW_LATENT_STEPS if not text.startswith("sampler.")]
    chosen = ["denoiser=mine", "gnn=mine", "structure=mine", "sampler=mine"]
    chosen += ["+evaluation/metric@evaluation.metrics.mine=mine", f"allow_targets=[{PACKAGE}]"]
    place = ["dataset=folder", f"dataset.path={two_tables}", f"output_dir={package / 'outputs'}", "campaign=mine"]
    ended = here(*place, *few, *LIGHT_EVALUATION, "cluster=inline", "cluster.threads=1", *chosen)
    assert ended.counts == (11, 0)
    point = package / "outputs" / "campaigns" / "mine" / "default"
    scores = json.loads((point / "metrics.json").read_text())["scores"]
    assert any(score["metric"] == "mine" for score in scores)
    manifest = json.loads((point / "bundle" / "bundle.json").read_text())
    targets = {each["_target_"] for each in (*manifest["components"].values(), manifest["sampler"])}
    assert {f"{PACKAGE}.{name}.Mine" for name in ("denoiser", "gnn", "structure", "sampler")} <= targets
