"""Attribute inference: whether the released rows reveal a column of training rows better than of unseen rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.privacy import PrivacyMetric, attacked_rows
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import CHUNK_BYTES, TIE, MixedRows, distances, mixed_rows, sampled
from tabgraphsyn.evaluation.statistics.evidence import mean_difference
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.ranges import Count, NotNegative


class AttributeInference(PrivacyMetric):
    """How much more often an attacker is right about a column of training rows than about one of holdout rows.

    The attacker knows all other columns of a real row, takes the nearest released row by them, and reads the hidden
    column there. What is right on average is statistics; what is right for training rows alone is memory.

    Args:
        sensitive: table -> columns to be guessed; null takes every column in turn.
        tolerance: a number is right within this share of the real rows (distance of ranks).
        cap_columns: columns guessed at most, drawn where there are more.
        cap_queries: real rows of each kind at most.
        cap_records: released rows searched at most.
    """

    name = "attribute_inference"
    scores_holdout = False
    title = "Attribute inference"
    measures = (
        "Share of right guesses of a hidden column for training rows less that for holdout rows; the guess is the "
        "value of the nearest released row by all other columns (numbers: within 5 % of the ranks); mean over columns."
    )
    range = "-1 to 1"
    direction = "lower"
    reading = (
        "0: what can be guessed of a training row can be guessed of any row. Above it, having been trained on "
        "costs privacy. `training` and `holdout` are the shares of right guesses, `columns` the advantage by column."
    )
    finding = "hidden columns of training rows are guessed right {excess:.1%} more often than those of unseen rows"
    source = "Advantage of Yeom et al. 2018 with the nearest-neighbour attack of Anonymeter (Giomi et al. 2023)."

    def __init__(
        self,
        *,
        sensitive: Mapping[str, Sequence[str]] | None = None,
        tolerance: NotNegative = 0.05,
        cap_columns: Count = 12,
        cap_queries: Count = 1_000,
        cap_records: Count = 10_000,
    ) -> None:
        self.sensitive = sensitive
        self.tolerance = tolerance
        self.cap_columns = cap_columns
        self.cap_queries = cap_queries
        self.cap_records = cap_records

    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the mean advantage over the columns of one view."""
        generator = data.generator(self.name, comparison.name, view.where)
        if len(view.reference) < 2:
            return [self.unscored(view.where, "one column: nothing is known to guess it from", comparison.name)]
        hidden, why_not = self._hidden(view, generator)
        if not hidden:
            return [self.unscored(view.where, why_not, comparison.name)]
        real, released = mixed_rows(view.reference, view.candidate)
        rows, is_member, entities = attacked_rows(data, view, self.cap_queries, generator)
        records = released.take(sampled(np.arange(len(released)), self.cap_records, generator))
        columns = [_single(view.reference, number) for number in hidden]
        right = _guessed(real.take(rows), records, columns, self.tolerance, data.threads)
        mean = right.mean(1)
        evidence = mean_difference(mean[is_member], mean[~is_member], entities[is_member], entities[~is_member])
        by_column = right[is_member].mean(0) - right[~is_member].mean(0)
        names = [view.reference[number].name for number in hidden]
        detail: dict[str, Any] = {"training": float(mean[is_member].mean()), "holdout": float(mean[~is_member].mean())}
        detail |= {"sd": evidence.sd, "members": int(is_member.sum()), "others": int((~is_member).sum())}
        detail["columns"] = {name: float(value) for name, value in zip(names, by_column, strict=True)}
        detail["searched"] = len(records) / len(released)
        return [self.of_view(view, evidence.excess, comparison, evidence, **detail)]

    def _hidden(self, view: View, generator: np.random.Generator) -> tuple[list[int], str]:
        """Return the numbers of the columns to guess; a column without two values tells nothing."""
        wanted = range(len(view.reference))
        if self.sensitive is not None:
            chosen = set(self.sensitive.get(view.table, ()))
            wanted = [number for number in wanted if view.reference[number].name in chosen]  # type: ignore[assignment]
            if not wanted:
                return [], "no column of it is named in sensitive"
        varied = [number for number in wanted if _varies(view.reference[number])]
        if not varied:
            return [], "every column is constant"
        return sampled(np.array(varied), self.cap_columns, generator).tolist(), ""


def _varies(feature: Feature) -> bool:
    values = feature.as_number
    return bool(len(np.unique(values[~np.isnan(values)])) + np.isnan(values).any() > 1)


def _single(features: Sequence[Feature], number: int) -> tuple[bool, int]:
    """Return whether a column is one of numbers and its place among those of its kind."""
    kind = features[number].kind
    return kind == "numerical", sum(feature.kind == kind for feature in features[:number])


def _column(rows: MixedRows, is_number: bool, place: int) -> MixedRows:
    none = rows.numbers[:, :0], rows.codes[:, :0]
    if is_number:
        return MixedRows(rows.numbers[:, place : place + 1], none[1])
    return MixedRows(none[0], rows.codes[:, place : place + 1])


def _guessed(
    queries: MixedRows, records: MixedRows, columns: Sequence[tuple[bool, int]], tolerance: float, threads: int
) -> np.ndarray:
    """Return (queries, columns) float64: how likely the guess is right, a tie among nearest rows being drawn."""
    right = np.zeros((len(queries), len(columns)))
    size = max(1, CHUNK_BYTES // (4 * len(records)))

    def look(start: int) -> None:
        part = np.arange(start, min(start + size, len(queries)))
        rows = queries.take(part)
        total = distances(rows, records) * queries.columns
        for number, (is_number, place) in enumerate(columns):
            own = distances(_column(rows, is_number, place), _column(records, is_number, place))
            rest = total - own
            nearest = rest <= rest.min(1, keepdims=True) + TIE * queries.columns
            right[part, number] = ((own <= (tolerance if is_number else 0.0)) & nearest).sum(1) / nearest.sum(1)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, range(0, len(queries), size)))
    return right
