"""How long a table of some dozen coarse rows is trained: found by leaving out entities in turn, then all rows train.

Only where rows could come back as they are. Where numbers are drawn within intervals they cannot, and so few rows tell
what columns say of each other after the step at which those that are left out are foretold best (docs/log.md).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.table import TableCodec
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.tracking.none import NoTracker
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.loop import train
from tabgraphsyn.training.parts import WHOLE
from tabgraphsyn.training.ranks import current_ranks
from tabgraphsyn.training.unmasking import VALIDATED_ROWS_MIN, UnmaskingTask

FOLDS = 4
ENTITIES_MIN = 20
LOOKS, PATIENCE, APART = 30, 15, 5
"""Validations of a rehearsal, how many without gain end it, and the steps between them at least."""


def rehearsed(context: StageContext, task: UnmaskingTask, codec: TableCodec, loop: LoopConfig, seed: int) -> LoopConfig:
    """Return the loop with as many steps as the rows of entities that are left out want, of ``loop.steps`` at most.

    A table of fewer than ``VALIDATED_ROWS_MIN`` rows keeps none from training, so nothing would stop it before it is
    learnt by heart. Each fold begins with the network's first weights, which are left in it. Larger tables, those of
    fewer than ``ENTITIES_MIN`` entities, those whose rows cannot come back, and several ranks are not rehearsed.

    Raises:
        Interrupted, StageError: see ``train``.
    """
    count = len(np.unique(task.entities))
    device = context.resources.device
    is_small = task.families.rows < VALIDATED_ROWS_MIN and count >= ENTITIES_MIN
    if not is_small or not _come_back(codec, task.families.rows) or current_ranks(device).part != WHOLE:
        return loop
    looks = max(loop.steps // LOOKS, APART)
    rehearsal = replace(loop, validate_every=looks, patience=PATIENCE, save_every_s=1e9)
    weights = {name: value.clone() for name, value in task.network.state_dict().items()}
    losses = []
    for held in _folds(task, seed):
        fold = replace(task, held=held)
        curve = _Curve()
        with tempfile.TemporaryDirectory(prefix="tabgraphsyn-") as folder:
            train(
                fold,
                rehearsal,
                seed=seed,
                checkpoints=Path(folder),
                tracker=curve,
                interrupt=context.interrupt,
                device=device,
                log=context.log,
            )
        losses.append(curve.losses)
        task.network.load_state_dict(weights)
    seen = set.intersection(*(set(one) for one in losses))
    mean = {step: float(np.mean([one[step] for one in losses])) for step in sorted(seen)}
    best = min(mean, key=lambda step: mean[step])
    context.log.info("%s: %d of %d steps, by %d folds", context.table, best, loop.steps, FOLDS)
    return replace(loop, steps=best, warmup_steps=min(loop.warmup_steps, best // 4), validate_every=0)


def _come_back(codec: TableCodec, rows: int) -> bool:
    """Return whether columns are categories of which most rows hold a value that enough entities hold."""
    return all(
        isinstance(one, ConstantCodec) or (isinstance(one, CategoricalCodec) and 2 * one.merged_rows <= rows)
        for one in codec.columns.values()
    )


def _folds(task: UnmaskingTask, seed: int) -> Sequence[np.ndarray]:
    """Return which windows are left out in each fold, (windows,) bool: those of whole entities."""
    families = task.families
    entity = np.unique(task.entities[families.order[families.window_start]], return_inverse=True)[1]
    turn = np.random.default_rng(derive_seed(seed, "folds")).permutation(int(entity.max()) + 1) % FOLDS
    return [turn[entity] == fold for fold in range(FOLDS)]


class _Curve(NoTracker):
    """Keeps the validation loss of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[int, float] = {}

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep a validation loss."""
        if "validation_loss" in metrics:
            self.losses[step] = float(metrics["validation_loss"])
