"""Rows of a table by unmasking: families side by side, position by position, each row after the siblings before it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.layout import EncodedTable, TableLayout
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.generation.carried import TRIES, Carried
from tabgraphsyn.generation.continuing import Continuing
from tabgraphsyn.generation.time_column import TimeColumn
from tabgraphsyn.models.absorbing.around.history import LEAD, LastRow
from tabgraphsyn.models.absorbing.around.pace import Clock
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings, to_device
from tabgraphsyn.models.absorbing.columns.units import Unit
from tabgraphsyn.models.absorbing.drafts import Around, Before, Context
from tabgraphsyn.models.absorbing.drawing import Heed, Stepper
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.families import Families

BATCH_ROWS = 1024
"""Rows, or families side by side, that are unmasked together: in one column order, in a processor's cache."""


def levels_type(layout: TableLayout) -> torch.dtype:
    """Return the narrowest type that holds every level of a table."""
    return torch.int16 if max((field.levels for field in layout.categorical), default=0) <= 2**15 else torch.int32


class Wanted(Protocol):
    """Units that must come out in some way: drawn before the others, so that those are drawn for them."""

    def settled(
        self,
        stepper: Stepper,
        context: Context,
        generator: torch.Generator,
        before: Before | None,
        stands: tuple[EncodedBatch, Tensor] | None,
        rows: Tensor,
    ) -> tuple[EncodedBatch, Tensor] | None:
        """Return ``stands`` with these units of rows, (n,) int64, in it: values and (n, units) bool."""


def unmasked_rows(
    network: AbsorbingNetwork,
    surroundings: Surroundings,
    families: Families,
    seed: int,
    *,
    window: int = 48,
    device: str = "cpu",
    threads: int = 1,
    precision: str = "float32",
    heed: Heed | None = None,
    given: tuple[EncodedBatch, Tensor] | None = None,
    wanted: Wanted | None = None,
    column: TimeColumn | None = None,
    periods: np.ndarray | None = None,
    carried: Carried | None = None,
    continuing: Continuing | None = None,
) -> EncodedBatch:
    """Return new rows of a whole table, in row order, on the CPU. How many threads there are changes no bit of them.

    Levels come in the narrowest type that holds them (``levels_type``): all rows of a table are held at once.

    Args:
        network: the table's.
        surroundings: of all rows.
        families: of all rows, uncut.
        seed: of everything that is drawn; batch ``i`` depends on ``seed`` and ``i`` only.
        window: largest number of siblings in a piece of a family in training.
        device: ``cpu`` or ``cuda``.
        threads: batches side by side on a CPU.
        precision: in which the network multiplies, ``float32`` or ``bf16``.
        heed: what rows have to heed.
        given: rows of which some units stand, and which: (rows, units) bool.
        wanted: units that are drawn first, until they are accepted.
        column: whose times climb from sibling to sibling, as the network has learnt; None for none.
        periods: (rows,) int64, the periods of ``column`` that rows stand in; None: they are drawn.
        carried: a column that carries on from sibling to sibling; None for none.
        continuing: columns that go on from what the sibling before holds; None for none.
    """
    network = network.to(device).eval()
    stepper = Stepper(network, heed, precision)
    layout, rows = network.units.layout, families.rows
    made = EncodedBatch(
        torch.zeros(rows, len(layout.numerical)), torch.zeros(rows, len(layout.categorical), dtype=levels_type(layout))
    )
    # Families of like size side by side: fewer steps with few rows.
    by_size = np.argsort(-families.window_rows, kind="stable")
    parts = [by_size[first : first + BATCH_ROWS] for first in range(0, len(by_size), BATCH_ROWS)]

    def run(number: int) -> None:
        generator = torch.Generator().manual_seed(derive_seed(seed, "unmasking", number))
        _families(
            stepper, surroundings, families, parts[number], generator, device, made, given, window, wanted, column,
            None if periods is None else torch.from_numpy(periods), carried, continuing,
        )  # fmt: skip

    with ThreadPoolExecutor(threads if device == "cpu" else 1) as pool:
        list(pool.map(run, range(len(parts))))  # raises what a part raised
    return made


