"""Parts of a batch: every row once, no group cut, and losses and gradients that add up to those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tabgraphsyn.data.layout import CategoricalField, NumericalField, TableLayout
from tabgraphsyn.diffusion.edm import Edm
from tabgraphsyn.models.autoencoder.data_space import DataSpace
from tabgraphsyn.models.autoencoder.vae import VAE
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.denoiser.mlp import Mlp
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.training.denoising import DenoisingTask
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask
from tabgraphsyn.training.reconstruction import ReconstructionTask

LAYOUT = TableLayout(
    (NumericalField("x"), NumericalField("y", gate=0)), (CategoricalField("y:gate", 2), CategoricalField("c", 5))
)
ROWS = 300


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 7), st.integers(0, 3))
def test_ranks_that_split_differently_share_every_group_out_once(sizes: list[int], ranks: int, halvings: int) -> None:
    held = []
    for rank in range(ranks):
        pieces = 2**halvings if rank % 2 else 1
        for part in Part(rank, ranks).split(pieces):
            groups, rows = part.groups(np.array(sizes))
            assert rows == slice(sum(sizes[: groups.start]), sum(sizes[: groups.stop]))
            held += range(groups.start, groups.stop)
    assert held == list(range(len(sizes)))
    assert Part(0, ranks).groups(np.array(sizes))[0].stop > 0


@given(st.integers(1, 100), st.integers(1, 9))
def test_rows_are_shared_out_evenly(rows: int, count: int) -> None:
    slices = [Part(number, count).rows(rows) for number in range(count)]
    assert [row for each in slices for row in range(each.start, each.stop)] == list(range(rows))
    assert max(each.stop - each.start for each in slices) - min(each.stop - each.start for each in slices) <= 1


def encoded() -> EncodedTensors:
    generator = torch.Generator().manual_seed(0)
    low = torch.randn(ROWS, 2, generator=generator)
    gate = (torch.rand(ROWS, 1, generator=generator) < 0.3).int()
    code = torch.randint(5, (ROWS, 1), generator=generator, dtype=torch.int32)
    return EncodedTensors(torch.stack([low, low + 0.5], dim=2), torch.cat([gate, code], dim=1))


def reconstruction() -> PartedTask:
    torch.manual_seed(0)
    return ReconstructionTask(VAE(layout=LAYOUT, width=8, feedforward=16, layers=1), encoded(), 40, seed=1)


def denoising() -> PartedTask:
    torch.manual_seed(0)
    autoencoder = DataSpace(layout=LAYOUT)
    sizes = {"latent_dim": autoencoder.latent_dim, "output_dim": autoencoder.output_dim, "condition_dim": 3}
    # Parts draw their own dropout: without it they must add up to the whole.
    denoiser = Mlp(**sizes, width=16, dropout=0.0)
    for value in denoiser.parameters():
        nn.init.normal_(value, std=0.1)
    parents = np.sort(np.random.default_rng(0).integers(-1, 60, ROWS))
    return DenoisingTask(
        denoiser=denoiser,
        autoencoder=autoencoder,
        diffusion=Edm(condition_noise=0.1, condition_dropout=0.2),
        encoded=encoded(),
        condition=RowConditions.alone(torch.randn(ROWS, 3)),
        families=Families.from_pointer(parents, ROWS, window_limit=8),
        batch_rows=64,
        seed=1,
    )


def losses_and_gradients(task: PartedTask, step: int, parts: list[Part]) -> tuple[dict[str, float], list[torch.Tensor]]:
    task.network.zero_grad()
    total: dict[str, float] = {}
    for part in parts:
        losses = task.part_loss(step, torch.Generator().manual_seed(step), part)
        if losses:
            losses["loss"].backward()
        for name, value in losses.items():
            total[name] = total.get(name, 0.0) + float(value.detach())
    return total, [value.grad for value in task.network.parameters()]


@pytest.mark.parametrize("make", [reconstruction, denoising])
@pytest.mark.parametrize("parts", [list(WHOLE.split(3)), [*Part(0, 2).split(1), *Part(1, 2).split(4)]])
def test_parts_add_up_to_the_whole(make, parts: list[Part]) -> None:
    task = make()
    for step in (0, 7):
        task.network.zero_grad()
        whole = task.loss(step, torch.Generator().manual_seed(step))
        whole["loss"].backward()
        expected = [value.grad for value in task.network.parameters()]
        total, found = losses_and_gradients(task, step, parts)
        assert total == pytest.approx({name: float(value.detach()) for name, value in whole.items()}, rel=1e-5)
        for left, right in zip(found, expected, strict=True):
            assert torch.allclose(left, right, rtol=1e-4, atol=1e-6)


def test_the_weight_of_the_kl_term_adapts_once_a_step() -> None:
    task = reconstruction()
    for step in range(3):
        losses, _ = losses_and_gradients(task, step, list(WHOLE.split(4)))
        task.after_step({name: torch.tensor(value) for name, value in losses.items()})
    assert int(task.network.window_steps) == 3


def test_more_parts_than_groups_are_empty() -> None:
    task = denoising()
    sizes = task.families.window_rows[task.batches.windows_at(0)]
    found = [task.part_loss(0, torch.Generator().manual_seed(0), part) for part in WHOLE.split(512)]
    assert sum(bool(losses) for losses in found) == len(sizes)
