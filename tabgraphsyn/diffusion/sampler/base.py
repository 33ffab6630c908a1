"""The contract of a sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from tabgraphsyn.diffusion.noise import karras_schedule
from tabgraphsyn.ranges import Steps

DenoisedFunction = Callable[[Tensor, float], Tensor]
"""From noisy latents (rows, dim) and one noise level to denoised latents (rows, dim)."""


class Sampler(ABC):
    """Solves the probability-flow ODE from ``sigma_max`` to 0 with a fixed number of steps."""

    @abstractmethod
    def levels(self, sigma_min: float, sigma_max: float) -> Tensor:
        """Return the falling noise levels that are visited, the last one 0; (steps + 1,)."""

    @abstractmethod
    def solve(self, denoised: DenoisedFunction, noisy: Tensor, levels: Tensor) -> Tensor:
        """Return latents at noise level 0.

        Shape:
            noisy: (rows, dim), latents at noise level ``levels[0]``.
        """


class KarrasSampler(Sampler):
    """Visits Karras' noise levels; a subclass says how it steps from one to the next.

    Args:
        steps: number of noise levels above 0.
        rho: how strongly the levels crowd towards 0.
    """

    def __init__(self, *, steps: Steps, rho: Annotated[float, Interval(gt=0, le=1000)] = 7.0) -> None:
        self.steps = steps
        self.rho = rho

    def levels(self, sigma_min: float, sigma_max: float) -> Tensor:
        """Return Karras' noise levels, (steps + 1,)."""
        return karras_schedule(self.steps, sigma_min, sigma_max, self.rho)
