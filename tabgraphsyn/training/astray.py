"""Series that remember wrong in training what their time tells anyway: hundreds of drawn rows go astray otherwise.

The weather of an hour is that of all stations: a network that has seen the hour before leans on it, and on drawn
hours it wanders off from what the hour is like. Related: noise in what is remembered (GenCast, Price et al. 2024;
scheduled sampling, Bengio et al. 2015). What families have for themselves is remembered rightly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.pointers import concatenated_ranges
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.families import Families

MOST = 0.9
"""Largest share of the windows in which a field is remembered wrong."""
LEAST_PAIRS = 100
"""Pairs of rows of one time from which on it is said what they share."""


@dataclass(frozen=True)
class Astray:
    """How often each field is remembered wrong.

    Shape:
        numerical: (n_num,) float32 shares of the windows. categorical: (n_cat,) float32.
    """

    numerical: Tensor
    categorical: Tensor

    @staticmethod
    def of(rows: EncodedBatch, is_present: Tensor, families: Families, times: np.ndarray) -> Astray:
        """Return for each field what rows of one time and different families share of it, ``MOST`` at most.

        Shape:
            rows: (n,) clean ones. is_present: (n, n_num) bool. times: (n,) int64.
        """
        family = np.empty(families.rows, dtype=np.int64)
        family[families.order] = np.cumsum(families.rank == 0)
        order = np.lexsort((family, times))
        is_pair = (np.diff(times[order]) == 0) & (np.diff(family[order]) != 0)
        one, two = (torch.from_numpy(order[:-1][is_pair]), torch.from_numpy(order[1:][is_pair]))
        both = is_present[one] & is_present[two]
        numbers = [
            _together(x[b], y[b]) for x, y, b in zip(rows.numerical[one].T, rows.numerical[two].T, both.T, strict=True)
        ]
        levels = [_agreement(x, y) for x, y in zip(rows.categorical[one].T, rows.categorical[two].T, strict=True)]
        return Astray(torch.tensor(numbers), torch.tensor(levels))

    def misheard(
        self,
        drawn: EncodedBatch,
        lengths: np.ndarray,
        lead: tuple[EncodedBatch, np.ndarray],
        generator: torch.Generator,
    ) -> tuple[EncodedBatch, tuple[EncodedBatch, np.ndarray]]:
        """Return rows of windows, and those before them, as their siblings remember them.

        Args:
            drawn: rows of all windows, one window after another.
            lengths: (windows,) int64, rows of each.
            lead: rows before the windows, and how many each has.
            generator: of the draws.
        """
        windows = len(lengths)
        other = torch.randint(0, windows, (windows,), generator=generator).numpy()
        numerical = torch.rand(windows, len(self.numerical), generator=generator) < self.numerical
        categorical = torch.rand(windows, len(self.categorical), generator=generator) < self.categorical
        start = (np.cumsum(lengths) - lengths)[other]
        found = []
        for rows, sizes in ((drawn, lengths), lead):
            window = np.repeat(np.arange(windows), sizes)
            place = concatenated_ranges(np.zeros_like(sizes), sizes) % lengths[other][window]
            foreign, own = torch.from_numpy(start[window] + place), torch.from_numpy(window)
            found.append(
                EncodedBatch(
                    drawn.numerical[foreign].where(numerical[own], rows.numerical),
                    drawn.categorical[foreign].where(categorical[own], rows.categorical),
                )
            )
        return found[0], (found[1], lead[1])


def _together(one: Tensor, two: Tensor) -> float:
    """Return the share of a number's variance that pairs have together, 0 to ``MOST``; one, two: (pairs,)."""
    variance = float(torch.cat([one, two]).var()) if len(one) >= LEAST_PAIRS else 0.0
    return 0.0 if variance <= 0 else _bounded(1 - float((one - two).square().mean()) / (2 * variance))


def _agreement(one: Tensor, two: Tensor) -> float:
    """Return how much oftener levels of pairs agree than by chance, 0 to ``MOST``; one, two: (pairs,) int64."""
    if len(one) < LEAST_PAIRS:
        return 0.0
    shares = torch.bincount(torch.cat([one, two])).double() / (2 * len(one))
    by_chance = float(shares.square().sum())
    agree = float((one == two).double().mean())
    return 0.0 if by_chance >= 1 else _bounded((agree - by_chance) / (1 - by_chance))


def _bounded(share: float) -> float:
    return min(max(share, 0.0), MOST)
