from __future__ import annotations

import copy
import json

import pytest
from fake_stages import fake_catalog
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.local.frontier import Frontier, Progress
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan
from tabgraphsyn.orchestration.planning.signature import canonical, signature

CONFIG = {
    "dataset": {"name": "x", "path": "/data/x"},
    "codec": {"normalisation": "quantile"},
    "holdout": {"fraction": 0.1},
    "structure": {"a": 1},
    "generator": {"_target_": "tabgraphsyn.generators.latent_diffusion.LatentDiffusion"},
    "autoencoder": {"a": 1},
    "gnn": {"width": 8},
    "denoiser": {"width": 8},
    "diffusion": {"a": 1},
    "sampler": {"steps": 3},
    "sampling": {"scale": 1},
    "training": {"autoencoder": {"steps": 1}, "gnn": {"steps": 1}, "diffusion": {"steps": 1}},
    "evaluation": {"a": 1},
    "report": {"a": 1},
    "seed": 0,
    "cluster": {"workers": 2},
    "resources": {"gnn": {"threads": 1}},
    "tracking": {},
    "output_dir": "outputs",
    "campaign": None,
}


def changed(**values: object) -> dict:
    config = copy.deepcopy(CONFIG)
    for key, value in values.items():
        node = config
        *parents, last = key.split("__")
        for parent in parents:
            node = node[parent]
        node[last] = value
    return config


def planned(*configs: dict, tables: tuple[str, ...] = ("a", "b"), content: str = "c"):
    points = [PlannedPoint(f"p{number}", config, content, tables) for number, config in enumerate(configs)]
    return plan(points, STAGES)


def kinds_that_differ(left: dict, right: dict, **more: object) -> set[str]:
    merged = planned(left, right, **more)
    first, second = merged.points["p0"], merged.points["p1"]
    return {label.split("/")[0] for label in first if first[label] != second[label]}


def test_every_stage_comes_after_its_inputs():
    merged = planned(CONFIG)
    seen: set[str] = set()
    for stage in merged.stages.values():
        assert set(stage.inputs.values()) <= seen
        seen.add(stage.id)


def test_roles_are_those_of_the_architecture_page():
    merged = planned(CONFIG)
    stages = {stage.label: stage for stage in merged.stages.values()}
    assert set(stages["diffusion/a"].inputs) == {"prepare", "autoencoder/a", "gnn"}
    assert set(stages["gnn"].inputs) == {"prepare", "autoencoder/a", "autoencoder/b"}
    assert set(stages["sample"].inputs) == {
        *("prepare", "structure", "gnn", "autoencoder/a", "autoencoder/b", "diffusion/a", "diffusion/b")
    }
    assert set(stages["evaluate"].inputs) == {"ingest", "prepare", "sample"}
    assert stages["gnn"].config == {"gnn": {"width": 8}, "training": {"gnn": {"steps": 1}}, "seed": 0}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"seed": 1}, {"autoencoder", "gnn", "diffusion", "sample", "evaluate", "report"}),
        ({"gnn__width": 9}, {"gnn", "diffusion", "sample", "evaluate", "report"}),
        ({"training__diffusion__steps": 9}, {"diffusion", "sample", "evaluate", "report"}),
        ({"sampler__steps": 9}, {"sample", "evaluate", "report"}),
        ({"report__a": 9}, {"report"}),
        ({"structure__a": 9}, {"structure", "sample", "evaluate", "report"}),
        ({"cluster__workers": 9}, set()),
        ({"resources__gnn": {"threads": 7}}, set()),
        ({"tracking": {"mode": "online"}}, set()),
        ({"output_dir": "/elsewhere"}, set()),
        ({"campaign": "other"}, set()),
        ({"dataset__path": "/moved"}, set()),
    ],
)
def test_a_change_recomputes_exactly_what_depends_on_it(change: dict, differs: set[str]):
    assert kinds_that_differ(CONFIG, changed(**change)) == differs


def test_other_data_recomputes_everything():
    one = plan([PlannedPoint("p", CONFIG, "c1", ("a",))], STAGES)
    two = plan([PlannedPoint("p", CONFIG, "c2", ("a",))], STAGES)
    assert not set(one.stages) & set(two.stages)


def test_a_sweep_shares_stages():
    configs = [changed(gnn__width=width, seed=seed) for width in (1, 2, 3) for seed in (0, 1)]
    merged = planned(*configs)
    counts: dict[str, int] = {}
    for stage in merged.stages.values():
        counts[stage.kind.name] = counts.get(stage.kind.name, 0) + 1
    assert counts == {
        **{"ingest": 1, "prepare": 1, "structure": 1},
        **{"autoencoder": 4, "gnn": 6, "diffusion": 12, "sample": 6, "evaluate": 6, "report": 6},
    }
    shares = merged.shares()
    assert {shares[stage_id] for stage_id in merged.stages if stage_id.startswith("prepare/")} == {6}
    prepare = next(stage_id for stage_id in merged.stages if stage_id.startswith("prepare/"))
    readers = [point for point, labels in merged.points.items() if prepare in labels.values()]
    assert readers == [f"p{number}" for number in range(6)]


def test_a_key_that_a_stage_reads_must_be_there():
    config = changed()
    del config["training"]["gnn"]
    with pytest.raises(ConfigError, match=r"training\.gnn"):
        planned(config)


def test_a_raised_version_changes_the_signature():
    arguments = {"stage": "s", "table": None, "config": {}, "inputs": {}}
    assert signature(version=1, **arguments) != signature(version=2, **arguments)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_canonical_text_does_not_depend_on_key_order(value):
    def shuffled(each):
        if isinstance(each, dict):
            return {key: shuffled(each[key]) for key in reversed(list(each))}
        return [shuffled(item) for item in each] if isinstance(each, list) else each

    assert canonical(shuffled(value)) == canonical(value)
    assert json.loads(canonical(value)) == value


def test_frontier_blocks_only_what_depends_on_a_failure():
    fake = {"dataset": {}, "fake": dict.fromkeys(("prepare", "autoencoder", "gnn", "sample", "evaluate"), "")}
    points = [
        PlannedPoint(name, {**fake, "gnn": {"name": name}, "seed": 0}, "c", ("a", "b")) for name in ("gin", "gat")
    ]
    merged = plan(points, fake_catalog())
    frontier = Frontier(merged)
    for label in ("ingest", "prepare", "autoencoder/a", "autoencoder/b"):
        frontier.finish(merged.points["gin"][label])
    ready = {stage.id for stage in frontier.ready()}
    assert ready == {merged.points["gin"]["gnn"], merged.points["gat"]["gnn"]}
    blocked = frontier.fail(merged.points["gin"]["gnn"])
    assert set(blocked) == {merged.points["gin"]["sample"], merged.points["gin"]["evaluate"]}
    assert [stage.id for stage in frontier.ready()] == [merged.points["gat"]["gnn"]]
    for label in ("gnn", "sample", "evaluate"):
        frontier.finish(merged.points["gat"][label])
    assert frontier.is_settled()
    assert frontier.count(Progress.FAILED) == 1
