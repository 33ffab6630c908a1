"""The task of learning to unmask the columns of one table, family by family in the order of siblings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.pointers import concatenated_ranges
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.models.absorbing.around.history import LEAD
from tabgraphsyn.models.absorbing.around.pace import Clock
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings, to_device
from tabgraphsyn.models.absorbing.drafts import Around, Before, Context, Draft
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.models.families import Families, FamilyBatches
from tabgraphsyn.training.astray import Astray
from tabgraphsyn.training.parts import WHOLE, Part
from tabgraphsyn.training.windows import WindowTask

VALIDATION_SHARE = 0.05
VALIDATION_ROWS = 300
VALIDATION_MOST = 0.1
"""5 % of the rows are kept for validation, at least so many, and at most a tenth."""
VALIDATED_ROWS_MIN = 100
PASSES, PASSES_ROWS = 4, 3_000


@dataclass
class UnmaskingTask(WindowTask):
    """Cross-entropy of the masked units of a row, each as likely as the others (Hoogeboom et al. 2022, eq. 7).

    Attributes:
        families: windows of at most some dozens of siblings.
        entities: (rows,) int64, the entity of each row: what is kept for validation is whole entities.
        untold: share of the windows whose rows must do without graph, keys and ancestors.
        times: (rows,) int64 periods that climb from sibling to sibling, None where none do.
        timed_units: places of the units that say the time: always known.
        hidden_units: places of the units that are no column's.
        astray: what siblings remember wrong in training, None for nothing.
        held: (windows,) bool, what is kept for validation; None: some windows of whole entities, of larger tables.
    """

    unmasking: AbsorbingNetwork
    encoded: EncodedTensors
    surroundings: Surroundings
    families: Families
    entities: np.ndarray
    batch_rows: int
    seed: int
    untold: float = 0.0
    device: str = "cpu"
    times: Tensor | None = None
    timed_units: Sequence[int] = ()
    hidden_units: Sequence[int] = ()
    astray: Astray | None = None
    held: np.ndarray | None = None
    batches: FamilyBatches = field(init=False)
    validation_windows: np.ndarray = field(init=False)
    validation_draws: ClassVar[str] = "validation masks"

    def __post_init__(self) -> None:
        held = _validation_windows(self.families, self.entities, self.seed) if self.held is None else self.held
        self.validation_windows = np.flatnonzero(held)
        self.batches = FamilyBatches(self.families, np.flatnonzero(~held), self.batch_rows, self.seed)
        units = self.unmasking.units
        self._group = torch.repeat_interleave(
            torch.arange(len(units.groups)), torch.tensor([len(group) for group in units.groups])
        )
        self._sizes = torch.tensor([len(group) for group in units.groups])
        self._inner = torch.tensor([place for group in units.groups for place in range(len(group))])
        self._timed_groups = self._group[list(self.timed_units)].unique()
        if self.times is not None:
            self._clock = _clock(self.families, self.times)

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.unmasking

    def validation_passes(self, rows: int) -> int:
        """Return how many masks each row is seen under: the more, the fewer rows there are."""
        return max(1, min(PASSES * 8, PASSES * PASSES_ROWS // rows))

    def row_losses(
        self, windows: np.ndarray, generator: torch.Generator, *, training: bool, part: Part = WHOLE
    ) -> Tensor:
        """Return the loss of each row of the windows, (rows,): the mean surprise of its masked units.

        Which step is best is for the columns to say: hidden units are learnt but not validated.
        """
        draft, context, history, lateness = self.foretelling(windows, generator, training=training, part=part)
        surprise = self.unmasking.surprises(draft, context, history)
        masked = (~draft.is_known).to(surprise.dtype)
        if not training and self.hidden_units:
            masked[:, list(self.hidden_units)] = 0
        return (surprise * masked).sum(1) / masked.sum(1).clamp(min=1) + lateness / masked.shape[1]

    def foretelling(
        self, windows: np.ndarray, generator: torch.Generator, *, training: bool, part: Part = WHOLE
    ) -> tuple[Draft, Context, Before | None, Tensor]:
        """Return rows of the windows under masks, their context, what came before, and how late they are.

        Shape:
            How late they are: (rows,).
        """
        rows, siblings = self.families.batch(windows)
        drawn = self.encoded.draw(rows, generator)
        is_known = self._masks(len(rows), generator)
        is_told = None
        if training and self.untold:
            is_told = (torch.rand(len(windows), generator=generator) >= self.untold)[siblings.group]
        lead = self._lead(windows, generator)
        whole = slice(0, len(rows))
        groups, cut = (
            (slice(0, len(windows)), whole) if part == WHOLE else part.groups(self.families.window_rows[windows])
        )
        around = self.surroundings.take(rows, siblings.rank, siblings.size, generator, is_told)
        if self.times is not None:
            around = replace(around, clock=self._clock.part(rows))
        around = to_device(around.part(cut), self.device)
        batch = drawn.part(cut).to(self.device)
        heard = batch
        if training and self.astray is not None and lead is not None:
            remembered, lead = self.astray.misheard(drawn, self.families.window_rows[windows], lead, generator)
            heard = remembered.part(cut).to(self.device)
        history = self._history(heard, self.families.window_rows[windows[groups]], lead, groups)
        draft = self.unmasking.draft(batch, is_known[cut].to(self.device))
        context, lateness = self._at_times(self.unmasking.context(around, history), around, rows[cut])
        return draft, context, history, lateness

    def _at_times(self, context: Context, around: Around, rows: Tensor) -> tuple[Context, Tensor]:
        """Return the context of rows at their times, and how surprising these are: (rows,), zeros without times."""
        pace = self.unmasking.pace
        if pace is None or self.times is None or around.clock is None:
            return context, context.vector.new_zeros(len(context))
        time = self.times[rows].to(self.device)
        return context.moved(pace.seen_now(around.clock, time)), pace.surprise(context.vector, around.clock, time)

    def _masks(self, rows: int, generator: torch.Generator) -> Tensor:
        """Return which units are known: the first ones of the groups in their order, (rows, units) bool."""
        units = len(self._group)
        turn = self.unmasking.order.learnt(rows, self._timed_groups, generator)
        before = self._sizes[turn].cumsum(1) - self._sizes[turn]
        first = torch.empty_like(before).scatter_(1, turn, before)
        known = torch.randint(0, units, (rows, 1), generator=generator).clamp(min=len(self.timed_units))
        return first[:, self._group] + self._inner < known

    def _lead(self, windows: np.ndarray, generator: torch.Generator) -> tuple[EncodedBatch, np.ndarray] | None:
        """Return the rows before each window and how many of them there are, None where nothing is remembered."""
        if self.unmasking.history is None:
            return None
        start = self.families.window_start[windows]
        count = np.minimum(self.families.rank[start].astype(np.int64), LEAD)
        place = concatenated_ranges(start - count, count)
        return self.encoded.draw(torch.from_numpy(self.families.order[place]), generator), count

    def _history(
        self, batch: EncodedBatch, lengths: np.ndarray, lead: tuple[EncodedBatch, np.ndarray] | None, windows: slice
    ) -> Before | None:
        """Return what came before each row of the batch."""
        history = self.unmasking.history
        if history is None or lead is None:
            return None
        before, counts = lead
        ends = np.concatenate([[0], np.cumsum(counts)])
        own = slice(int(ends[windows.start]), int(ends[windows.stop]))
        before, counts = before.part(own).to(self.device), counts[windows]
        total = lengths + counts
        first = np.cumsum(total) - total
        place = torch.from_numpy(concatenated_ranges(first + counts, lengths)).to(self.device)
        ahead = torch.from_numpy(concatenated_ranges(first, counts)).to(self.device)
        joined = EncodedBatch(
            _joined(before.numerical, batch.numerical, ahead, place),
            _joined(before.categorical, batch.categorical, ahead, place),
        )
        seen = history(joined, torch.from_numpy(total).to(self.device))[place]
        is_first = np.repeat(counts == 0, lengths) & (concatenated_ranges(np.zeros_like(lengths), lengths) == 0)
        has_one = torch.from_numpy(~is_first).to(self.device)
        last = (place - 1).clamp(min=0)
        row = EncodedBatch(joined.numerical[last], joined.categorical[last])
        return self.unmasking.before(seen, row, has_one)


def _clock(families: Families, times: Tensor) -> Clock:
    """Return the clock of all rows, in row order; ``times`` is (rows,) int64."""
    order = torch.from_numpy(families.order)
    rank, size = torch.from_numpy(families.rank).long(), torch.from_numpy(families.size).long()
    before = times[order].roll(1)
    last, left = torch.empty_like(times), torch.empty_like(times)
    last[order], left[order] = before.where(rank > 0, before.new_tensor(-1)), size - rank
    return Clock(last, left)


def _joined(before: Tensor, rows: Tensor, ahead: Tensor, place: Tensor) -> Tensor:
    joined = rows.new_empty(len(before) + len(rows), rows.shape[1])
    joined[ahead], joined[place] = before, rows
    return joined


def _validation_windows(families: Families, entities: np.ndarray, seed: int) -> np.ndarray:
    """Return which windows are kept from training, (windows,) bool: those of whole entities."""
    held = np.zeros(families.windows, dtype=bool)
    rows = families.rows
    if rows < VALIDATED_ROWS_MIN:
        return held
    entity = np.unique(entities[families.order[families.window_start]], return_inverse=True)[1]
    count = int(entity.max()) + 1
    if count < 10:
        return held
    shuffled = np.random.default_rng(derive_seed(seed, "validation")).permutation(count)
    sizes = np.bincount(entity, weights=families.window_rows, minlength=count)[shuffled]
    wanted = min(max(VALIDATION_SHARE * rows, VALIDATION_ROWS), VALIDATION_MOST * rows)
    chosen = shuffled[: int(np.searchsorted(np.cumsum(sizes), wanted)) + 1]
    return np.isin(entity, chosen)
