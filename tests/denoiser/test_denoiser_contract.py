"""Every denoiser in conf/denoiser, also one added tomorrow, keeps the contract."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tabgraphsyn.models.batch import SiblingGroups
from tabgraphsyn.models.denoiser.base import Denoiser
from tabgraphsyn.models.families import Families
from tabgraphsyn.stages.build import build

CONF = Path(__file__).resolve().parents[2] / "conf" / "denoiser"
CONFIGS = sorted(CONF.glob("*.yaml"))


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def denoiser(request):
    torch.manual_seed(0)
    config = OmegaConf.to_container(OmegaConf.load(request.param))
    network = build(config, Denoiser, latent_dim=11, output_dim=17, condition_dim=5)
    for parameter in network.parameters():  # heads start at zero: give the output something to depend on
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def families(pointer):
    return Families.from_pointer(np.array(pointer), len(pointer))


def call(network, groups, rows, seed=0, change=None):
    generator = torch.Generator().manual_seed(seed)
    scaled = torch.randn(rows, 11, generator=generator)
    if change is not None:
        scaled[change] += 1.0
    context = network.context(torch.randn(rows, 5, generator=generator), groups)
    return network(scaled, torch.zeros(rows), context, groups)


def test_shape_and_gradients(denoiser):
    _, groups = families([0, 0, 1, 1, 1, 2]).batch(np.arange(3))
    raw = call(denoiser, groups, 6)
    assert raw.shape == (6, 17)
    raw.square().sum().backward()
    assert all(parameter.grad is not None for parameter in denoiser.parameters())


def test_siblings_hear_each_other_and_nobody_else_does(denoiser):
    _, groups = families([0, 0, 1, 1, 1, 2]).batch(np.arange(3))
    moved = (call(denoiser, groups, 6, change=0) - call(denoiser, groups, 6)).abs().amax(dim=1) > 1e-6
    assert moved.tolist() == [True, True, False, False, False, False]


def test_rows_without_family_are_independent(denoiser):
    groups = SiblingGroups.singletons(4)
    moved = (call(denoiser, groups, 4, change=2) - call(denoiser, groups, 4)).abs().amax(dim=1) > 1e-6
    assert moved.tolist() == [False, False, True, False]


def test_condition_and_noise_level_matter(denoiser):
    groups = SiblingGroups.singletons(3)
    scaled, noise, condition = torch.zeros(3, 11), torch.zeros(3), torch.zeros(3, 5)
    context = denoiser.context(condition, groups)
    base = denoiser(scaled, noise, context, groups)
    assert not torch.allclose(base, denoiser(scaled, noise + 1, context, groups))
    assert not torch.allclose(base, denoiser(scaled, noise, denoiser.context(condition + 1, groups), groups))


def test_one_noise_level_for_all_rows_is_the_same_as_one_each(denoiser):
    groups = SiblingGroups.singletons(3)
    context = denoiser.context(torch.randn(3, 5), groups)
    each = denoiser(torch.ones(3, 11), torch.full((3,), 0.4), context, groups)
    assert torch.allclose(each, denoiser(torch.ones(3, 11), torch.full((1,), 0.4), context, groups), atol=1e-5)


def test_each_family_has_its_own_noise_level(denoiser):
    _, groups = families([0, 0, 1, 1, 1, 2]).batch(np.arange(3))
    context = denoiser.context(torch.randn(6, 5), groups)
    levels = torch.tensor([-0.5, 0.4, 1.2])
    together = denoiser(torch.ones(6, 11), levels, context, groups)
    for number, rows in enumerate((slice(0, 2), slice(2, 5), slice(5, 6))):
        alone = groups.part(slice(number, number + 1), rows)
        one = denoiser(torch.ones(6, 11)[rows], levels[number : number + 1], context[rows], alone)
        assert torch.allclose(together[rows], one, atol=1e-5)


def test_no_condition_at_all(denoiser):
    config = OmegaConf.to_container(OmegaConf.load(CONFIGS[0]))
    network = build(config, Denoiser, latent_dim=11, output_dim=17, condition_dim=0)
    groups = SiblingGroups.singletons(3)
    context = network.context(torch.zeros(3, 0), groups)
    assert network(torch.zeros(3, 11), torch.zeros(3), context, groups).shape == (3, 17)


def test_bf16_is_close_to_float32(denoiser):
    """Also in a large family, whose mean a sum in bf16 would lose."""
    large = families([0] * 3000 + [1, 1])
    _, groups = large.batch(np.arange(large.windows))
    with torch.no_grad():
        exact = call(denoiser, groups, 3002)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = call(denoiser, groups, 3002)
    assert coarse.shape == exact.shape
    assert not torch.equal(coarse.float(), exact)
    error = (coarse.float() - exact).square().mean().sqrt()
    assert error < 0.03 * exact.std()
