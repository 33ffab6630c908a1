"""What a metric is, and what it returns: scores, and the things that could not be scored."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tabgraphsyn.evaluation.spread import Moves, described, mean_moves, standard_error

if TYPE_CHECKING:
    from tabgraphsyn.evaluation.data import EvaluationData
    from tabgraphsyn.evaluation.side import Comparison

Level = Literal["database", "table", "column", "pair", "relation"]
Direction = Literal["higher", "lower", "half"]
ComparisonName = Literal["synthetic", "real_real", "independent", "copy"]


@dataclass(frozen=True)
class Score:
    """One finite number.

    Attributes:
        metric: name of the metric.
        level: what it is about.
        where: ``database``, ``<table>``, ``<table>.<column>``, ``<table>.<a> ~ <table>.<b>``, a relation's name or a
            path of relations joined by `` > ``.
        value: always finite.
        direction: ``higher`` or ``lower`` is better, or ``half``: 0.5 is ideal.
        comparison: what was held against the real data.
        detail: whatever helps to read the value; plain json values. Where the score has a spread: ``sd`` (standard
            error), ``interval`` (95 %) and ``spread`` (over what: ``entities``, ``rows`` or ``folds``).
        moves: (2, groups) by how much each group of entities moves the value, to combine scores; not in the json.
    """

    metric: str
    level: Level
    where: str
    value: float
    direction: Direction
    comparison: ComparisonName = "synthetic"
    detail: Mapping[str, Any] = field(default_factory=dict)
    moves: Moves | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(
                f"{self.metric} of {self.where} ({self.comparison}): a finite value expected, found {self.value!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "metric": self.metric,
            "level": self.level,
            "where": self.where,
            "value": self.value,
            "direction": self.direction,
            "comparison": self.comparison,
            "detail": dict(self.detail),
        }


@dataclass(frozen=True)
class Unscored:
    """Something that a metric cannot say a number about, and why: never a silent NaN."""

    metric: str
    where: str
    reason: str
    comparison: ComparisonName = "synthetic"

    def to_dict(self) -> dict[str, str]:
        """Return the json form."""
        return {"metric": self.metric, "where": self.where, "reason": self.reason, "comparison": self.comparison}


Result = Score | Unscored


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

    def moved(self, score: Score, moves: Moves | None) -> Score:
        """Return the score with its spread over entities; unchanged where there are too few to tell."""
        if moves is None:
            return score
        detail = {**score.detail, **described(score.value, standard_error(moves), "entities")}
        return replace(score, detail=detail, moves=moves)

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
    moves = mean_moves([part.moves for part in scores])
    errors = [part.detail["sd"] for part in scores if "sd" in part.detail]
    if moves is None and len(errors) == len(scores):
        detail |= described(value, math.fsum(errors) / len(errors), str(scores[0].detail.get("spread", "rows")))
    return [metric.moved(metric.score(level, where, value, scores[0].comparison, parts=len(scores), **detail), moves)]
