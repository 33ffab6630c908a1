"""DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2): one evaluation a step."""

from __future__ import annotations

import itertools
import math

from torch import Tensor

from tabgraphsyn.diffusion.sampler.base import DenoisedFunction, KarrasSampler


class Multistep(KarrasSampler):
    """Second-order multistep solver in log-noise time, for data prediction and no noise schedule scaling.

    It evaluates once a step.
    """

    def solve(self, denoised: DenoisedFunction, noisy: Tensor, levels: Tensor) -> Tensor:
        """Return latents at noise level 0; the last step returns the denoised latents themselves.

        Shape:
            (rows, latent_dim).
        """
        values = levels.tolist()
        x = noisy
        before: Tensor | None = None
        before_width = 0.0
        for sigma, following in itertools.pairwise(values):
            clean = denoised(x, sigma)
            if following == 0:
                return clean
            width = math.log(sigma / following)
            estimate = clean
            if before is not None:
                share = width / (2 * before_width)
                estimate = clean + share * (clean - before)
            x = (following / sigma) * x + (1 - following / sigma) * estimate
            before, before_width = clean, width
        return x
