"""The training of a stage: the one loop, with what the stage's context says of it."""

from __future__ import annotations

from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.contracts import TrainingTask
from tabgraphsyn.training.loop import TrainingSummary, train
from tabgraphsyn.training.scoring import NOT_SCORED, Scoring


def fit(
    context: StageContext, task: TrainingTask, loop: LoopConfig, seed: int, scoring: Scoring = NOT_SCORED
) -> TrainingSummary:
    """Train a stage's network where, and as long as, its context says; see ``training.loop.train`` for the errors."""
    return train(
        task,
        loop,
        seed=seed,
        checkpoints=context.checkpoints,
        tracker=context.tracker,
        interrupt=context.interrupt,
        device=context.resources.device,
        log=context.log,
        scoring=scoring,
    )