@torch.no_grad()
def _families(
    stepper: Stepper,
    surroundings: Surroundings,
    families: Families,
    windows: np.ndarray,
    generator: torch.Generator,
    device: str,
    made: EncodedBatch,
    given: tuple[EncodedBatch, Tensor] | None,
    window: int,
    wanted: Wanted | None,
    column: TimeColumn | None,
    periods: Tensor | None,
    carried: Carried | None,
    continuing: Continuing | None,
) -> None:
    """Fill the rows of some families, the largest first, into ``made``."""
    network, history = stepper.network, stepper.network.history
    starts, sizes = families.window_start[windows], families.window_rows[windows]
    remembered = None if history is None else Remembered(network, history, len(windows), window, device)
    last: np.ndarray | None = None
    new: EncodedBatch | None = None
    hands = None if column is None else Hands(network, column, len(windows), device)
    for position in range(int(sizes.max(initial=0))):
        active = int((sizes > position).sum())
        place = starts[:active] + position
        rows = torch.from_numpy(families.order[place])
        rank, size = torch.from_numpy(families.rank[place]), torch.from_numpy(families.size[place])
        around = to_device(surroundings.take(rows, rank, size, generator), device)
        before = None if remembered is None else remembered.before(position, active)
        stands = None if given is None else (_rows(given[0], rows, device), given[1][rows].to(device))
        if hands is None:
            context = network.context(around, before)
        else:
            told = None if periods is None else periods[rows].to(device)
            left = torch.from_numpy(sizes[:active] - position)
            context, stands = hands.moved(around, before, left, generator, stands, told)
        if continuing is not None:
            stands = continuing.standing(new, position, families.order[place], device, stands)
        if wanted is not None:
            stands = wanted.settled(stepper, context, generator, before, stands, rows)
        if carried is None:
            new = stepper.rows(context, generator, before, stands, numbers=rows)
            if continuing is not None:
                goes_on = sizes[:active] > position + 1
                new = _going_on(stepper, continuing, goes_on, new, context, generator, before, stands, rows)
        else:
            new, last = _carried_on(stepper, carried, context, generator, before, stands, rows, last)
        if remembered is not None:
            remembered.add(new)
        if stepper.heed is not None:
            stepper.heed.add(new, rows)
        made.numerical[rows] = new.numerical.cpu()
        made.categorical[rows] = new.categorical.cpu().to(made.categorical.dtype)


def _going_on(
    stepper: Stepper,
    continuing: Continuing,
    goes_on: np.ndarray,
    new: EncodedBatch,
    context: Context,
    generator: torch.Generator,
    before: Before | None,
    stands: tuple[EncodedBatch, Tensor] | None,
    numbers: Tensor,
) -> EncodedBatch:
    """Return rows of which those that have one after them, (rows,) bool, are drawn again where none could follow."""
    for _ in range(TRIES):
        far = np.flatnonzero(goes_on & continuing.ends(new))
        if not len(far):
            break
        drawn = _again(stepper, far, context, generator, before, stands, None, numbers)
        rows = torch.from_numpy(far).to(context.device)
        new.numerical[rows], new.categorical[rows] = drawn.numerical, drawn.categorical
    return new


def _again(
    stepper: Stepper,
    far: np.ndarray,
    context: Context,
    generator: torch.Generator,
    before: Before | None,
    stands: tuple[EncodedBatch, Tensor] | None,
    units: frozenset[Unit] | None,
    numbers: Tensor,
) -> EncodedBatch:
    """Return another draw of some rows, (again,) int64."""
    rows = torch.from_numpy(far).to(context.device)
    ahead = None if before is None else Before(before.history[rows], before.numbers[rows])
    given = None if stands is None else (_rows(stands[0], rows, str(context.device)), stands[1][rows])
    return stepper.rows(context.take(rows), generator, ahead, given, units, numbers[rows.cpu()])


def _carried_on(
    stepper: Stepper,
    carried: Carried,
    context: Context,
    generator: torch.Generator,
    before: Before | None,
    stands: tuple[EncodedBatch, Tensor] | None,
    numbers: Tensor,
    last: np.ndarray | None,
) -> tuple[EncodedBatch, np.ndarray]:
    """Return the next rows of families with what is carried on in them, and what that came to, (rows,).

    Rows that would carry it beyond all values are drawn again; of a row's draws the one that goes least beyond stays.
    """
    last = None if last is None else last[: len(context)]
    units = carried.drawn(0 if last is None else 1)
    new = stepper.rows(context, generator, before, stands, units, numbers)
    value = carried.come_to(new, last)
    for _ in range(TRIES):
        far = np.flatnonzero(carried.beyond(value) > 0)
        if not len(far):
            break
        rows = torch.from_numpy(far).to(context.device)
        drawn = _again(stepper, far, context, generator, before, stands, units, numbers)
        found = carried.come_to(drawn, None if last is None else last[far])
        better = carried.beyond(found) < carried.beyond(value[far])
        value[far[better]] = found[better]
        kept, taken = rows[torch.from_numpy(better)], torch.from_numpy(better)
        new.numerical[kept], new.categorical[kept] = drawn.numerical[taken], drawn.categorical[taken]
    return carried.filled(new, value), value


