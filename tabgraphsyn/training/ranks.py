"""The processes that train one network together: what they add up, and what they decide together.

Every rank holds the whole state and computes its part of each step's batch. The gradients are added up in one buffer,
which also carries the losses, whether anybody was asked to stop, and in how many micro-batches anybody computes. So
all ranks take the same step and leave at the same boundary; only rank 0 writes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from tabgraphsyn.errors import RankLost
from tabgraphsyn.training.parts import WHOLE, Part

_LEVELS = 24  # micro-batches are powers of two


class RankFinished(Exception):
    """The end of the training on every rank but 0, which goes on alone."""


@dataclass(frozen=True)
class Together:
    """What the ranks know after a step.

    Attributes:
        losses: of the whole step.
        stop: somebody was asked to stop.
        pieces: the most micro-batches that a rank computes.
    """

    losses: Mapping[str, Tensor]
    stop: bool
    pieces: int


class Ranks(Protocol):
    """The processes of a training, seen from one of them."""

    number: int
    count: int

    @property
    def part(self) -> Part:
        """The part of every batch that this rank computes."""

    def prepare(self, parameters: Sequence[Tensor], buffers: Iterable[Tensor]) -> None:
        """Start from rank 0's values; of any shape."""

    def combine(self, losses: Mapping[str, Tensor], stop: bool, pieces: int) -> Together:
        """Leave the sum of all ranks' gradients in the parameters, and return what is known together.

        Shape:
            losses are scalar.
        """

    def is_asked(self, stop: bool) -> bool:
        """Return whether to leave at this boundary, the same on every rank; ``stop``: this one was asked."""

    def leave(self) -> None:
        """End the training together."""

    def from_first(self, value: float | None) -> float | None:
        """Return rank 0's value."""


class Alone:
    """The only rank."""

    number, count, part = 0, 1, WHOLE

    def prepare(self, parameters: Sequence[Tensor], buffers: Iterable[Tensor]) -> None:
        """Nothing to share, of any shape."""

    def combine(self, losses: Mapping[str, Tensor], stop: bool, pieces: int) -> Together:
        """Return what came in; losses are scalar."""
        return Together(losses, stop, pieces)

    def is_asked(self, stop: bool) -> bool:
        """Return ``stop``."""
        return stop

    def leave(self) -> None:
        """Nobody to wait for."""

    def from_first(self, value: float | None) -> float | None:
        """Return ``value``."""
        return value


