"""Which noise levels training sees, and which a sampler visits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LogNormalNoise:
    """EDM's training density: ln(sigma) ~ Normal(mean, std^2), cut to ``[sigma_min, sigma_max]``.

    Attributes:
        log_mean: P_mean of Karras et al. 2022.
        log_std: P_std of Karras et al. 2022.
        sigma_min: smallest standard deviation of the noise.
        sigma_max: largest.
    """

    log_mean: float = -0.5
    log_std: float = 1.4
    sigma_min: float = 0.01
    sigma_max: float = 40.0

    def levels(self, uniform: Tensor) -> Tensor:
        """Return sigma at quantiles of the density.

        Shape:
            uniform: any shape, values in (0, 1).
        """
        normal = torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))
        return torch.exp(self.log_mean + self.log_std * normal).clamp(self.sigma_min, self.sigma_max)


def stratified_uniform(count: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` numbers in (0, 1), one in each of ``count`` equal strata, in random order.

    Noise levels drawn this way have the same density and a smaller variance of the loss.
    """
    place = torch.randperm(count, generator=generator)
    return (place + torch.rand(count, generator=generator)) / count


def karras_schedule(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Return ``steps + 1`` falling noise levels that end at exactly 0 (Karras et al. 2022, eq. 5).

    >>> karras_schedule(2, 0.01, 40.0).tolist()[0], karras_schedule(2, 0.01, 40.0).tolist()[-1]
    (40.0, 0.0)
    """
    if steps < 2:
        raise ValueError(f"steps: at least 2 expected, found {steps}")
    place = torch.linspace(0, 1, steps, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    levels = (high + place * (low - high)) ** rho
    levels[0] = sigma_max
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)]).float()
