"""What a metric returns: scores, and the things that could not be scored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tabgraphsyn.data.plain import Plain
from tabgraphsyn.evaluation.statistics.spread import Influences

Level = Literal["database", "table", "column", "pair", "relation"]
Direction = Literal["higher", "lower", "half"]
ComparisonName = Literal["synthetic", "real_real", "independent", "copy"]


@dataclass(frozen=True)
class Score(Plain):
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
        influences: (2, groups) by how much each group of entities moves the value, to combine scores; not in the json.
    """

    metric: str
    level: Level
    where: str
    value: float
    direction: Direction
    comparison: ComparisonName = "synthetic"
    detail: Mapping[str, Any] = field(default_factory=dict)
    influences: Influences | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(
                f"{self.metric} of {self.where} ({self.comparison}): a finite value expected, found {self.value!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        raw = super().to_dict()
        del raw["influences"]
        return raw


@dataclass(frozen=True)
class Unscored(Plain):
    """Something that a metric cannot say a number about, and why: never a silent NaN."""

    metric: str
    where: str
    reason: str
    comparison: ComparisonName = "synthetic"


Result = Score | Unscored
