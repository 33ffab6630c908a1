"""Preconditioning, noise levels and samplers against closed forms."""

import doctest
import math

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.diffusion import noise, preconditioning
from tabgraphsyn.diffusion.sampler.base import Sampler
from tabgraphsyn.diffusion.sampler.heun import Heun
from tabgraphsyn.stages.build import build


@pytest.mark.parametrize("module", [noise, preconditioning])
def test_doctests(module):
    assert doctest.testmod(module).failed == 0


@given(sigma=st.floats(1e-3, 100), sigma_data=st.floats(0.1, 5))
def test_preconditioning_keeps_unit_variance(sigma, sigma_data):
    """Karras et al. 2022, appendix B.6: input and effective target have unit variance."""
    level = torch.tensor(sigma, dtype=torch.float64)
    skip = preconditioning.skip_scaling(level, sigma_data)
    out = preconditioning.output_scaling(level, sigma_data)
    input_variance = preconditioning.input_scaling(level, sigma_data) ** 2 * (sigma_data**2 + sigma**2)
    target_variance = ((1 - skip) ** 2 * sigma_data**2 + skip**2 * sigma**2) / out**2
    assert input_variance.item() == pytest.approx(1)
    assert target_variance.item() == pytest.approx(1)


def test_training_density_has_the_stated_quantiles():
    density = noise.LogNormalNoise(log_mean=-0.5, log_std=1.4, sigma_min=1e-6, sigma_max=1e6)
    uniform = torch.tensor([0.5, 0.8413447])
    assert density.levels(uniform).log().tolist() == pytest.approx([-0.5, 0.9], abs=1e-3)


@given(st.integers(1, 200), st.integers(0, 5))
def test_strata_are_each_hit_once(count, seed):
    drawn = noise.stratified_uniform(count, torch.Generator().manual_seed(seed))
    assert sorted((drawn * count).long().clamp(max=count - 1).tolist()) == list(range(count))


def test_schedule_refuses_one_step():
    with pytest.raises(ValueError, match="steps"):
        noise.karras_schedule(1, 0.01, 40.0)


@pytest.mark.parametrize("path", sorted((config_dir() / "sampler").glob("*.yaml")), ids=lambda path: path.stem)
def test_samplers_carry_a_gaussian_to_its_exact_place(path):
    """For data N(m, s^2) the ODE is linear: x(0) = m + (x(T) - m) s / sqrt(s^2 + T^2)."""
    sampler = build({**yaml.safe_load(path.read_text()), "steps": 60}, Sampler)
    mean, deviation, top = 1.5, 0.7, 40.0
    levels = sampler.levels(0.002, top)
    start = torch.linspace(-60, 60, 9, dtype=torch.float64).unsqueeze(1)

    def denoised(x, sigma):
        return (deviation**2 * x + sigma**2 * mean) / (deviation**2 + sigma**2)

    exact = mean + (start - mean) * deviation / math.sqrt(deviation**2 + top**2)
    found = sampler.solve(denoised, start, levels.double())
    assert (found - exact).abs().max().item() < 2e-2


def test_heun_is_of_second_order():
    """Halving the step divides the error by about four."""
    mean, deviation = 0.3, 1.0
    start = torch.tensor([[25.0]], dtype=torch.float64)

    def denoised(x, sigma):
        return (deviation**2 * x + sigma**2 * mean) / (deviation**2 + sigma**2)

    exact = mean + (start - mean) * deviation / math.sqrt(deviation**2 + 1600)

    def error(steps):
        sampler = Heun(steps=steps)
        levels = sampler.levels(0.01, 40.0).double()
        levels[-1] = 1e-9
        return (sampler.solve(denoised, start, levels) - exact).abs().item()

    assert error(16) / error(32) == pytest.approx(4, rel=0.5)
