"""Scores of what a network makes while it trains, and which number decides which weights are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.ranges import Count, CountOrNone
from tabgraphsyn.training.config import LoopConfig

VALIDATION: Literal["validation_loss"] = "validation_loss"
PREFIX = "score/"

# What a sample is scored on, and True where higher is better.
SCORES: Mapping[str, bool] = {"shapes": True, "pair_trends": True, "c2st": False}


@dataclass(frozen=True, kw_only=True)
class ScoredLoopConfig(LoopConfig):
    """The loop's settings, and how it scores samples of itself.

    Attributes:
        evaluate_every: steps between samples that are drawn from the averaged weights and scored; 0 draws none.
        evaluate_rows: rows of such a sample, about (whole windows of siblings are drawn).
        best_on: what decides which weights are the result, and what ``patience`` waits for: ``validation_loss``, or
            one of ``SCORES``, which then needs ``evaluate_every``.
    """

    key: ClassVar[str] = "training.diffusion"

    evaluate_every: CountOrNone = 0
    evaluate_rows: Count = 2_000
    best_on: Literal["validation_loss", "shapes", "pair_trends", "c2st"] = VALIDATION

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.best_on != VALIDATION and self.evaluate_every == 0:
            raise ConfigError(
                f"training.diffusion.best_on: {self.best_on!r} is never computed with evaluate_every=0. "
                "Set training.diffusion.evaluate_every, for example to validate_every."
            )


def _no_scores(step: int) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """When a training run is scored, by what, and what the scores decide.

    Attributes:
        every: steps between scorings; 0 for none.
        best_on: name of the number that decides which weights are kept.
        scores: returns the scores of the network as it is after a step; called in eval mode, without gradients, with
            the averaged weights in place. What it draws from global generators is undone afterwards.
    """

    every: int = 0
    best_on: Literal["validation_loss", "shapes", "pair_trends", "c2st"] = VALIDATION
    scores: Callable[[int], Mapping[str, float]] = _no_scores

    def is_due(self, step: int, is_last: bool) -> bool:
        """Return True where the network is scored after ``step`` steps."""
        return self.every > 0 and (is_last or step % self.every == 0)

    def is_better(self, value: float, best: float | None) -> bool:
        """Return True where ``value`` of ``best_on`` exceeds what was best so far.

        An accuracy of C2ST below 0.5 counts as 0.5: it says that rows repeat, which is no gain.
        """
        if best is None:
            return True
        if self.best_on == "c2st":
            return max(value, 0.5) < max(best, 0.5)
        return value > best if SCORES.get(self.best_on, False) else value < best


NOT_SCORED = Scoring()
