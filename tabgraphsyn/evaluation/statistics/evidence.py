"""How much of an excess is copying and how much may be chance: what the gate judges, as plain numbers.

Rows of one entity (the atoms of a molecule) come and go together, so that a thousand of them under twenty parents tell
hardly more than twenty rows. Every spread here is therefore taken over entities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from tabgraphsyn.data.codes import dense_codes
from tabgraphsyn.evaluation.statistics.spread import share_error

NORMAL = 1.959964


@dataclass(frozen=True)
class Share:
    """A share of rows and how many independent rows it is worth; ``rows`` may be infinite for a known number."""

    value: float
    rows: float

    def interval(self, z: float) -> tuple[float, float]:
        """Return Wilson's interval: not empty where no row, or every row, is counted.

        >>> [round(end, 3) for end in Share(0.0, 19).interval(1.96)]
        [0.0, 0.168]
        """
        if not math.isfinite(self.rows):
            return self.value, self.value
        rows, square = max(self.rows, 1.0), z * z
        middle = (self.value + square / (2 * rows)) / (1 + square / rows)
        half = z * math.sqrt(self.value * (1 - self.value) / rows + square / (4 * rows * rows)) / (1 + square / rows)
        return min(max(0.0, middle - half), self.value), max(min(1.0, middle + half), self.value)

    def described(self) -> dict[str, Any]:
        """Return what a score's detail says of its spread: Wilson's interval of a share of finitely many rows."""
        low, high = self.interval(NORMAL)
        error = share_error(self.value, max(1, round(self.rows)))
        return {"sd": round(error, 6), "interval": [round(low, 6), round(high, 6)], "spread": "entities"}


@dataclass(frozen=True)
class Evidence:
    """An excess that should be 0, in the unit of a share (0 none, 1 everything), and its uncertainty.

    Attributes:
        excess: the estimate; above 0 is worse.
        sd: its standard deviation by chance, for an excess that is judged by the normal distribution.
        share: the share judged, where the excess is a difference of shares.
        baselines: what the share is held against; it must exceed every one of them.
    """

    excess: float
    sd: float = 0.0
    share: Share | None = None
    baselines: tuple[Share, ...] = ()

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the one-sided lower bound at ``confidence`` and the upper bound at the same.

        Differences of shares take Newcombe's interval (1998, method 10).
        """
        z = float(norm.ppf(confidence))
        if self.share is None:
            return max(-1.0, self.excess - z * self.sd), min(1.0, self.excess + z * self.sd)
        ends = [_newcombe(self.share, baseline, z) for baseline in self.baselines]
        return min(low for low, _ in ends), min(high for _, high in ends)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form, which a score carries in its detail."""
        raw = asdict(self)
        for part in (raw["share"] or {}, *raw["baselines"]):
            if part:
                part["rows"] = part["rows"] if math.isfinite(part["rows"]) else None
        return raw | {"baselines": list(raw["baselines"])}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Evidence:
        """Read the form that ``to_dict`` writes."""
        share = _share(raw["share"]) if raw["share"] else None
        return cls(raw["excess"], raw["sd"], share, tuple(_share(part) for part in raw["baselines"]))


def _share(raw: Mapping[str, Any]) -> Share:
    return Share(raw["value"], math.inf if raw["rows"] is None else raw["rows"])


def _newcombe(share: Share, baseline: Share, z: float) -> tuple[float, float]:
    low, high = share.interval(z)
    base_low, base_high = baseline.interval(z)
    difference = share.value - baseline.value
    return (
        difference - math.hypot(share.value - low, base_high - baseline.value),
        difference + math.hypot(high - share.value, baseline.value - base_low),
    )


def share_of(counted: np.ndarray, entities: np.ndarray) -> Share:
    """Return the share of rows that are counted, worth fewer rows where entities are counted as a whole.

    Shape:
        counted: (rows,) bool. entities: (rows,) int64, equal for rows of one entity.
    """
    value = float(counted.mean())
    count = int(dense_codes(entities).max(initial=-1)) + 1
    if value in (0.0, 1.0):  # nothing varies, so entities cannot be told from rows: the lower number is safe
        return Share(value, float(count))
    return Share(value, len(counted) / design_effect(counted - value, entities))


def design_effect(residuals: np.ndarray, entities: np.ndarray) -> float:
    """Return how many times larger the variance of a mean is than that of as many independent rows; at least 1."""
    total = float(np.square(residuals).sum())
    if total == 0:
        return 1.0
    number = dense_codes(entities)
    return max(1.0, float(np.square(np.bincount(number, weights=residuals)).sum()) / total)


def mean_difference(
    members: np.ndarray, others: np.ndarray, member_entities: np.ndarray, other_entities: np.ndarray
) -> Evidence:
    """Return how far the mean of ``members`` exceeds that of ``others``, against random labels of whole entities.

    The spread is that under exchangeable labels (a permutation test's), so that ten holdout rows that all happen to
    agree are not certainty.

    Shape:
        members, others: (rows,) float in 0 .. 1. member_entities, other_entities: (rows,) int64.
    """
    values = np.concatenate([members, others])
    residuals = values - values.mean()
    effect = design_effect(residuals, np.concatenate([member_entities, other_entities]))
    variance = float(np.square(residuals).mean()) * effect * (1 / len(members) + 1 / len(others))
    return Evidence(float(members.mean() - others.mean()), sd=math.sqrt(variance))


def auc_evidence(
    members: np.ndarray, others: np.ndarray, member_entities: np.ndarray, other_entities: np.ndarray
) -> tuple[float, Evidence]:
    """Return the area under the ROC curve of guessing members by a high value, and its excess over one half."""
    ranks = rankdata(np.concatenate([members, others])) / (len(members) + len(others))
    found = mean_difference(ranks[: len(members)], ranks[len(members) :], member_entities, other_entities)
    return found.excess + 0.5, found


def weighted_entities(entities: np.ndarray, weights: np.ndarray) -> float:
    """Return the sum over entities of the square of their share of all weights: 1 over an effective number."""
    shares = np.bincount(dense_codes(entities), weights=weights) / max(float(weights.sum()), 1e-12)
    return float(np.square(shares).sum())
