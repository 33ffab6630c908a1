"""Trained models by name: which there are, tags, reuse and warm starts, removal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tabgraphsyn.errors import ConfigError, DataError, StageError
from tabgraphsyn.generators.kinds import Catalog, StageInput, StageKind, catalog
from tabgraphsyn.orchestration.campaign.campaigns import find_campaigns, record_campaign
from tabgraphsyn.orchestration.planning.plan import Plan, PlannedPoint, plan
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.registry.models import find_model, models_of
from tabgraphsyn.orchestration.registry.tags import give_tag, read_tags, take_tags
from tabgraphsyn.orchestration.registry.use import used_models
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.verbs.cli import main

CATALOG: Catalog = catalog(
    "ingest",
    StageKind("ingest", 1, "x", ("dataset",)),
    StageKind("prepare", 1, "x", ("codec",), (StageInput("ingest"),)),
    StageKind("gnn", 2, "x", ("gnn", "training.gnn", "seed"), (StageInput("prepare"),)),
    StageKind(
        "diffusion",
        1,
        "x",
        ("training.diffusion", "seed"),
        (StageInput("prepare"), StageInput("gnn")),
        per_table=True,
    ),
    StageKind("sample", 1, "x", ("seed",), (StageInput("diffusion", "all"),), publishes=("bundle",)),
)
CONFIG: dict[str, Any] = {
    "dataset": {"name": "shop"},
    "codec": {},
    "gnn": {"layers": 2},
    "training": {"gnn": {"steps": 3}, "diffusion": {"steps": 5, "start_from": None}},
    "seed": 0,
    "reuse": {"gnn": None},
}


def config(**changes: Any) -> dict[str, Any]:
    made = json.loads(json.dumps(CONFIG))
    for key, value in changes.items():
        part = made
        *above, last = key.split("__")
        for name in above:
            part = part[name]
        part[last] = value
    return made


def planned(point: dict[str, Any], out: Path, content: str = "c", name: str = "default") -> Plan:
    used = used_models(point, CATALOG, out)
    return plan([PlannedPoint(name, point, content, ("a", "b"), used.reused, used.starts)], CATALOG)


def launched(out: Path, campaign: str, points: dict[str, dict[str, Any]], content: str = "c") -> None:
    """Record a campaign whose stages are all done."""
    store = Store(out / "stages")
    used = {name: used_models(point, CATALOG, out) for name, point in points.items()}
    made = plan(
        [PlannedPoint(n, p, content, ("a", "b"), used[n].reused, used[n].starts) for n, p in points.items()], CATALOG
    )
    record_campaign(out, campaign, made, {n: [n] for n in points}, points, ["x"], {}, 60.0)
    for stage in made.stages.values():
        folder = store.folder(stage.id)
        if not stage.is_start and not folder.exists():
            save_spec(folder, stage, Runtime("x"))
            (folder / "artifacts").mkdir()
            (folder / "done.json").write_text(json.dumps({"outputs": {}, "elapsed_s": 36.0, "started": 1e9}))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    launched(tmp_path / "out", "first", {"default": config()})
    launched(tmp_path / "out", "sweep", {"seed=1": config(seed=1), "seed=2": config(seed=2)})
    return tmp_path / "out"


def test_a_campaign_is_there_with_its_configs_and_not_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("tabgraphsyn.orchestration.campaign.campaigns.showing.write_configs", died)
    with pytest.raises(OSError, match="no space"):
        launched(tmp_path, "first", {"default": config()})
    assert list(find_campaigns(tmp_path)) == []


def test_models_have_names(out: Path) -> None:
    give_tag(out, "best", "sweep", "seed=2", "lowest loss")
    assert {model.name: model.tags for model in models_of(out)} == {
        "first/default": (),
        "sweep/seed=1": (),
        "sweep/seed=2": ("best",),
    }
    assert find_model(out, "best").point == "seed=2" == find_model(out, "sweep/seed=2").point
    assert find_model(out, "first").name == "first/default"
    for wrong, words in (("sweep", "seed=1"), ("frist", "first"), ("sweep/seed=3", "seed=2"), ("../x", "no such")):
        with pytest.raises(ConfigError, match=words):
            find_model(out, wrong)


def test_a_tag_is_one_models_and_stays_in_its_folder(out: Path, tmp_path: Path) -> None:
    give_tag(out, "best", "first", "default")
    with pytest.raises(ConfigError, match="first/default"):
        give_tag(out, "best", "sweep", "seed=1")
    give_tag(out, "best", "sweep", "seed=1", move=True)
    assert read_tags(out)["best"].point == "seed=1"
    for name in ("", "../x", "a/b", "-x", "a b", "x" * 65, "é"):
        with pytest.raises(ConfigError):
            give_tag(out, name, "first", "default")
    take_tags(out, ["best", "gone"])
    assert read_tags(out) == {}
    (out / "models" / "tags.json").write_text(json.dumps({"tags": {"x": {"campaign": "../../etc", "point": "p"}}}))
    with pytest.raises(DataError):
        read_tags(out)
    (out / "models" / "tags.json").unlink()
    (out / "models").rmdir()
    (out / "models").symlink_to(tmp_path)
    with pytest.raises(DataError, match="link"):
        give_tag(out, "best", "first", "default")


def test_a_reused_stage_stands_in_the_place_of_the_planned_one(out: Path) -> None:
    theirs = find_model(out, "first").record.stages
    made = planned(config(seed=7, reuse__gnn="first"), out)
    own = made.points["default"]
    assert own["gnn"] == theirs["gnn"] and own["diffusion/a"] != theirs["diffusion/a"]
    assert made.stages[own["diffusion/a"]].inputs["gnn"] == theirs["gnn"]
    fresh = planned(config(seed=7), out)
    assert own["diffusion/a"] != fresh.points["default"]["diffusion/a"], "what it was trained on is in its signature"
    with pytest.raises(ConfigError, match=r"'prepare'.*start_from"):
        planned(config(reuse__gnn="first"), out, content="other rows")


def test_a_training_that_begins_with_anothers_weights_says_so_in_its_signature(out: Path) -> None:
    give_tag(out, "best", "sweep", "seed=1")
    fresh = planned(config(), out, content="new rows")
    by_tag = planned(config(training__diffusion__start_from="best"), out, content="new rows")
    by_name = planned(config(training__diffusion__start_from="sweep/seed=1"), out, content="new rows")
    other = planned(config(training__diffusion__start_from="sweep/seed=2"), out, content="new rows")
    ids = [each.points["default"]["diffusion/a"] for each in (fresh, by_tag, by_name, other)]
    assert ids[1] == ids[2] and len(set(ids)) == 3
    stage = by_tag.stages[ids[1]]
    assert stage.inputs["start_from/diffusion/a"] == find_model(out, "best").record.stages["diffusion/a"]
    assert "start_from" not in stage.config["training"]["diffusion"]
    assert planned(config(), out).points["default"] == find_model(out, "first").record.stages, "null is no setting"
    launched(out, "warm", {"default": config(training__diffusion__start_from="best")}, "new rows")
    kept = find_model(out, "warm").campaign.stage_ids()
    assert stage.inputs["start_from/diffusion/a"] in kept, "gc must not take what a model began with"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reuse__gnn": "frist"}, "reuse.gnn=frist"),
        ({"training__gnn": {"steps": 3, "start_from": "nobody"}}, "training.gnn.start_from=nobody"),
        ({"reuse__gnn": "sweep"}, "2 sweep points"),
    ],
)
def test_what_cannot_be_used_is_said_at_launch(out: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        planned(config(**changes), out)


def test_a_stage_that_is_not_done_or_of_another_version_is_no_start(out: Path) -> None:
    model = find_model(out, "first")
    folder = model.campaign.store.folder(model.record.stages["gnn"])
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps({**spec, "version": 1}))
    with pytest.raises(ConfigError, match="version 1"):
        planned(config(reuse__gnn="first"), out)
    (folder / "done.json").unlink()
    with pytest.raises(ConfigError, match="not done"):
        planned(config(reuse__gnn="first"), out)


def test_the_verb(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--output-dir", str(out))

    def said(*words: str, code: int = 0) -> str:
        assert main(["models", *words, *place]) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    said("tag", "sweep/seed=2", "best", "--note", "it is")
    assert "best" in said("list") and "first/default" in said("list")
    assert json.loads(said("list", "--json"))[0]["name"].startswith("sweep/")
    assert "gnn" in said("show", "best")
    assert json.loads(said("compare", "first", "best", "--json"))["differs"] == {"seed": [0, 2]}
    assert "expected" in said("compare", "best", code=2) and "Did you mean" in said("lst", code=2)
    assert "names a model" in said("rm", "sweep/seed=2", "--yes", code=2)
    assert main(["rm", "sweep", "--yes", *place]) == 2
    capsys.readouterr()
    assert "no name any more" in said("rm", "best")
    shared = find_model(out, "sweep/seed=1").record.stages
    gone = find_model(out, "sweep/seed=2").record.stages
    assert "nothing was removed" in said("rm", "sweep/seed=2", code=2)
    assert "removed" in said("rm", "sweep/seed=2", "--yes")
    assert [model.name for model in models_of(out)].count("sweep/seed=2") == 0
    store = Store(out / "stages")
    assert all(store.folder(each).exists() for each in shared.values())
    assert not store.folder(gone["sample"]).exists() and store.folder(gone["prepare"]).exists()
    assert "removed" in said("rm", "sweep/seed=1", "--yes") and not (out / "campaigns" / "sweep").exists()


def test_weights_that_fit_are_taken(tmp_path: Path) -> None:
    from dataclasses import dataclass, field
    from logging import getLogger

    from safetensors.torch import save_file

    from tabgraphsyn.stages.starting import start_from

    @dataclass
    class Context:
        inputs: dict[str, Path]
        stage: str = "diffusion"
        table: str = "a"
        log: Any = field(default_factory=lambda: getLogger("tabgraphsyn"))

        def input(self, role: str) -> Path:
            return self.inputs[role]

    def network(width: int, out: int = 2) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.Linear(16, 16), torch.nn.Linear(16, out))

    theirs, own, before = network(4), network(5), network(5)
    before.load_state_dict(own.state_dict())
    save_file(theirs.state_dict(), tmp_path / "diffusion.safetensors")
    context: Any = Context({"prepare": tmp_path, "start_from/diffusion/a": tmp_path})
    start_from(own, context, "diffusion")
    assert torch.equal(own[1].weight, theirs[1].weight) and torch.equal(own[0].weight, before[0].weight)
    start_from(before, Context({"prepare": tmp_path}), "diffusion")  # type: ignore[arg-type]
    assert not torch.equal(before[1].weight, theirs[1].weight)
    start_from(before, context, "nothing_was_trained")
    with pytest.raises(StageError, match="same architecture"):
        start_from(torch.nn.Linear(300, 4), context, "diffusion")
