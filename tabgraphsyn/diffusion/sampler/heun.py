"""Heun's second-order method (Karras et al. 2022, algorithm 1): two evaluations a step."""

from __future__ import annotations

import itertools

from torch import Tensor

from tabgraphsyn.diffusion.sampler.base import DenoisedFunction, KarrasSampler


class Heun(KarrasSampler):
    """Deterministic Heun steps; all but the last evaluate twice."""

    def solve(self, denoised: DenoisedFunction, noisy: Tensor, levels: Tensor) -> Tensor:
        """Return latents at noise level 0; the last step, to 0, is Euler's; (rows, latent_dim)."""
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
