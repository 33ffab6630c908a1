"""Times of siblings that climb on a grid: each row's time is a step from the one before, and the row follows its time.

Rows of a station by the hour, of a shop by the week: drawn column by column, their days and hours would come without
order. So the step is drawn first, from what came before and what room is left; then the row, under its time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.models.absorbing.numbers.mixture import chosen_level

MOST_BINS = 64
DAY_US = 86_400_000_000
CYCLES_US = (DAY_US, 7 * DAY_US, 365.2425 * DAY_US)
TREND = tuple(float(2**power) for power in range(6))
"""Half waves from the first time to the last one: slow ones to fast ones."""
SEEN = 4 * len(CYCLES_US) + 1 + 2 * len(TREND)
ROOM = 3


@dataclass(frozen=True)
class Pace:
    """How the times of siblings climb.

    Attributes:
        column: name of the column of times.
        start_us: microseconds since 1970 of the first period.
        unit_us: length of a period.
        periods: number of periods.
        first: bins of a family's first period; step: of the periods between neighbours. (low, high), both included.
    """

    column: str
    start_us: int
    unit_us: int
    periods: int
    first: tuple[tuple[int, int], ...]
    step: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "column": self.column,
            "start_us": self.start_us,
            "unit_us": self.unit_us,
            "periods": self.periods,
            "first": [list(one) for one in self.first],
            "step": [list(one) for one in self.step],
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> Pace:
        """Read the form that ``to_dict`` writes."""
        bins = {name: tuple((int(low), int(high)) for low, high in raw[name]) for name in ("first", "step")}
        return Pace(raw["column"], raw["start_us"], raw["unit_us"], raw["periods"], **bins)


def bins_of(values: np.ndarray, entities: np.ndarray, min_entities: int = 5) -> tuple[tuple[int, int], ...]:
    """Return bins of whole numbers, (low, high) with both included; each begins and ends with a number that is shared.

    Args:
        values: (n,) int64.
        entities: (n,) int64, whose each is.
        min_entities: so many must hold a number before it is named; where none is, one bin holds 0 and 1.
    """
    counted = ValueCounts.of(pa.array(values), entities)
    held = counted.held_by(min_entities)
    distinct, rows = as_numpy(counted.distinct)[held], counted.counts[held]
    if not len(distinct):
        return ((0, 1),)
    block = (np.cumsum(rows) - rows / 2) * MOST_BINS // rows.sum()
    first = np.flatnonzero(np.diff(block, prepend=-1)) if len(distinct) > MOST_BINS else np.arange(len(distinct))
    last = np.append(first[1:], len(distinct)) - 1
    return tuple((int(distinct[low]), int(distinct[high])) for low, high in zip(first, last, strict=True))


@dataclass(frozen=True)
class Clock:
    """When rows are drawn among their siblings.

    Shape:
        last: (rows,) int64, period of the sibling before, -1 for none. left: (rows,) int64, siblings still to come, the
        row among them.
    """

    last: Tensor
    left: Tensor

    def part(self, rows: slice | Tensor) -> Clock:
        """Return some of the rows: a slice of them, or (n,) int64."""
        return Clock(self.last[rows], self.left[rows])

    def to(self, device: str) -> Clock:
        """Return it on another device."""
        return Clock(self.last.to(device), self.left.to(device))


class PaceHead(nn.Module):
    """Draws a row's time from what came before, and says it to the network.

    Args:
        pace: what is known of the table's times.
        width: of the context.
    """

    low: Tensor
    high: Tensor
    is_first: Tensor

    def __init__(self, *, pace: Pace, width: int) -> None:
        super().__init__()
        self.pace = pace
        bins = [*pace.first, *pace.step]
        self.register_buffer("low", torch.tensor([low for low, _ in bins]), persistent=False)
        self.register_buffer("high", torch.tensor([high for _, high in bins]), persistent=False)
        self.register_buffer("is_first", torch.arange(len(bins)) < len(pace.first), persistent=False)
        self.before = nn.Linear(SEEN + ROOM, width)
        self.time = nn.Linear(SEEN + 1, width)
        last = nn.Linear(width, len(bins))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), last)

    def seen_before(self, clock: Clock) -> Tensor:
        """Return what the time of the sibling before and the room that is left say, (rows, width)."""
        has_one = (clock.last >= 0).float()
        room = (self.pace.periods - 1 - clock.last.clamp(min=0) - clock.left).clamp(min=0).float().log1p()
        about = torch.stack([has_one, room / 5, (room - clock.left.float().log1p()) / 3], dim=1)
        found: Tensor = self.before(torch.cat([self._seen(clock.last) * has_one.unsqueeze(1), about], dim=1))
        return found

    def seen_now(self, clock: Clock, time: Tensor) -> Tensor:
        """Return what the periods of the rows say, (rows, width); ``time`` is (rows,) int64."""
        step = (time - clock.last).clamp(min=0).float().log1p() * (clock.last >= 0)
        found: Tensor = self.time(torch.cat([self._seen(time), step.unsqueeze(1)], dim=1))
        return found

    def _seen(self, time: Tensor) -> Tensor:
        """Return the phases of periods in a day, a week, a year, and their place in the whole: (rows, SEEN)."""
        at = self.pace.start_us + time.double() * self.pace.unit_us
        cycles = torch.stack([at / cycle % 1 for cycle in CYCLES_US], dim=1) * (2 * math.pi)
        place = time.double().unsqueeze(1) / max(self.pace.periods - 1, 1)
        waves = place * at.new_tensor(TREND) * math.pi
        parts = [cycles.sin(), cycles.cos(), (2 * cycles).sin(), (2 * cycles).cos(), place, waves.sin(), waves.cos()]
        return torch.cat(parts, dim=1).float()

    def surprise(self, context: Tensor, clock: Clock, time: Tensor) -> Tensor:
        """Return the negative log likelihood of the times' bins, (rows,).

        Shape:
            context: (rows, width), what surrounds the rows but their times. time: (rows,) int64.
        """
        has_one = clock.last >= 0
        logits = self._logits(context, has_one)
        value = torch.where(has_one, time - clock.last, time).unsqueeze(1)
        # The nearest bin: a number that few hold lies between two.
        apart = torch.maximum(self.low - value, value - self.high).clamp(min=0).float()
        apart = apart.masked_fill(has_one.unsqueeze(1) == self.is_first, torch.inf)
        return nn.functional.cross_entropy(logits, apart.argmin(1), reduction="none")

    def draw(self, context: Tensor, clock: Clock, uniform: Tensor, within: Tensor) -> Tensor:
        """Return the times of rows, (rows,) int64: steps for which room is left.

        Shape:
            context: (rows, width). uniform, within: (rows,) draws in [0, 1).
        """
        has_one = clock.last >= 0
        last = clock.last.clamp(min=0)
        most = self.pace.periods - clock.left - last
        logits = self._logits(context, has_one)
        fits = (self.low <= most.unsqueeze(1)) & logits.isfinite()
        logits = logits.masked_fill(~fits & fits.any(1, keepdim=True), -torch.inf)
        chosen = chosen_level(logits.softmax(1), uniform)
        low, high = self.low[chosen], torch.minimum(self.high[chosen], most)
        step = low + (within.double() * (high - low + 1).clamp(min=1)).long()
        return last + torch.minimum(step, most.clamp(min=0))

    def _logits(self, context: Tensor, has_one: Tensor) -> Tensor:
        logits = self.head(context).float()
        return logits.masked_fill(has_one.unsqueeze(1) == self.is_first, -torch.inf)
