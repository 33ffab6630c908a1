"""The gradients of one step: of a whole batch, of a rank's part, or of micro-batches where memory is short."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from tabgraphsyn.errors import StageError
from tabgraphsyn.training.memory import is_out_of_memory, release
from tabgraphsyn.training.parts import WHOLE, Part, PartedTask


class StepGradients:
    """Computes a step's losses and leaves their gradients in the parameters.

    A batch that does not fit in memory is computed in halves, in quarters and so on, from the same draws: their
    gradients add up to those of the whole batch. What fitted once is kept for the steps that follow.

    Attributes:
        pieces: micro-batches of a step, a power of two.
    """

    def __init__(
        self,
        task: object,
        part: Part,
        *,
        seeded: Callable[[int, Part], torch.Generator],
        autocast: Callable[[], AbstractContextManager[object]],
        forget: Callable[[], None],
        device: str,
        log: logging.Logger,
    ) -> None:
        if part is not WHOLE and not isinstance(task, PartedTask):
            raise StageError(
                f"{type(task).__name__}: its batches cannot be split over {part.count} ranks. Train it on one: "
                "resources.<stage>.tasks_per_node=1, nodes=1."
            )
        self.pieces = 1
        self._task, self._part, self._device, self._log = task, part, device, log
        self._seeded, self._autocast, self._forget = seeded, autocast, forget

    def of(self, step: int, rows: int) -> Mapping[str, Tensor]:
        """Return this rank's share of the losses of a step of ``rows`` rows, detached.

        Raises:
            StageError: memory is short however small the micro-batches are.
        """
        while (losses := self._tried(step)) is None:
            self._halve(step, rows)
        return losses

    def _tried(self, step: int) -> Mapping[str, Tensor] | None:
        """Return the losses, or None where memory was short; by then nothing of the attempt is held any more."""
        try:
            if self._part is WHOLE and self.pieces == 1:
                return self._whole(step)
            return self._accumulated(step)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._log.warning("out of memory at step %d: %s", step, str(error).partition("\n")[0])
            return None

    def _whole(self, step: int) -> Mapping[str, Tensor]:
        generator = self._seeded(step, WHOLE)
        with self._autocast():
            losses: Mapping[str, Tensor] = self._task.loss(step, generator)  # type: ignore[attr-defined]
        losses["loss"].backward()
        return {name: value.detach() for name, value in losses.items()}

    def _accumulated(self, step: int) -> Mapping[str, Tensor]:
        total: dict[str, Tensor] = {}
        for part in self._part.split(self.pieces):
            generator = self._seeded(step, part)
            with self._autocast():
                losses = self._task.part_loss(step, generator, part)  # type: ignore[attr-defined]
            if losses:
                losses["loss"].backward()
            for name, value in losses.items():
                total[name] = total[name] + value.detach() if name in total else value.detach()
        return total

    def _halve(self, step: int, rows: int) -> None:
        self._forget()
        release(self._device)
        if not isinstance(self._task, PartedTask) or self.pieces * self._part.count >= rows:
            raise StageError(
                f"out of memory at step {step}, in {self.pieces} micro-batches of {rows} rows, and they cannot be "
                "smaller. Use a smaller network, diffusion.window_limit or training batch_rows, or a larger GPU."
            )
        self.pieces *= 2
        self._log.warning("step %d and the following in %d micro-batches", step, self.pieces)
