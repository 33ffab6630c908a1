"""The loop: schedules, averages, early stopping, refusals, and what it costs."""

from __future__ import annotations

import logging
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from tabgraphsyn.errors import ConfigError, Interrupted, StageError
from tabgraphsyn.training.adamw import AdamW
from tabgraphsyn.training.config import LoopConfig, learning_rate
from tabgraphsyn.training.ema import WeightAverage
from tabgraphsyn.training.loop import NeverInterrupted, TrainingSummary, train

LOG = logging.getLogger("test")


class Tracker:
    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.rewound: list[int] = []

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.lines.append((step, dict(metrics)))

    def rewind(self, step: int, recorded: object = None) -> None:
        self.rewound.append(step)

    def recorded(self) -> list[dict[str, float]]:
        return [{"step": step, **metrics} for step, metrics in self.lines]


class Regression:
    """Learn a sum; ``validation`` scripts the validation losses where given."""

    def __init__(self, *, width: int = 8, layers: int = 1, validation: list[float] | None = None) -> None:
        torch.manual_seed(0)
        hidden = [part for _ in range(layers) for part in (nn.Linear(width, width), nn.SiLU())]
        self.network = nn.Sequential(nn.Linear(4, width), *hidden, nn.Linear(width, 1))
        self.validation = validation
        self.seen: list[torch.Tensor] = []
        self.device = "cpu"

    def rows_in_step(self, step: int) -> int:
        return 64

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        x = torch.randn(64, 4, generator=generator).to(self.device)
        return {"loss": (self.network(x) - x.sum(dim=1, keepdim=True)).square().mean()}

    def validation_loss(self) -> float | None:
        self.seen.append(next(self.network.parameters()).detach().clone())
        assert not self.network.training
        if self.validation is not None:
            return self.validation[len(self.seen) - 1]
        return float(self.loss(0, torch.Generator().manual_seed(1))["loss"])


def config(**changes: object) -> LoopConfig:
    settings: dict[str, object] = {"steps": 40, "batch_rows": 64, "learning_rate": 0.01, "log_every": 10}
    return LoopConfig(**{**settings, **changes})  # type: ignore[arg-type]


def run(task: Regression, folder: Path, settings: LoopConfig, tracker: Tracker | None = None) -> TrainingSummary:
    return train(
        task,
        settings,
        seed=0,
        checkpoints=folder,
        tracker=tracker or Tracker(),
        interrupt=NeverInterrupted(),
        device=task.device,
        log=LOG,
    )


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_schedules_peak_once_and_fall_to_zero(schedule: str) -> None:
    rates = [learning_rate(config(steps=1000, schedule=schedule), step) for step in range(1000)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.01, rel=1e-4)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 1e-6


def test_warmup_longer_than_the_run_still_reaches_the_peak() -> None:
    assert max(learning_rate(config(steps=10, warmup_steps=100), step) for step in range(10)) == 0.01
    assert learning_rate(config(steps=1), 0) == 0.01
    assert learning_rate(config(schedule="constant", warmup_steps=5), 39) == 0.01


def test_every_bad_setting_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        config(steps=0, schedule="linear", ema_decay=1.0, betas=(0.9, 1.0))
    for name in ("training.steps", "training.schedule", "training.ema_decay", "training.betas"):
        assert name in str(caught.value)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adamw_is_torchs(weight_decay: float) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizer = AdamW(dict(ours.named_parameters()), betas=(0.9, 0.99), weight_decay=weight_decay)
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
    )
    for step in range(20):
        x = torch.randn(7, 5)
        for network in (ours, theirs):
            network(x).square().mean().backward()
            if step % 3 == 0:
                network.bias.grad = None
        optimizer.step(0.01)
        reference.step()
        optimizer.drop_gradients()
        reference.zero_grad()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(left, right)


def test_average_follows_its_definition() -> None:
    weight = torch.zeros(3)
    average = WeightAverage([weight], 0.5)
    expected = torch.zeros(3)
    for step in range(30):
        weight += 1.0
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert torch.allclose(average.values[0], expected)
    with average.in_place():
        assert torch.equal(weight, average.values[0])
    assert torch.equal(weight, torch.full((3,), 30.0))


def test_result_is_the_best_average(tmp_path: Path) -> None:
    task, tracker = Regression(validation=[3.0, 1.0, 2.0, 2.0]), Tracker()
    summary = run(task, tmp_path, config(validate_every=10, ema_decay=0.9), tracker)
    assert (summary.steps, summary.best_step, summary.best_validation) == (40, 20, 1.0)
    assert torch.equal(next(task.network.parameters()), task.seen[1])
    assert not task.network.training
    assert [step for step, _ in tracker.lines] == [10, 20, 30, 40]
    assert tracker.rewound == [0]
    assert all(line["rows_per_s"] > 0 and math.isfinite(line["loss"]) for _, line in tracker.lines)


def test_patience_stops_early_and_a_restart_does_not_go_on(tmp_path: Path) -> None:
    settings = config(validate_every=5, patience=2)
    task = Regression(validation=[3.0, 1.0, 2.0, 2.0, 9.0])
    summary = run(task, tmp_path, settings)
    assert (summary.steps, summary.best_step) == (20, 10)
    again = Regression(validation=[])
    assert run(again, tmp_path, settings).steps == 20
    assert torch.equal(next(again.network.parameters()), task.seen[1])


