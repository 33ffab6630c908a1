"""Tables too small to learn from: each attribute drawn by itself from its coarse marginal, none with another.

Of fifteen rows a network learns fifteen rows by heart. What is left is what each column says by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import NotNegative, Number, Share


@dataclass(frozen=True)
class CoarseMarginals(Plain):
    """Shares of levels and the place and width of numbers, field by field.

    Attributes:
        shares: per categorical field the share of each level.
        middle: per numerical field the mean in normalised space.
        width: per numerical field the standard deviation there.
    """

    shares: tuple[tuple[Share, ...], ...]
    middle: tuple[Number, ...]
    width: tuple[NotNegative, ...]

    @staticmethod
    def fit(numerical: np.ndarray, categorical: np.ndarray, levels: Sequence[int]) -> CoarseMarginals:
        """Return the marginals of encoded training rows.

        Shape:
            numerical: (rows, n_num, 2). categorical: (rows, n_cat) int.

        Args:
            levels: number of levels of each categorical field.
        """
        counts = [np.bincount(categorical[:, place], minlength=size) for place, size in enumerate(levels)]
        shares = tuple(tuple((one / max(one.sum(), 1)).round(2).tolist()) for one in counts)
        middles = numerical.mean(axis=2) if len(numerical) else np.zeros((1, numerical.shape[1]))
        middle, width = middles.mean(axis=0).round(1), middles.std(axis=0).round(1)
        return CoarseMarginals(shares, tuple(middle.tolist()), tuple(width.tolist()))

    def draw(self, rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return fields of new rows: (rows, n_num) float32 in normalised space, and (rows, n_cat) int64."""
        numerical = np.asarray(self.middle) + rng.standard_normal((rows, len(self.middle))) * np.asarray(self.width)
        levels = [_drawn(np.asarray(shares), rows, rng) for shares in self.shares]
        categorical = np.stack(levels, axis=1) if levels else np.zeros((rows, 0), np.int64)
        return numerical.astype(np.float32), categorical


def _drawn(shares: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    total = shares.sum()
    even = np.full(len(shares), 1 / max(len(shares), 1))
    return rng.choice(len(shares), size=rows, p=shares / total if total > 0 else even)