class Hands:
    """Move from row to row of families side by side: when the next rows are."""

    def __init__(self, network: AbsorbingNetwork, column: TimeColumn, families: int, device: str) -> None:
        self.network, self.column = network, column
        self.last = torch.full((families,), -1, dtype=torch.int64, device=device)
        self.is_timed = torch.zeros(len(network.units.all), dtype=torch.bool)
        self.is_timed[column.units(network.units)] = True

    def moved(
        self,
        around: Around,
        before: Before | None,
        left: Tensor,
        generator: torch.Generator,
        given: tuple[EncodedBatch, Tensor] | None,
        periods: Tensor | None = None,
    ) -> tuple[Context, tuple[EncodedBatch, Tensor]]:
        """Return the context of the next rows at their times, and what of these rows stands.

        Args:
            around, before: of the next rows of the first families.
            left: (families,) int64, rows still to come of each.
            generator: of the draws.
            given: what stands besides; a time that is given is the row's.
            periods: (families,) int64, where the rows stand by their keys; None: that is drawn.
        """
        pace, count, device = self.network.pace, len(left), self.last.device
        assert pace is not None
        clock = Clock(self.last[:count], left.to(device))
        context = self.network.context(replace(around, clock=clock), before)
        draws = torch.rand(2, count, generator=generator).to(device)
        self.last = pace.draw(context.vector, clock, draws[0], draws[1]) if periods is None else periods
        if given is not None:
            is_given = given[1][:, self.is_timed.to(device)].all(1)
            told = self.column.periods(_table(given[0]), 0)
            self.last = torch.where(is_given, torch.from_numpy(told).to(device), self.last)
        layout = self.network.units.layout
        rows = self.column.rows(self.last).wide(len(layout.numerical), len(layout.categorical)).to(str(device))
        stands = self.is_timed.expand(count, -1).to(device)
        if given is not None:
            rows = self.column.joined(rows, given[0], is_given)
            stands = stands | given[1]
        return context.moved(pace.seen_now(clock, self.last)), (rows, stands)


class Remembered:
    """What families side by side remember: as in training, each piece of a family begins with the rows before it."""

    def __init__(self, network: AbsorbingNetwork, history: LastRow, families: int, window: int, device: str) -> None:
        self.network, self.history, self.window = network, history, window
        layout = network.units.layout
        self.row = EncodedBatch(
            torch.zeros(families, len(layout.numerical), device=device),
            torch.zeros(families, len(layout.categorical), dtype=torch.int64, device=device),
        )
        self.last, self.state = history.start(families, device)
        self.recent: list[Tensor] = []

    def before(self, position: int, families: int) -> Before:
        """Return what came before a position, of the first families."""
        last = self.last[:families]
        if position and position % self.window == 0:
            _, self.state = self.history.start(families, last.device)
            for ahead in (torch.zeros_like(last), *(one[:families] for one in self.recent[-LEAD:-1])):
                self.state = self.history.step(ahead, self.state)
        self.state = self.history.step(last, self.state[:families])
        row = EncodedBatch(self.row.numerical[:families], self.row.categorical[:families])
        has_one = torch.full((families,), position > 0, device=last.device)
        return self.network.before(self.history.seen(last, self.state), row, has_one)

    def add(self, rows: EncodedBatch) -> None:
        """Remember the rows of a position."""
        self.row = rows
        self.last = self.history.row(rows)
        self.recent = [*self.recent[-LEAD:], self.last]


def _table(rows: EncodedBatch) -> EncodedTable:
    numerical = rows.numerical.cpu().unsqueeze(-1).expand(-1, -1, 2).numpy()
    return EncodedTable(numerical, rows.categorical.cpu().numpy().astype(np.int32))


def _rows(batch: EncodedBatch, rows: Tensor, device: str) -> EncodedBatch:
    return EncodedBatch(batch.numerical[rows].to(device), batch.categorical[rows].to(device))


def whole_families(
    parent_row: np.ndarray | None, rows: int, most: int | None = None, periods: np.ndarray | None = None
) -> Families:
    """Return uncut families, of (rows,) int64 pointers: a state is carried through all of a family.

    Rows beyond ``most`` of a parent are families of their own: a station's rows by the hour, a second time. Where
    (rows,) ``periods`` say when rows stand, a family ends where they no longer climb.
    """
    if parent_row is not None and periods is not None:
        families = Families.from_pointer(parent_row, rows, window_limit=max(rows, 1))
        is_next = (families.rank > 0) & (np.diff(periods[families.order], prepend=-1) > 0)
        piece = np.empty(rows, dtype=np.int64)
        piece[families.order] = np.cumsum(~is_next) - 1
        parent_row = np.where(parent_row < 0, -1, piece)
    elif parent_row is not None and most is not None:
        families = Families.from_pointer(parent_row, rows, window_limit=max(rows, 1))
        pieces = -(-families.size.astype(np.int64) // most)
        turn = np.empty(rows, dtype=np.int64)
        turn[families.order] = families.rank.astype(np.int64) * pieces // families.size.astype(np.int64)
        parent_row = np.where(parent_row < 0, -1, parent_row * int(pieces.max(initial=1)) + turn)
    return Families.from_pointer(parent_row, rows, window_limit=max(rows, 1))
