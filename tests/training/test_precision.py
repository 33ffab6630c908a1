"""bf16: used where the device has it and nowhere else, close to float32, and never where a number needs its digits."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tabgraphsyn.diffusion.preconditioning import input_scaling, noise_scaling
from tabgraphsyn.models import precision
from tabgraphsyn.models.autoencoder.data_space import DataSpace
from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.training.interrupt import NeverInterrupted
from tabgraphsyn.training.loop import LoopConfig, train

sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_training_scores import prepare, task_of

__all__ = ["prepare"]


def with_bf16(monkeypatch: pytest.MonkeyPatch, has_it: bool) -> None:
    """Let this processor seem to have bf16 arithmetic, or none; torch computes the same either way."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": has_it})


def kind(asked: str) -> torch.dtype:
    with precision.computing(asked, "cpu"):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_bf16_where_it_is_asked_for_and_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    with_bf16(monkeypatch, True)
    assert (kind("bf16"), kind("float32")) == (torch.bfloat16, torch.float32)
    with precision.computing("bf16", "cpu"), precision.exactly("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with_bf16(monkeypatch, False)
    assert kind("bf16") == torch.float32


def trained(prepare: Path, folder: Path, asked: str, caplog: pytest.LogCaptureFixture) -> tuple[float, nn.Module]:
    task = task_of(prepare)
    settings = LoopConfig(
        steps=60, batch_rows=64, learning_rate=0.01, validate_every=20, ema_decay=0.9, precision=asked
    )
    with caplog.at_level(logging.INFO):
        summary = train(
            task,
            settings,
            seed=0,
            checkpoints=folder / asked,
            tracker=Silent(),
            interrupt=NeverInterrupted(),
            device="cpu",
            log=logging.getLogger("test"),
        )
    assert summary.best_validation is not None
    return summary.best_validation, task.network


class Silent:
    def log(self, metrics: dict[str, float], step: int) -> None:
        """Forget it."""

    def rewind(self, step: int, recorded: object = None) -> None:
        """There is nothing."""

    def recorded(self) -> tuple[()]:
        return ()


def test_training_in_bf16_ends_where_float32_does(
    prepare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with_bf16(monkeypatch, True)
    exact, theirs = trained(prepare, tmp_path, "float32", caplog)
    coarse, ours = trained(prepare, tmp_path, "bf16", caplog)
    assert coarse == pytest.approx(exact, rel=0.05)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}
    assert any(not torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert "no bf16 arithmetic" not in caplog.text


def test_without_bf16_it_says_so_and_computes_in_float32(
    prepare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with_bf16(monkeypatch, False)
    _, theirs = trained(prepare, tmp_path, "float32", caplog)
    assert "no bf16 arithmetic" not in caplog.text
    _, ours = trained(prepare, tmp_path, "bf16", caplog)
    assert "no bf16 arithmetic" in caplog.text
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_loss_near_noise_zero_is_not_computed_in_bf16(prepare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A match divided by sigma squared would be off by dozens of nats: which level it is would be lost."""
    with_bf16(monkeypatch, True)
    task = task_of(prepare)
    seen: list[torch.dtype] = []
    loss = DataSpace.diffusion_loss

    def watched(self: DataSpace, raw: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        seen.extend([raw.dtype, (torch.ones(2, 2) @ torch.ones(2, 2)).dtype])
        return loss(self, raw, *rest)

    monkeypatch.setattr(DataSpace, "diffusion_loss", watched)
    with precision.computing("bf16", "cpu"):
        found = task.loss(0, torch.Generator().manual_seed(0))["loss"]
    assert seen == [torch.float32, torch.float32]
    assert found.dtype == torch.float32


def test_sampling_in_bf16_gives_nearly_the_same_numbers(prepare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tabgraphsyn.generation.rows import TableModel

    with_bf16(monkeypatch, True)
    task = task_of(prepare)
    for parameter in task.denoiser.parameters():
        nn.init.normal_(parameter, std=0.1)
    task.denoiser.eval()
    groups = SiblingGroups.singletons(50)
    context = task.denoiser.context(torch.randn(50, 2), groups)
    noisy = torch.randn(50, task.autoencoder.latent_dim)
    both = {}
    for asked in ("float32", "bf16"):
        model = TableModel(task.autoencoder, task.denoiser, task.diffusion, asked)
        with torch.no_grad():
            both[asked] = model.denoised(noisy, 0.5, context, groups)
    assert both["bf16"].dtype == torch.float32
    assert not torch.equal(both["bf16"], both["float32"])
    assert torch.allclose(both["bf16"], both["float32"], atol=0.05)
    level = torch.full((1, 1), 0.5)
    raw = task.denoiser(noisy * input_scaling(level, 1.0), noise_scaling(level).squeeze(1), context, groups)
    assert torch.equal(both["float32"], task.autoencoder.denoised(raw, noisy, level))
