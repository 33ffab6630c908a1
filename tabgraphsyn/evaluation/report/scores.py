"""The scores of ``metrics.json`` and the words that go with each metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabgraphsyn.evaluation.score import Score, Unscored

COMPARISONS: Mapping[str, str] = {
    "synthetic": "Synthetic",
    "real_real": "Real against real",
    "independent": "Independent columns",
    "copy": "A copy",
}


@dataclass(frozen=True)
class MetricText:
    """What a reader is told about one metric."""

    name: str
    title: str
    measures: str = ""
    range: str = ""
    reading: str = ""
    source: str = ""
    is_privacy: bool = False


class ScoreBook:
    """Scores by what they are about."""

    def __init__(
        self, scores: Sequence[Score], unscored: Sequence[Unscored] = (), texts: Sequence[MetricText] = ()
    ) -> None:
        self.scores = tuple(scores)
        self.unscored = tuple(unscored)
        self.texts = {text.name: text for text in texts}
        self._by_key: dict[tuple[str, str, str, str], Score] = {
            (s.metric, s.level, s.where, s.comparison): s for s in self.scores
        }

    @staticmethod
    def from_metrics(metrics: Mapping[str, Any]) -> ScoreBook:
        """Read the json form of an evaluation."""
        return ScoreBook(
            [Score(**score) for score in metrics.get("scores", ())],
            [Unscored(**note) for note in metrics.get("unscored", ())],
            [_text(described) for described in metrics.get("metrics", ())],
        )

    def text_of(self, metric: str) -> MetricText:
        """Return the texts of one metric; one that came without is shown under its bare name."""
        return self.texts.get(metric) or MetricText(metric, metric.replace("_", " ").capitalize())

    def select(self, *, metric: str | None = None, level: str | None = None) -> Iterator[Score]:
        """Yield the scores of the synthetic database, of one metric and level where given."""
        for found in self.scores:
            if (
                found.comparison == "synthetic"
                and (metric is None or found.metric == metric)
                and (level is None or found.level == level)
            ):
                yield found

    def beside(self, score: Score, comparison: str) -> Score | None:
        """Return what another comparison scored in the place of ``score``."""
        return self._by_key.get((score.metric, score.level, score.where, comparison))

    def at(self, metric: str, level: str, where: str, comparison: str = "synthetic") -> Score | None:
        """Return one score, or None."""
        return self._by_key.get((metric, level, where, comparison))

    def of_column(self, table: str, column: str) -> Score | None:
        """Return the column's shape score, or the first score it has when it has no shape score."""
        where = f"{table}.{column}"
        found = [s for s in self.select(level="column") if s.where == where]
        shapes = [s for s in found if "shape" in s.metric]
        return next(iter(shapes or found), None)

    @property
    def comparisons(self) -> list[str]:
        """Comparisons that have a score, synthetic first."""
        present = {s.comparison for s in self.scores}
        return [name for name in COMPARISONS if name in present]


def distance_from_ideal(score: Score) -> float:
    """Return how far a score is from the best value, 0 best; for ``half`` the excess over chance on either side.

    >>> round(distance_from_ideal(Score("c2st", "table", "t", 0.6, "half")), 6)
    0.2
    """
    if score.direction == "half":
        return 2 * abs(score.value - 0.5)
    return 1 - score.value if score.direction == "higher" else score.value


def interval_of(score: Score | None) -> tuple[float, float] | None:
    """Return the 95 % interval of a score, or None where it has none."""
    found = score.detail.get("interval") if score else None
    return (float(found[0]), float(found[1])) if found else None


def _text(described: Mapping[str, Any]) -> MetricText:
    words = {key: str(described.get(key, "")) for key in ("name", "title", "measures", "range", "reading", "source")}
    return MetricText(**words, is_privacy=bool(described.get("privacy", False)))
