"""What a metric is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tabgraphsyn.evaluation.score import ComparisonName, Direction, Level, Result, Score, Unscored
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.spread import Influences, described, mean_influences, standard_error


class Metric(ABC):
    """One metric. A subclass is one file and one yaml; its constructor takes the keys of the yaml, keyword-only.

    Class attributes document it; ``tabgraphsyn metrics`` and the report print them.

    Attributes:
        name: key in yaml and in metrics.json.
        title: the name a reader sees.
        measures: what it measures, in a sentence or two.
        range: lowest and highest possible value, in words.
        direction: which way is better.
        reading: how to read a value.
        source: paper or package the definition comes from.
        is_privacy: True for metrics that look for copying; they are reported first.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    measures: ClassVar[str]
    range: ClassVar[str]
    direction: ClassVar[Direction]
    reading: ClassVar[str]
    source: ClassVar[str]
    is_privacy: ClassVar[bool] = False

    @abstractmethod
    def compute(self, data: EvaluationData) -> Sequence[Result]:
        """Return every score of this metric, over all comparisons that ``data`` asks for."""

    def score(
        self, level: Level, where: str, value: float, comparison: ComparisonName = "synthetic", **detail: Any
    ) -> Score:
        """Return a score under this metric's name and direction."""
        return Score(self.name, level, where, float(value), self.direction, comparison, detail)

    def with_error(self, score: Score, influences: Influences | None) -> Score:
        """Return the score with its spread over entities; unchanged where there are too few to tell."""
        if influences is None:
            return score
        detail = {**score.detail, **described(score.value, standard_error(influences), "entities")}
        return replace(score, detail=detail, influences=influences)

    def unscored(self, where: str, reason: str, comparison: ComparisonName = "synthetic") -> Unscored:
        """Return a note that ``where`` has no score."""
        return Unscored(self.name, where, reason, comparison)


class ComparisonMetric(Metric):
    """A metric that is computed alike for every comparison (synthetic, real against real, ...)."""

    def compute(self, data: EvaluationData) -> Sequence[Result]:
        """Return the scores of every comparison, in the order in which ``data`` lists them."""
        return [result for comparison in data.comparisons for result in self.compare(data, comparison)]

    @abstractmethod
    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return the scores of one comparison."""


def mean_score(metric: Metric, level: Level, where: str, parts: Sequence[Result], **detail: Any) -> list[Result]:
    """Return one score: the mean over those of ``parts`` that are scores; nothing when there is none.

    Its spread is that of the mean when all parts tell how entities move them, otherwise the mean of the parts'
    standard errors, which is what the error of the mean is at most.
    """
    scores = [part for part in parts if isinstance(part, Score)]
    if not scores:
        return []
    value = math.fsum(part.value for part in scores) / len(scores)
    influences = mean_influences([part.influences for part in scores])
    errors = [part.detail["sd"] for part in scores if "sd" in part.detail]
    if influences is None and len(errors) == len(scores):
        detail |= described(value, math.fsum(errors) / len(errors), str(scores[0].detail.get("spread", "rows")))
    return [
        metric.with_error(
            metric.score(level, where, value, scores[0].comparison, parts=len(scores), **detail), influences
        )
    ]