def test_nothing_to_validate_on_keeps_the_last_weights(tmp_path: Path) -> None:
    task = Regression()
    task.validation_loss = lambda: None  # type: ignore[method-assign]
    summary = run(task, tmp_path, config(validate_every=10))
    assert (summary.best_step, summary.best_validation) == (40, None)


def test_training_learns(tmp_path: Path) -> None:
    summary = run(Regression(), tmp_path, config(steps=300, validate_every=300, ema_decay=0.95, gradient_clip=1.0))
    assert summary.best_validation is not None and summary.best_validation < 0.01


def test_a_loss_that_is_not_finite_is_an_error_and_is_never_saved(tmp_path: Path) -> None:
    task = Regression()
    with pytest.raises(StageError, match=r"loss is nan at step \d+\. Lower the learning rate"):
        task.network[0].weight.data.fill_(float("nan"))
        run(task, tmp_path, config(save_every_s=1e-9))
    assert not list(tmp_path.glob("step-*"))


def test_another_network_is_refused(tmp_path: Path) -> None:
    run(Regression(width=8), tmp_path, config())
    with pytest.raises(StageError) as caught:
        run(Regression(width=9), tmp_path, config())
    assert "'0.weight' has shape (8, 4) in the checkpoint and (9, 4) in the network" in str(caught.value)
    with pytest.raises(StageError, match="which the checkpoint lacks"):
        run(Regression(width=8, layers=2), tmp_path, config())


def test_another_setting_is_refused_but_the_save_interval_is_free(tmp_path: Path) -> None:
    run(Regression(), tmp_path, config())
    run(Regression(), tmp_path, config(save_every_s=5.0))
    with pytest.raises(StageError, match=r"learning_rate was 0\.01 and is 0\.02"):
        run(Regression(), tmp_path, config(learning_rate=0.02))


def test_asked_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    class Asked(NeverInterrupted):
        requested = True

    with pytest.raises(Interrupted):
        train(
            Regression(),
            config(),
            seed=0,
            checkpoints=tmp_path / "checkpoints",
            tracker=Tracker(),
            interrupt=Asked(),
            device="cpu",
            log=LOG,
        )
    assert not (tmp_path / "checkpoints").exists()


def test_the_loop_does_not_import_the_compiler() -> None:
    """Importing torch._dynamo costs seconds that every stage process would pay."""
    script = (
        "import sys, torch, tabgraphsyn.training.loop, tabgraphsyn.training.adamw as a\n"
        "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2)\n"
        "a.AdamW({'p': p}, betas=(0.9, 0.99), weight_decay=0.0).step(0.1, 1.0)\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == 0


def _bare_steps(task: Regression, steps: int) -> float:
    """Seconds of processor time a step without the loop around it: loss, backward, torch's own optimizer."""
    optimizer = torch.optim.AdamW(task.network.parameters(), lr=0.01, fused=True)
    generator = torch.Generator()
    start = time.process_time()
    for step in range(steps):
        task.loss(step, generator)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.process_time() - start) / steps


def test_the_loop_costs_little_beside_the_step(tmp_path: Path) -> None:
    """Seeding, schedule, clipping, averaging and bookkeeping, beside a bare loop; typical: 0.15 ms."""
    costs = []
    for number in range(3):
        task = Regression(width=32, layers=8)
        bare = _bare_steps(task, 200)
        start = time.process_time()
        run(task, tmp_path / str(number), config(steps=300, log_every=50, ema_decay=0.99, gradient_clip=1.0))
        costs.append((time.process_time() - start) / 300 - bare)
    assert statistics.median(costs) < 2e-3  # a guard for ten times that, on any machine


def test_clipping_is_torchs() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizer = AdamW(dict(ours.named_parameters()), betas=(0.9, 0.99), weight_decay=0.0)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    for step in range(20):
        x = torch.randn(7, 5) * (0.1 if step % 2 else 10.0)
        for network in (ours, theirs):
            network(x).square().mean().backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step(0.01, gradient_clip=1.0)
        reference.step()
        optimizer.drop_gradients()
        reference.zero_grad()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_cpu_and_gpu_train_on_the_same_numbers(tmp_path: Path, precision: str) -> None:
    on_cpu, on_gpu = Regression(), Regression()
    on_gpu.device = "cuda"
    settings = config(validate_every=40, ema_decay=0.9, precision=precision)
    left, right = run(on_cpu, tmp_path / "cpu", settings), run(on_gpu, tmp_path / "gpu", settings)
    assert left.best_validation is not None and right.best_validation is not None
    assert right.best_validation == pytest.approx(left.best_validation, rel=1e-3 if precision == "float32" else 0.1)


@pytest.mark.parametrize(("asked", "steps"), [(60.0, [60, 160, 260, 360, 399]), (0.5, [*range(1, 400)])])
def test_a_slow_disk_makes_checkpoints_rarer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: float, steps: list[int]
) -> None:
    """Steps and saves of a second each: one save in a hundred seconds, unless asked for at will."""
    now = [0.0]
    written: list[int] = []

    class Slow(Regression):
        def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
            now[0] += 1.0
            return super().loss(step, generator)

    def save(folder: Path, step: int, *_: object) -> None:
        now[0] += 1.0
        written.append(step)

    monkeypatch.setattr("tabgraphsyn.training.loop.time.monotonic", lambda: now[0])
    monkeypatch.setattr("tabgraphsyn.training.loop.checkpoint.save", save)
    run(Slow(), tmp_path, config(steps=399, save_every_s=asked))
    assert written == steps
