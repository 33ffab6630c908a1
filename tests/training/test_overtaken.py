"""Two attempts side by side, as when a scheduler loses sight of a node: the later one's results are a single run's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tabgraphsyn.errors import Interrupted
from tabgraphsyn.tracking.jsonl import JsonlTracker, whole_lines
from tabgraphsyn.training import checkpoint
from tabgraphsyn.training.interrupt import NeverInterrupted
from tabgraphsyn.training.loop import LoopConfig, train

LOG = logging.getLogger("test")
STEPS = 12


class Regression:
    """Learn a sum; ``before`` runs at the start of the steps it names."""

    def __init__(self, before: dict[int, Callable[[], None]]) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(4, 1)
        self.before = before

    def rows_in_step(self, step: int) -> int:
        return 8

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        self.before.get(step, lambda: None)()
        x = torch.randn(8, 4, generator=generator)
        return {"loss": (self.network(x) - x.sum(dim=1, keepdim=True)).square().mean()}

    def validation_loss(self) -> float | None:
        return None


class Flag(NeverInterrupted):
    """What a scheduler and a later attempt do to this one."""

    def __init__(self) -> None:
        self.requested = False
        self.overtaken = False


def run(folder: Path, tracker: JsonlTracker, flag: Flag | None = None, **before: Callable[[], None]) -> None:
    train(
        Regression({int(name.removeprefix("step_")): action for name, action in before.items()}),
        LoopConfig(steps=STEPS, batch_rows=8, learning_rate=0.01, log_every=1, save_every_s=1e-9),
        seed=0,
        checkpoints=folder / "checkpoints",
        tracker=tracker,
        interrupt=flag or Flag(),
        device="cpu",
        log=LOG,
    )


def opened(folder: Path) -> JsonlTracker:
    return JsonlTracker(folder / "metrics.jsonl")


def logged(folder: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in whole_lines(folder / "metrics.jsonl")]


@pytest.fixture
def undisturbed(tmp_path: Path) -> list[tuple[int, float]]:
    folder = tmp_path / "undisturbed"
    run(folder, opened(folder))
    assert len(logged(folder)) == STEPS
    return logged(folder)


def test_what_the_older_attempt_logged_after_the_file_was_taken_over_is_not_lost(
    tmp_path: Path, undisturbed: list[tuple[int, float]]
) -> None:
    """The later attempt opens the file, imports for seconds, and only then looks for the latest checkpoint."""
    later: list[JsonlTracker] = []
    flag = Flag()

    def stop() -> None:
        flag.requested = True

    with pytest.raises(Interrupted):
        run(tmp_path, opened(tmp_path), flag, step_4=lambda: later.append(opened(tmp_path)), step_8=stop)
    assert [step for step, _ in logged(tmp_path)] == [1, 2, 3, 4]
    run(tmp_path, later[0])
    assert logged(tmp_path) == undisturbed


def test_an_overtaken_attempt_saves_no_checkpoint_more(tmp_path: Path, undisturbed: list[tuple[int, float]]) -> None:
    flag = Flag()

    def overtake() -> None:
        flag.overtaken = True

    with pytest.raises(Interrupted, match="later attempt"):
        run(tmp_path, opened(tmp_path), flag, step_5=overtake)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-4", "step-5"]
    run(tmp_path, opened(tmp_path))
    assert logged(tmp_path) == undisturbed


def test_an_attempt_overtaken_before_it_resumes_leaves_the_later_ones_file_alone(tmp_path: Path) -> None:
    flag = Flag()
    flag.overtaken = True
    slow, later = opened(tmp_path), opened(tmp_path)
    later.log({"loss": 1.0}, 1)
    with pytest.raises(Interrupted, match="later attempt"):
        run(tmp_path, slow, flag)
    later.log({"loss": 2.0}, 2)
    assert logged(tmp_path) == [(1, 1.0), (2, 2.0)]


def test_a_checkpoint_of_a_former_version_resumes_with_the_files_lines(
    tmp_path: Path, undisturbed: list[tuple[int, float]]
) -> None:
    flag = Flag()

    def stop() -> None:
        flag.requested = True

    with pytest.raises(Interrupted):
        run(tmp_path, opened(tmp_path), flag, step_6=stop)
    for path in (tmp_path / "checkpoints").glob("*/state.json"):
        state = json.loads(path.read_text())
        assert len(state.pop("recorded")) == state["step"]
        path.write_text(json.dumps(state))
    run(tmp_path, opened(tmp_path))
    assert logged(tmp_path) == undisturbed


def test_a_folder_that_vanishes_while_it_is_looked_through_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older attempt may still drop its own old checkpoints."""
    for step in (1, 2):
        checkpoint.save(tmp_path, step, {"weights": {"w": torch.zeros(2)}}, {})
    latest = tmp_path / "step-2"
    read = checkpoint.read_json

    def vanishing(path: Path) -> object:
        if path.parent == latest:
            checkpoint.shutil.rmtree(latest)
        return read(path)

    monkeypatch.setattr(checkpoint, "read_json", vanishing)
    found = checkpoint.load_latest(tmp_path, LOG)
    assert found is not None and found.step == 1
