"""Outlier exposure: whether the rarest training rows have a released row far nearer than rare unseen rows have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.evaluation.privacy import PrivacyMetric, attacked_rows
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import TIE, MixedRows, sampled, two_nearest
from tabgraphsyn.evaluation.statistics.evidence import mean_difference
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.neighbours import k_nearest
from tabgraphsyn.ranges import Count, PositiveShare


class OutlierExposure(PrivacyMetric):
    """Share of the most isolated training rows that a released row lies far nearer to than any other real row.

    Args:
        isolated: share of rows, the most isolated ones, that count as outliers.
        near: a row is exposed when its nearest released row is at most so large a part of the distance to its nearest
            real row of another entity away.
        least_rows: outliers of each kind without which nothing is said.
        cap_queries: real rows of each kind among which outliers are sought.
        cap_records: real and released rows searched at most.
    """

    name = "outlier_exposure"
    scores_holdout = False
    title = "Outlier exposure"
    measures = (
        "Of the tenth of training rows farthest from all other real rows, the share with a released row at most a "
        "fifth as far as their nearest real row of another entity."
    )
    range = "0 to 1"
    direction = "lower"
    reading = (
        "`holdout` is what equally isolated rows reach that nothing trained on: the line to hold. Above it, rare rows "
        "are remembered; averages over all rows hide that."
    )
    finding = (
        "{value:.0%} of the rarest training rows have a synthetic row beside them; {usual:.0%} of equally rare unseen "
        "rows have"
    )
    source = "Own, after the outlier attacks of Stadler et al. 2022 (Synthetic Data - Anonymisation Groundhog Day)."

    def __init__(
        self,
        *,
        isolated: PositiveShare = 0.1,
        near: PositiveShare = 0.2,
        least_rows: Count = 5,
        cap_queries: Count = 3_000,
        cap_records: Count = 20_000,
    ) -> None:
        self.isolated = isolated
        self.near = near
        self.least_rows = least_rows
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the share of exposed training outliers of one view."""
        generator = data.generator(self.name, comparison.name, view.where)
        real, released = (self._scaled(view.reference, side) for side in (view.reference, view.candidate))
        rows, is_member, entities = attacked_rows(data, view, self.cap_queries, generator)
        records = sampled(data.training_rows[view.table], self.cap_records, generator)
        away = k_nearest(
            real.take(rows),
            real.take(records),
            1,
            threads=data.threads,
            query_entities=entities,
            record_entities=data.real_entities(view.table)[records],
        )[:, 0].astype(np.float64)
        is_rare = self._rare(away)
        members, others = is_rare & is_member, is_rare & ~is_member
        if min(members.sum(), others.sum()) < self.least_rows:
            reason = f"tiny: {int(members.sum())} isolated training rows and {int(others.sum())} held out"
            return [self.unscored(view.where, f"{reason}; {self.least_rows} of each are needed", comparison.name)]
        chosen = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        nearest, _, _ = two_nearest(real.take(rows[is_rare]), chosen, data.threads)
        exposed = (nearest <= self.near * away[is_rare] + TIE).astype(np.float64)
        inside, outside = is_member[is_rare], ~is_member[is_rare]
        evidence = mean_difference(
            exposed[inside], exposed[outside], entities[is_rare][inside], entities[is_rare][outside]
        )
        detail: dict[str, float] = {"outliers": int(inside.sum()), "holdout_outliers": int(outside.sum())}
        detail |= {"holdout": float(exposed[outside].mean()), "excess": evidence.excess, "sd": evidence.sd}
        detail |= {"distance": float(away[is_rare].min())}
        detail["searched"] = len(chosen) / len(released)
        return [self.of_view(view, float(exposed[inside].mean()), comparison, evidence, **detail)]

    def _scaled(self, reference: Sequence[Feature], side: Sequence[Feature]) -> MixedRows:
        """Return rows whose numbers are in units of the middle 98 % of the real values.

        Ranks, which the other distances use, would pull the outliers to their neighbours.
        """
        numbers, codes = [], []
        for real, feature in zip(reference, side, strict=True):
            if real.kind == "categorical":
                codes.append(feature.values)
                continue
            low, high = np.quantile(real.values[~real.missing], [0.01, 0.99]) if not real.missing.all() else (0.0, 0.0)
            numbers.append((feature.values - low) / (high - low if high > low else 1.0))
        rows = len(side[0].values)
        return MixedRows(
            np.stack(numbers, 1).astype(np.float32) if numbers else np.zeros((rows, 0), np.float32),
            np.stack(codes, 1) if codes else np.zeros((rows, 0), np.int32),
        )

    def _rare(self, away: np.ndarray) -> np.ndarray:
        """Return which rows are outliers; rows that have an equal elsewhere never are."""
        finite = away[np.isfinite(away)]
        if len(finite) == 0:
            return np.zeros(len(away), bool)
        return np.isfinite(away) & (away >= np.quantile(finite, 1 - self.isolated)) & (away > 10 * TIE)
