"""DCR: whether rows are nearer to training rows than to rows that nothing trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.privacy import PrivacyMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import Nearest
from tabgraphsyn.evaluation.statistics.evidence import Evidence, weighted_entities
from tabgraphsyn.ranges import Count


class DCR(PrivacyMetric):
    """Share of rows whose closest record is a training row, weighted so that 0.5 is no preference.

    Args:
        cap_queries: rows looked up at most.
        cap_records: real rows searched at most; training and holdout are thinned alike.
    """

    name = "dcr"
    scores_holdout = False
    title = "DCR share"
    measures = (
        "How often the closest real record is a training row rather than a holdout row, each set weighted by its size "
        "(ties shared by count)."
    )
    range = "0 to 1"
    direction = "half"
    reading = (
        "0.5: no nearer to what was trained on than to unseen real rows; 1: always nearer to training rows, which is "
        "copying. Below 0.5 is chance or a small holdout. `memorised` estimates the share of rows made from a training "
        "row; its spread is that under random labels of the real entities."
    )
    finding = (
        "rows lie closer to training rows than to unseen ones (DCR share {value:.2f}; .50 is even), as if {excess:.0%} "
        "of them were made from one"
    )
    source = (
        "Distance to closest record (Platzer and Reutterer 2021; TabSyn), with odds weighted by size instead of "
        "thinning training down to the holdout's size, which would hide nine copies in ten."
    )

    def __init__(self, *, cap_queries: Count = 5_000, cap_records: Count = 50_000) -> None:
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the weighted share of one view; the holdout itself has none."""
        found = data.nearest(comparison, view, self.cap_queries, self.cap_records)
        plain = training_share(found)
        value = weighted_share(plain, found.training_records, found.holdout_records)
        evidence = preference(found, plain, data.real_entities(view.table))
        detail = {"plain_share": plain, "expected_share": _expected(found), "rows": len(found.to_training)}
        detail |= {"training_records": found.training_records, "holdout_records": found.holdout_records}
        detail |= {"capped": found.queries_of > len(found.to_training), "memorised": evidence.excess}
        detail["searched"] = found.training_records / len(data.training_rows[view.table])
        return [self.of_view(view, value, comparison, evidence, **detail, **_spread(found, evidence))]


def _spread(found: Nearest, evidence: Evidence) -> dict[str, Any]:
    """Return the interval of the weighted share: that of the memorised share, in the unit of the score."""
    p, half = _expected(found), 1.96 * evidence.sd
    ends = [min(max(p + (evidence.excess + side * half) * (1 - p), 0.0), 1.0) for side in (-1, 1)]
    low, high = (weighted_share(end, found.training_records, found.holdout_records) for end in ends)
    return {"sd": round((high - low) / (2 * 1.96), 6), "interval": [low, high], "spread": "entities"}


def preference(found: Nearest, plain: float, entities: np.ndarray) -> Evidence:
    """Return the share of rows made from a training row, were the others indifferent, and its spread by chance.

    When a share f of rows is copied, training is nearest to f + (1 - f) * p of all rows. By chance the real entities'
    labels are exchangeable: an entity that is nearest to many rows then counts once.
    """
    p = _expected(found)
    concentration = weighted_entities(entities[found.nearest_row], np.ones(len(found.nearest_row)))
    return Evidence((plain - p) / (1 - p), sd=math.sqrt(p * (1 - p) * concentration) / (1 - p))


def training_share(found: Nearest) -> float:
    """Return the share of rows whose closest record is a training row; ties count by how many each set has."""
    ties = np.stack([found.ties_training, found.ties_holdout]).astype(np.float64)
    return float((ties[0] / ties.sum(0)).mean())


def _expected(found: Nearest) -> float:
    return found.training_records / (found.training_records + found.holdout_records)


def weighted_share(share: float, training: int, holdout: int) -> float:
    """Return the share after weighting both sets to equal size.

    >>> weighted_share(0.9, 900, 100)
    0.5
    >>> weighted_share(1.0, 900, 100)
    1.0
    """
    left, right = share / training, (1 - share) / holdout
    return round(left / (left + right), 12)
