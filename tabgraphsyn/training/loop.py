"""The one training loop: steps, checkpoints, validation, early stopping.

A run that is killed at any moment and started again ends as one that was not, bit for bit on a CPU (one thread
computes a step, however many cores there are): whatever a step draws comes from a seed that only its number decides,
and everything else that carries over from step to step is in the checkpoint.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.errors import Interrupted, RankLost, StageError
from tabgraphsyn.models.precision import computing, multiplies_in_bf16
from tabgraphsyn.tracking.base import Tracker
from tabgraphsyn.training import checkpoint
from tabgraphsyn.training.config import LoopConfig, learning_rate
from tabgraphsyn.training.contracts import TrainingTask
from tabgraphsyn.training.gradients import StepGradients
from tabgraphsyn.training.interrupt import InterruptFlag, NeverInterrupted
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask
from tabgraphsyn.training.ranks import RankFinished, current_ranks
from tabgraphsyn.training.scoring import NOT_SCORED, PREFIX, VALIDATION, Scoring
from tabgraphsyn.training.state import TrainingState, add_to_sums, random_state_kept, seed_everything

__all__ = ["LoopConfig", "NeverInterrupted", "TrainingSummary", "TrainingTask", "train"]

# What may change between the attempts of one run without changing its result.
_FREE_TO_CHANGE = frozenset({"save_every_s"})

_SAVE_SHARE = 0.01
# Whoever asks for a shorter interval wants checkpoints whatever they cost.
_SAVE_AT_WILL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """How a training ended.

    Attributes:
        steps: optimizer steps taken.
        best_step: step whose weights are the result; the last one where nothing was validated.
        best_validation: its validation loss (or the score that decided), None where nothing was validated.
        rows: rows consumed.
        seconds: over all attempts, checkpoints and validation included.
        rows_per_s: rows consumed over ``seconds``.
    """

    steps: int
    best_step: int
    best_validation: float | None
    rows: int
    seconds: float
    rows_per_s: float

    def result(self) -> dict[str, float | int | None]:
        """Return what is the same in every run of the same training: all but the times."""
        return {
            "steps": self.steps,
            "best_step": self.best_step,
            "best_validation": self.best_validation,
            "rows": self.rows,
        }


def train(
    task: TrainingTask,
    config: LoopConfig,
    *,
    seed: int,
    checkpoints: Path,
    tracker: Tracker,
    interrupt: InterruptFlag,
    device: str,
    log: logging.Logger,
    scoring: Scoring = NOT_SCORED,
) -> TrainingSummary:
    """Train ``task.network`` and leave the best (by validation) averaged weights in it, in eval mode.

    The network's first weights are the caller's: seed torch before building it. Goes on from the latest whole
    checkpoint in ``checkpoints``.

    In a process group every rank calls this with the same arguments; only rank 0 validates, writes and returns.

    Raises:
        Interrupted: ``interrupt`` asked to stop, on any rank; the state is saved. Or it says that this process was
            overtaken by another; then nothing is.
        StageError: the loss is not finite, memory is too short, or the checkpoint belongs to another run.
        RankLost: another rank is gone; the state is saved.
        RankFinished: the training is over and this is another rank than 0.
    """
    run = _Run(task, config, seed, checkpoints, tracker, interrupt, device, log, scoring)
    run.resume()
    run.steps()
    return run.finish()


class _Run:
    def __init__(
        self,
        task: TrainingTask,
        config: LoopConfig,
        seed: int,
        checkpoints: Path,
        tracker: Tracker,
        interrupt: InterruptFlag,
        device: str,
        log: logging.Logger,
        scoring: Scoring,
    ) -> None:
        self.scoring = scoring
        self.task, self.config, self.seed, self.checkpoints = task, config, seed, checkpoints
        self.tracker, self.interrupt, self.device, self.log = tracker, interrupt, device, log
        if config.precision == "bf16" and not multiplies_in_bf16(device):
            log.warning("precision=bf16: this %s has no bf16 arithmetic; computing in float32", device)
        task.network.to(device)
        if config.compile:
            task.network.compile()
        seed_everything(derive_seed(seed, "start"))
        self.state = TrainingState(task.network, config, device)
        self.progress = self.state.progress
        self.generator = torch.Generator()
        self.ranks = current_ranks(device)
        self.gradients = StepGradients(
            task,
            self.ranks.part,
            seeded=self._seeded,
            autocast=self._autocast,
            forget=self.state.optimizer.drop_gradients,
            device=device,
            log=log,
        )
        self.news: dict[str, float] = {}
        self.resumed_seconds = 0.0
        self.started = self.saved_at = self.line_at = time.monotonic()
        self.line_rows = 0
        self.saved_step = 0
        self.save_took_s = 0.0

    def resume(self) -> None:
        self._require_held()
        found = self._found()
        if found is not None:
            self._refuse_other_run(found)
            self.state.restore(found.tensors, found.state, found.folder)
            self.progress = self.state.progress
            self.resumed_seconds = self.progress.seconds
            self.saved_step = self.progress.step
            self.line_rows = self.progress.rows
            self.gradients.pieces = found.state.get("micro_batches", 1)
            self.log.info("resumed at step %d of %d", self.progress.step, self.config.steps)
            if found.state.get("ranks", 1) != self.ranks.count:
                self.log.warning(
                    "saved by %d ranks, now %d: rounding differs", found.state.get("ranks", 1), self.ranks.count
                )
        self.ranks.prepare(self.state.optimizer.parameters, self.state.buffers.values())
        self.tracker.rewind(self.progress.step, None if found is None else found.state.get("recorded"))

    def _found(self) -> checkpoint.Checkpoint | None:
        """Return the checkpoint that all ranks go on from: rank 0 finds it."""
        if self.ranks.number == 0:
            found = checkpoint.load_latest(self.checkpoints, self.log)
            self.ranks.from_first(None if found is None else found.step)
            return found
        step = self.ranks.from_first(None)
        return None if step is None else checkpoint.load_step(self.checkpoints, int(step))

    def _refuse_other_run(self, found: checkpoint.Checkpoint) -> None:
        now, then = self._identity(), found.state["run"]
        changed = [f"{key} was {then.get(key)!r} and is {now[key]!r}" for key in now if then.get(key) != now[key]]
        if changed:
            raise StageError(
                f"{found.folder}: the checkpoint belongs to another run: {'; '.join(changed)}. "
                "Delete the checkpoints folder to start anew."
            )

    def _identity(self) -> dict[str, object]:
        settings = {key: value for key, value in asdict(self.config).items() if key not in _FREE_TO_CHANGE}
        return {"seed": self.seed, **settings, "betas": list(self.config.betas)}

    def steps(self) -> None:
        self.task.network.train()
        while self.progress.step < self.config.steps and not self._is_stalled():
            self._leave_if_asked()
            self._step()
            self._after_step()
        self._leave_if_asked()

    def _step(self) -> None:
        step = self.progress.step
        losses = self._combined(step)
        self.state.optimizer.step(learning_rate(self.config, step), self.config.gradient_clip)
        self.state.optimizer.drop_gradients()
        self.state.average.update(step)
        if isinstance(self.task, PartedTask):
            self.task.after_step(losses)
        add_to_sums(self.state.sums, self.progress.counts, losses.items())
        self.progress.rows += self.task.rows_in_step(step)
        self.progress.step = step + 1

    def _combined(self, step: int) -> Mapping[str, Tensor]:
        """Leave the gradients of the whole step in the parameters, and return its losses."""
        before = self.gradients.pieces
        losses = self.gradients.of(step, self.task.rows_in_step(step))
        try:
            together = self.ranks.combine(losses, self.interrupt.requested, self.gradients.pieces)
        except RankLost:
            self._save()  # the step was not taken: this is the boundary before it
            raise
        self.gradients.pieces = together.pieces
        if together.pieces != before:
            self.news["micro_batches"] = together.pieces
        return together.losses

    def _seeded(self, step: int, part: Part) -> torch.Generator:
        """Return the generator of a step; layers such as dropout draw from another stream, each part its own."""
        seed = derive_seed(self.seed, "step", step)
        self.generator.manual_seed(seed)
        spread = seed if part == WHOLE else derive_seed(seed, "part", part.number, part.count)
        torch.default_generator.manual_seed(~spread)
        if self.device != "cpu":
            torch.cuda.manual_seed(~spread)
        return self.generator

    def _autocast(self) -> AbstractContextManager[object]:
        return computing(self.config.precision, self.device)

    def _after_step(self) -> None:
        step, config = self.progress.step, self.config
        is_last = step == config.steps
        metrics, self.news = self.news, {}
        if is_last or step % config.log_every == 0:
            metrics |= self._line()
        if config.validate_every and (is_last or step % config.validate_every == 0):
            metrics |= self._validate()
        if self.scoring.is_due(step, is_last):
            metrics |= self._score()
        if metrics:
            self.tracker.log(metrics, step)
        if time.monotonic() - self.saved_at >= self._save_interval_s():
            self._save()

    def _save_interval_s(self) -> float:
        """Return the seconds between saves: longer than asked where a slow disk would take over 1 % of the time."""
        asked = self.config.save_every_s
        return asked if asked < _SAVE_AT_WILL_S else max(asked, self.save_took_s / _SAVE_SHARE)

    def _line(self) -> dict[str, float]:
        now, counts = time.monotonic(), self.progress.counts
        metrics = {name: total.item() / counts[name] for name, total in self.state.sums.items()}
        self._require_finite(metrics["loss"], "loss")
        metrics["learning_rate"] = learning_rate(self.config, self.progress.step - 1)
        metrics["rows_per_s"] = (self.progress.rows - self.line_rows) / max(now - self.line_at, 1e-9)
        self.state.sums.clear()
        counts.clear()
        self.line_at, self.line_rows = now, self.progress.rows
        return metrics

    def _validate(self) -> dict[str, float]:
        value = self.ranks.from_first(self._validation_loss() if self.ranks.number == 0 else None)
        if value is None:
            return {}
        self._require_finite(value, "validation loss")
        if self.scoring.best_on == VALIDATION:
            self._consider(value)
        return {VALIDATION: value}

    def _validation_loss(self) -> float | None:
        network = self.task.network
        network.eval()
        with torch.no_grad(), self.state.average.in_place():
            value = self.task.validation_loss()
        network.train()
        return value

    def _score(self) -> dict[str, float]:
        """Score the averaged weights; the training goes on as if nobody had looked."""
        scores = self._scores() if self.ranks.number == 0 else {}
        decisive = self.ranks.from_first(scores.get(self.scoring.best_on))
        if decisive is not None:
            self._consider(decisive)
        return {f"{PREFIX}{name}": value for name, value in scores.items()}

    def _scores(self) -> Mapping[str, float]:
        network = self.task.network
        network.eval()
        with random_state_kept(self.device), torch.no_grad(), self.state.average.in_place():
            scores = self.scoring.scores(self.progress.step)
        network.train()
        return scores

    def _consider(self, value: float) -> None:
        """Keep the averaged weights where ``value`` is the best so far."""
        progress = self.progress
        if self.scoring.is_better(value, progress.best_validation):
            progress.best_validation, progress.best_step = value, progress.step
            progress.validations_without_gain = 0
            self.state.keep_best()
        else:
            progress.validations_without_gain += 1

    def _require_finite(self, value: float, name: str) -> None:
        if not math.isfinite(value):
            raise StageError(
                f"{name} is {value} at step {self.progress.step}. Lower the learning rate "
                f"({self.config.learning_rate}) or set gradient_clip (now {self.config.gradient_clip}) in training."
            )

    def _is_stalled(self) -> bool:
        return 0 < self.config.patience <= self.progress.validations_without_gain

    def _leave_if_asked(self) -> None:
        if self.ranks.is_asked(self.interrupt.requested):
            self._save()
            self.ranks.leave()
            raise Interrupted(f"stopped at step {self.progress.step} of {self.config.steps} as asked, its state saved")

    def _require_held(self) -> None:
        if self.interrupt.overtaken:
            raise Interrupted("a later attempt took this stage over: nothing more is written")

    def _save(self) -> None:
        if self.progress.step == self.saved_step or self.ranks.number:
            return
        self._require_held()
        # A state that is already lost must not push a good one out of the folder.
        if "loss" in self.state.sums:
            self._require_finite(self.state.sums["loss"].item(), "loss")
        self._count_seconds()
        start = time.monotonic()
        checkpoint.save(
            self.checkpoints,
            self.progress.step,
            self.state.tensors(),
            {
                "run": self._identity(),
                "progress": self.state.progress_dict(),
                "recorded": [*self.tracker.recorded()],
                "micro_batches": self.gradients.pieces,
                "ranks": self.ranks.count,
                "learning_rate": learning_rate(self.config, self.progress.step - 1),
            },
        )
        self.saved_step, self.saved_at = self.progress.step, time.monotonic()
        self.save_took_s = self.saved_at - start

    def _count_seconds(self) -> None:
        self.progress.seconds = self.resumed_seconds + time.monotonic() - self.started

    def finish(self) -> TrainingSummary:
        self._save()
        self.ranks.leave()
        if self.ranks.number:
            raise RankFinished
        self._count_seconds()
        self.state.put_result_in_place()
        self.task.network.eval()
        progress = self.progress
        return TrainingSummary(
            steps=progress.step,
            best_step=progress.best_step or progress.step,
            best_validation=progress.best_validation,
            rows=progress.rows,
            seconds=progress.seconds,
            rows_per_s=progress.rows / max(progress.seconds, 1e-9),
        )
