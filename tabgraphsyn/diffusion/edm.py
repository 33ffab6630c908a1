"""The diffusion of one table: noise levels in training and sampling, and how its conditions are treated."""

from __future__ import annotations

from tabgraphsyn.diffusion.noise import LogNormalNoise
from tabgraphsyn.ranges import Count, Log, NotNegative, Scale, Share, Window


class Edm:
    """EDM with a log-normal density of noise levels (Karras et al. 2022).

    Args:
        log_mean, log_std, sigma_min, sigma_max: see ``LogNormalNoise``.
        condition_dropout: share of families that see no condition in training (their condition is zero).
        condition_noise: standard deviation of the noise added to conditions in training; conditions have unit
            variance. At sampling they come from generated rows, which are never exact.
        composition_noise: the same for a table of which it is known what its children refer to: that says more than
            the graph network's vector, which names the row and would be learnt by heart first.
        window_limit: largest number of siblings that are denoised together.
        max_epochs: largest number of times that a row is seen in training; small tables stop there, before they are
            learnt by heart.
        family_epochs: the same where families are denoised together: all rows of one share a noise level.
        composed_epochs: the same of a table of which it is known what its children refer to: that all but names its
            rows, which are learnt by heart sooner.
    """

    def __init__(
        self,
        *,
        log_mean: Log = -0.5,
        log_std: Scale = 1.4,
        sigma_min: Scale = 0.01,
        sigma_max: Scale = 40.0,
        condition_dropout: Share = 0.0,
        condition_noise: NotNegative = 0.0,
        composition_noise: NotNegative = 1.0,
        window_limit: Window = 256,
        max_epochs: Count = 200,
        family_epochs: Count = 1000,
        composed_epochs: Count = 150,
    ) -> None:
        self.noise = LogNormalNoise(log_mean=log_mean, log_std=log_std, sigma_min=sigma_min, sigma_max=sigma_max)
        self.condition_dropout = condition_dropout
        self.condition_noise = condition_noise
        self.composition_noise = composition_noise
        self.window_limit = window_limit
        self.max_epochs = max_epochs
        self.family_epochs = family_epochs
        self.composed_epochs = composed_epochs
