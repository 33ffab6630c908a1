"""What levels say together that none says by itself: year, month and day are a day, with weather of its own.

A network has to learn that from sums of what each level says, day by day. Where levels that stand together in many rows
tell much more of the numbers than each by itself, the whole of them is one more thing that a row is told as soon as all
are known. Found on training rows that are held against their own mean without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from tabgraphsyn.data.layout import EncodedTable, TableLayout
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit

DIM = 32
FIELDS, LEAST_LEVELS, MOST_LEVELS = 12, 3, 400
"""Categorical fields that are looked at, and their levels."""
MOST_SETS = 2
LEAST_GAIN = 0.03
"""By how much the share of the numbers' variance that is told must rise, as a mean over all numbers."""
LEAST_ROWS = 8
"""Rows of a set of levels, as a mean: fewer tell nothing but themselves."""
PASSES = 3


class Together(nn.Module):
    """What levels that are known together say beside what each says.

    Args:
        sets: categorical fields of each set, and how many of their combinations have a place.
        levels: of each categorical field.
        width: of the first layer.
    """

    def __init__(self, *, sets: Sequence[tuple[Sequence[int], int]], levels: Sequence[int], width: int) -> None:
        super().__init__()
        self.fields = [list(fields) for fields, _ in sets]
        self.levels = list(levels)
        self.embedding, self.linear = nn.ModuleList(), nn.ModuleList()
        for number, (_, combinations_) in enumerate(sets):
            self.register_buffer(f"codes_{number}", torch.arange(combinations_))
            blank = nn.Embedding(combinations_, DIM)
            nn.init.zeros_(blank.weight)
            self.embedding.append(blank)
            self.linear.append(nn.Linear(DIM, width, bias=False))

    def forward(self, stem: Tensor, levels: Tensor, is_known: Tensor) -> Tensor:
        """Return the first layer with what sets say whose levels are all known.

        Shape:
            stem: (rows, width). levels: (rows, n_cat) int64. is_known: (rows, n_cat) bool.
        """
        for number, fields in enumerate(self.fields):
            codes: Tensor = getattr(self, f"codes_{number}")
            own = code_of(levels[:, fields], [self.levels[field] for field in fields])
            place = torch.searchsorted(codes, own).clamp(max=len(codes) - 1)
            there = (codes[place] == own) & is_known[:, fields].all(1)
            stem = stem + self.linear[number](self.embedding[number](place)) * there.unsqueeze(1)
        return stem

    def needs(self, unit: Unit) -> bool:
        """Return whether a unit is a level of a set."""
        return unit.kind == LEVEL and any(unit.field in fields for fields in self.fields)

    def tell(self, codes: Sequence[np.ndarray]) -> None:
        """Say which combinations have a place, (combinations,) int64 each, ascending."""
        for number, own in enumerate(codes):
            getattr(self, f"codes_{number}").copy_(torch.from_numpy(own))


def code_of(levels: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return a whole number for each combination of levels, (rows,) int64.

    Shape:
        levels: (rows, fields).
    """
    code = torch.zeros(len(levels), dtype=torch.int64, device=levels.device)
    for place, size in enumerate(sizes):
        code = code * size + levels[:, place]
    return code


def sets_of(
    layout: TableLayout, table: EncodedTable, entities: np.ndarray, min_entities: int = 5
) -> list[tuple[list[int], np.ndarray]]:
    """Return the fields of each set that tells more than its fields, and the codes of its combinations, ascending.

    Args:
        layout: of the table.
        table: training rows.
        entities: (rows,) int64.
        min_entities: so many must hold a combination before it has a place.
    """
    levels = np.asarray(table.categorical).astype(np.int64)
    gates = {field.gate for field in layout.numerical}
    usable = [
        place for place, field in enumerate(layout.categorical)
        if LEAST_LEVELS <= field.levels <= MOST_LEVELS and place not in gates
    ][:FIELDS]  # fmt: skip
    sizes = [field.levels for field in layout.categorical]
    numbers = _standardised(layout, table)
    found: list[tuple[list[int], np.ndarray]] = []
    gains: list[tuple[float, tuple[int, ...], np.ndarray]] = []
    for fields in [*combinations(usable, 2), *combinations(usable, 3)] if len(numbers) else ():
        code = code_of(torch.from_numpy(levels[:, list(fields)]), [sizes[one] for one in fields]).numpy()
        place, count = np.unique(code, return_inverse=True, return_counts=True)[1:]
        if table.rows >= LEAST_ROWS * len(count):
            gain = np.mean([_told_more(one, there, place, levels[:, list(fields)]) for one, there in numbers])
            if gain >= LEAST_GAIN:
                gains.append((float(gain), fields, code))
    for _, fields, code in sorted(gains, key=lambda one: -one[0]):
        if len(found) < MOST_SETS and all(len({*fields} & {*other}) < 2 for other, _ in found):
            found.append((list(fields), held_codes(code, entities, min_entities)))
    return [(fields, codes) for fields, codes in found if len(codes)]


def held_codes(code: np.ndarray, entities: np.ndarray, min_entities: int) -> np.ndarray:
    """Return the codes that enough entities hold, (held,) int64 ascending, of (rows,) codes and entities."""
    distinct, place = np.unique(code, return_inverse=True)
    pairs = np.unique(np.stack([place, entities]), axis=1)
    return np.asarray(distinct[np.bincount(pairs[0], minlength=len(distinct)) >= min_entities])


def _standardised(layout: TableLayout, table: EncodedTable) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each number that varies, (rows there,) float64, and where it has a meaning, (rows,) bool."""
    found = []
    for number, field in enumerate(layout.numerical):
        gate = field.gate
        there = np.ones(table.rows, bool) if gate is None else np.asarray(table.categorical[:, gate]) == 0
        value = np.asarray(table.numerical[:, number], dtype=np.float64).mean(axis=1)[there]
        if len(value) and value.std() > 0:
            found.append(((value - value.mean()) / value.std(), there))
    return found


def _told_more(number: np.ndarray, there: np.ndarray, place: np.ndarray, levels: np.ndarray) -> float:
    """Return which share of a number's variance a combination tells of other rows, beyond what its levels add up to."""
    together = number - _mean_of_others(number, place[there])
    alone = number
    for _ in range(PASSES):
        for level in levels[there].T:
            alone = alone - _mean(alone, level)
    return float((alone**2).mean() - (together**2).mean())


def _mean(number: np.ndarray, group: np.ndarray) -> np.ndarray:
    rows = np.bincount(group)
    return np.asarray((np.bincount(group, weights=number) / np.maximum(rows, 1))[group])


def _mean_of_others(number: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the mean of the other rows of each row's group, drawn towards zero by one row."""
    rows, total = np.bincount(group), np.bincount(group, weights=number)
    return np.asarray((total[group] - number) / rows[group])