class Group:
    """A rank of torch's default process group: gloo for the CPU, nccl for gradients on GPUs."""

    def __init__(self, device: str) -> None:
        self.number, self.count = dist.get_rank(), dist.get_world_size()
        self.part = Part(self.number, self.count)
        self._device = device
        # Flags and decisions go over gloo, and with them the news that a rank is gone; what lives on GPUs over nccl.
        self._on_device = None if device == "cpu" else dist.new_group(backend="nccl")
        self._parameters: list[Tensor] = []
        self._names: list[str] | None = None
        self._stop: bool | None = None

    @torch.no_grad()
    def prepare(self, parameters: Sequence[Tensor], buffers: Iterable[Tensor]) -> None:
        """Take over rank 0's weights and buffers, and make room for the sums, of any shape."""
        self._parameters = list(parameters)
        for value in (*self._parameters, *buffers):
            _guarded(dist.broadcast, value, 0, group=self._on_device)

    def _room(self, losses: int) -> None:
        sizes = [value.numel() for value in self._parameters]
        flags = 1 + _LEVELS + len(sizes)
        # Flags are read on the CPU: on a GPU they have a buffer of their own there, on a CPU they save a round.
        self._apart = self._device != "cpu"
        self._sums = torch.zeros(sum(sizes) + losses + (0 if self._apart else flags), device=self._device)
        self._flags = torch.zeros(flags) if self._apart else self._sums[-flags:]
        self._losses = self._sums[sum(sizes) : sum(sizes) + losses]
        pieces = self._sums[: sum(sizes)].split(sizes)
        self._gradients = [piece.view_as(value) for piece, value in zip(pieces, self._parameters, strict=True)]

    @torch.no_grad()
    def combine(self, losses: Mapping[str, Tensor], stop: bool, pieces: int) -> Together:
        """Add up gradients, losses and flags of all ranks; losses are scalar.

        A parameter without a gradient on every rank keeps none, as in a training of one rank.

        Raises:
            RankLost: another rank is gone or silent.
        """
        if self._names is None:
            self._names = self._names_of_first(sorted(losses))
            self._room(len(self._names))
        self._fill(losses, stop, pieces)
        if self._apart:
            _guarded(dist.all_reduce, self._flags)
        _guarded(dist.all_reduce, self._sums, group=self._on_device)
        stops, *rest = self._flags.tolist()
        for value, gradient, users in zip(self._parameters, self._gradients, rest[_LEVELS:], strict=True):
            value.grad = gradient if users else None
        self._stop = bool(stops)
        level = max(number for number, ranks in enumerate(rest[:_LEVELS]) if ranks)
        return Together(dict(zip(self._names, self._losses.clone(), strict=True)), self._stop, 2**level)

    def _fill(self, losses: Mapping[str, Tensor], stop: bool, pieces: int) -> None:
        self._sums.zero_()
        used = [number for number, value in enumerate(self._parameters) if value.grad is not None]
        if used:
            torch._foreach_copy_(
                [self._gradients[number] for number in used],
                [gradient for number in used if (gradient := self._parameters[number].grad) is not None],
            )
        for place, name in enumerate(self._names or ()):
            if name in losses:
                self._losses[place] = losses[name]
        levels = [float(pieces == 2**level) for level in range(_LEVELS)]
        users = [float(value.grad is not None) for value in self._parameters]
        self._flags.copy_(torch.tensor([float(stop), *levels, *users]))

    def is_asked(self, stop: bool) -> bool:
        """Return what the last step found; before the first one, ask."""
        if self._stop is None:
            asked = torch.tensor(float(stop))
            _guarded(dist.all_reduce, asked)
            self._stop = bool(asked)
        return self._stop

    def leave(self) -> None:
        """Wait until rank 0 has heard from everybody: what it waited for cannot be lost with a closed connection."""
        _guarded(dist.monitored_barrier)

    def from_first(self, value: float | None) -> float | None:
        """Return rank 0's value; the others' are not looked at."""
        shared = torch.tensor([float("nan") if value is None else value, float(value is None)], dtype=torch.float64)
        _guarded(dist.broadcast, shared, 0)
        return None if shared[1] else float(shared[0])

    def _names_of_first(self, names: list[str]) -> list[str]:
        """Return the names that rank 0 has; a rank whose first part is empty has none."""
        text = json.dumps(names).encode()
        length = torch.tensor(len(text))
        _guarded(dist.broadcast, length, 0)
        content = torch.zeros(int(length), dtype=torch.uint8)
        if self.number == 0:
            content.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        _guarded(dist.broadcast, content, 0)
        return list(json.loads(bytes(content.tolist())))


def current_ranks(device: str) -> Ranks:
    """Return the ranks of this process: those of torch's process group where a worker has set one up."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return Group(device)
    return Alone()


def _guarded(collective: Callable[..., object], *arguments: object, **further: object) -> None:
    try:
        collective(*arguments, **further)
    except RuntimeError as error:  # what gloo, nccl and the store raise
        # gloo begins with a place in its source and ends with a joke.
        reason = re.sub(r"^\[.*?\] ", "", str(error).partition("\n")[0]).partition(". ")[0]
        raise RankLost(
            f"rank {dist.get_rank()} of {dist.get_world_size()} lost another rank, which died or was silent for too "
            f"long ({reason}). The same launch goes on from the last checkpoint."
        ) from error
