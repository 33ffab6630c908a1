"""Operations written to be quick give what the plain ones of torch give, gradients included."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tabgraphsyn.models.absorbing.around.recurrence import states
from tabgraphsyn.models.absorbing.levels.surprises import level_surprises, log_sum_exp
from tabgraphsyn.models.absorbing.numbers.companions import distinct_masks


@pytest.mark.parametrize("lengths", [[7, 5, 5, 1], [1], [1, 1], [9]])
def test_states_are_those_of_the_recurrent_unit_of_torch(lengths: list[int]) -> None:
    torch.manual_seed(len(lengths))
    cell = nn.GRU(6, 6, batch_first=True)
    padded = torch.randn(len(lengths), lengths[0], 6)
    counts = [sum(length > place for length in lengths) for place in range(lengths[0])]
    wanted = torch.randn(sum(lengths), 6)
    found = []
    for is_own in (True, False):
        cell.zero_grad()
        rows = padded.clone().requires_grad_()
        packed = torch.cat([rows[:count, place] for place, count in enumerate(counts)])
        if is_own:
            made = states(cell, packed, counts)
        else:
            made = torch.cat([cell(rows)[0][:count, place] for place, count in enumerate(counts)])
        made.backward(wanted)
        found.append(
            [made.detach(), rows.grad, *(one.grad.clone() for one in cell.parameters() if one.grad is not None)]
        )
    assert len(found[0]) == 6
    torch.testing.assert_close(found[0], found[1])


def test_levels_are_as_surprising_as_by_cross_entropy() -> None:
    torch.manual_seed(0)
    sizes = (2, 5, 1, 40)
    codes = torch.stack([torch.randint(0, size, (30,)) for size in sizes], dim=1)
    logits, weights = 3 * torch.randn(30, sum(sizes)), torch.rand(30, len(sizes))
    one, other = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    quick = level_surprises(one.split(sizes, dim=1), codes)
    parts = zip(other.split(sizes, dim=1), codes.T, strict=True)
    plain = torch.stack([F.cross_entropy(part, code, reduction="none") for part, code in parts], dim=1)
    (quick * weights).sum().backward()
    (plain * weights).sum().backward()
    torch.testing.assert_close(quick, plain)
    torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("dim", [1, -1])
def test_logarithms_of_sums_are_those_of_torch(dim: int) -> None:
    torch.manual_seed(1)
    values = 30 * torch.randn(7, 5, 4)
    values[:, 1:, 1:] = -torch.inf
    one, other = values.clone().requires_grad_(), values.clone().requires_grad_()
    quick, plain = log_sum_exp(one, dim), torch.logsumexp(other, dim)
    (quick * torch.arange(7.0)[:, None]).sum().backward()
    (plain * torch.arange(7.0)[:, None]).sum().backward()
    torch.testing.assert_close(quick, plain)
    torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("width", [1, 6, 31, 32, 70])
def test_distinct_masks_are_the_unique_rows(width: int) -> None:
    generator = torch.Generator().manual_seed(width)
    masks = torch.rand(50, width, generator=generator) < 0.5
    masks = torch.cat([masks, masks.flip(0), torch.zeros(1, width, dtype=torch.bool)])
    found, which = distinct_masks(masks)
    wanted, place = masks.unique(dim=0, return_inverse=True)
    assert found.equal(wanted)
    assert which.equal(place)


def test_masks_of_nothing_are_one_and_none() -> None:
    found, which = distinct_masks(torch.zeros(3, 0, dtype=torch.bool))
    assert found.shape == (1, 0)
    assert which.tolist() == [0, 0, 0]
    assert distinct_masks(torch.zeros(0, 2, dtype=torch.bool))[0].shape == (0, 2)


@pytest.mark.slow
def test_weights_are_read_without_the_compiler_of_torch() -> None:
    script = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from tempfile import mkdtemp\n"
        "from tabgraphsyn.stages.weights import with_weights, write_weights\n"
        "path = Path(mkdtemp()) / 'weights.safetensors'\n"
        "write_weights(torch.nn.Embedding(3, 2), path)\n"
        "def made():\n"
        "    one = torch.nn.Embedding(3, 2)\n"
        "    one.weight.data.view(-1, 2)[:, 0] = torch.linspace(-1, 1, 3)\n"
        "    return one\n"
        "found = with_weights(made, path)\n"
        "assert found.weight.device.type == 'cpu'\n"
        "sys.exit(bool({'torch._dynamo', 'sympy'} & sys.modules.keys()))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
