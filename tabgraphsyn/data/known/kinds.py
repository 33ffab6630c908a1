"""Kinds of families: a mixture of classes, of which each family's is drawn as far as its rows tell it.

Rows of a family are independent given its class (latent class analysis, Lazarsfeld 1950): levels with the class's
shares, numbers normal with its mean and variance. A family of two rows hardly tells its class, so the one that is drawn
says little of these two rows; one of fifty rows tells it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.special import logsumexp

ROUNDS = 20
PRIOR_ROWS = 3.0
"""Rows of the table as a whole that each class begins with."""
MOST_HEARD = 30.0
"""A family of more rows tells its class as one of so many: rows of a family are never quite independent."""
FITTED, CHUNK = 20_000, 50_000


@dataclass(frozen=True)
class Tally:
    """What families hold of one field, (families, .) each: of levels how often each occurs, of a number sums.

    Attributes:
        counts: (families, levels) of levels; of a number (families, 3): rows, sum, sum of squares.
        is_number: which of both.
    """

    counts: np.ndarray
    is_number: bool

    def of(self, families: np.ndarray) -> Tally:
        """Return the tally of some families, (n,) int64."""
        return Tally(self.counts[families], self.is_number)

    def terms(self, held: np.ndarray) -> np.ndarray:
        """Return what each column says for each class, (columns, classes): their products' sum is its log likelihood.

        Shape:
            held: (families, classes), how much each class holds of each family.
        """
        whole = self.counts.sum(axis=0)
        own = held.T @ self.counts
        if not self.is_number:
            shares = own + PRIOR_ROWS * whole / max(whole.sum(), 1e-9) + 1e-9
            found: np.ndarray = np.log(shares / shares.sum(axis=1, keepdims=True)).T
            return found
        rows = max(whole[0], 1e-9)
        centre, spread = whole[1] / rows, max(whole[2] / rows - (whole[1] / rows) ** 2, 1e-6)
        mean = (own[:, 1] + PRIOR_ROWS * centre) / (own[:, 0] + PRIOR_ROWS)
        squares = own[:, 2] - 2 * mean * own[:, 1] + own[:, 0] * mean**2
        variance = (np.maximum(squares, 0) + PRIOR_ROWS * spread) / (own[:, 0] + PRIOR_ROWS)
        # Of n, sum and sum of squares: -(squares - 2 mean sum + n mean^2) / 2 variance - n log(variance) / 2.
        by_row = -0.5 * (mean**2 / variance + np.log(variance))
        return np.stack([by_row, mean / variance, -0.5 / variance])


def kinds(
    tallies: Sequence[Tally], points: np.ndarray, wanted: int, least: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the kind of each family, (families,) int64 from 0 on; of no kind are fewer than ``least`` families.

    Args:
        tallies: what the families hold.
        points: (families, dimensions), where classes are sought first.
        wanted: number of kinds, at most.
        least: families behind each.
        rng: of the draws.
    """
    families = len(points)
    rows = np.max([one.counts[:, 0] if one.is_number else one.counts.sum(axis=1) for one in tallies], axis=0)
    heard = np.minimum(1.0, MOST_HEARD / np.maximum(rows, 1))[:, None]
    tallies = [Tally(one.counts * heard, one.is_number) for one in tallies]
    few = np.sort(rng.permutation(families)[:FITTED])
    chosen = [one.of(few) for one in tallies]
    held = np.eye(wanted)[_begun(points[few], wanted, rng)]
    for _ in range(ROUNDS):
        held = _held(chosen, *_model(chosen, held))
    terms, share = _model(chosen, held)
    draws = rng.random(families)
    while True:
        kind = _drawn(tallies, terms, share, draws)
        size = np.bincount(kind, minlength=len(share))
        kept = np.flatnonzero(size >= least) if size.max() >= least else np.array([size.argmax()])
        if len(kept) == len(share):
            return kind
        terms, share = [one[:, kept] for one in terms], share[kept]


def _begun(points: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return the class that each family begins with, (families,) int64: those of like points."""
    distinct, place = np.unique(points, axis=0, return_inverse=True)
    if len(distinct) <= wanted:
        return np.asarray(place, dtype=np.int64).reshape(-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a class that nobody begins with
        return np.asarray(kmeans2(points, wanted, minit="++", seed=rng, iter=10)[1], dtype=np.int64)


def _model(tallies: Sequence[Tally], held: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the terms of each tally and the log share of each class, (classes,)."""
    share = np.log((held.sum(axis=0) + 1) / (len(held) + held.shape[1]))
    return [one.terms(held) for one in tallies], share


def _held(tallies: Sequence[Tally], terms: Sequence[np.ndarray], share: np.ndarray) -> np.ndarray:
    """Return how likely each class is for each family, (families, classes)."""
    log = share + sum(one.counts @ term for one, term in zip(tallies, terms, strict=True))
    return np.asarray(np.exp(log - logsumexp(log, axis=1, keepdims=True)))


def _drawn(tallies: Sequence[Tally], terms: Sequence[np.ndarray], share: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return a class of each family, (families,) int64, by (families,) uniform draws."""
    found = []
    for first in range(0, len(draws), CHUNK):
        here = np.arange(first, min(first + CHUNK, len(draws)))
        likely = _held([one.of(here) for one in tallies], terms, share).cumsum(axis=1)
        found.append((likely < draws[here, None] * likely[:, -1:]).sum(axis=1).clip(max=len(share) - 1))
    return np.concatenate(found)
