"""Heun's second-order method (Karras et al. 2022, algorithm 1): two evaluations a step."""

from __future__ import annotations

import itertools

from torch import Tensor

from tabgraphsyn.diffusion.noise import karras_schedule
from tabgraphsyn.diffusion.sampler.base import DenoisedFunction, Sampler


class Heun(Sampler):
    """Deterministic Heun steps over Karras' noise levels.

    Args:
        steps: number of noise levels above 0.
        rho: how strongly the levels crowd towards 0.
    """

    def __init__(self, *, steps: int = 10, rho: float = 7.0) -> None:
        self.steps = steps
        self.rho = rho

    def levels(self, sigma_min: float, sigma_max: float) -> Tensor:
        """Return Karras' noise levels."""
        return karras_schedule(self.steps, sigma_min, sigma_max, self.rho)

    def solve(self, denoised: DenoisedFunction, noisy: Tensor, levels: Tensor) -> Tensor:
        """Return latents at noise level 0; the last step, to 0, is Euler's."""
        values = levels.tolist()
        x = noisy
        for sigma, following in itertools.pairwise(values):
            slope = (x - denoised(x, sigma)) / sigma
            moved = x + (following - sigma) * slope
            if following > 0:
                other = (moved - denoised(moved, following)) / following
                moved = x + (following - sigma) * 0.5 * (slope + other)
            x = moved
        return x
