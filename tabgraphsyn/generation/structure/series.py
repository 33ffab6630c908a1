"""Rows under a published parent that stand in periods: which ones new rows stand in, and whose keys they have.

A station's hours, a market's weeks. How many flights leave in an hour depends on the hour: new rows whose numbers of
children are copied from training rows must stand where those stood. Where those stood, but for whole weeks (or days):
a row that is told by its keys and its hour would come back as it was. Weeks that are next to each other change places:
what flies in January alone does not fly in June.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabgraphsyn.errors import DataError


@dataclass(frozen=True)
class Series:
    """When the training rows of a table stand.

    Attributes:
        relation: to the parents whose rows never share a period.
        periods: number of periods of the grid.
        cycles: periods after which rows are alike (a week, a day), the best first.
        place: (training rows,) int64, the period of each row, 0 to ``periods - 1``.
    """

    relation: str
    periods: int
    cycles: tuple[int, ...]
    place: np.ndarray = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form; places are an array."""
        return {"relation": self.relation, "periods": self.periods, "cycles": list(self.cycles)}

    @staticmethod
    def from_dict(raw: Mapping[str, Any], place: np.ndarray) -> Series:
        """Read the form that ``to_dict`` writes; ``place`` is (training rows,).

        Raises:
            DataError: places beyond the periods, or cycles that are none.
        """
        periods, cycles = int(raw["periods"]), tuple(int(one) for one in raw["cycles"])
        if not 1 <= periods <= 4 * len(place) + 1_000 or any(not 2 <= 2 * one <= periods for one in cycles):
            raise DataError("structure.json: series: periods, and cycles in half of them, expected, found others.")
        if place.ndim != 1 or place.dtype.kind != "i" or (len(place) and not 0 <= place.min() <= place.max() < periods):
            raise DataError(f"structure.safetensors: places below {periods} expected, found others.")
        return Series(str(raw["relation"]), periods, cycles, place.astype(np.int64))

    def drawn(
        self, parent: np.ndarray, wanted: int, real_share: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the training row behind each new row, and the period that the new one stands in; (wanted,) int64 each.

        A parent's rows fill one round of periods after the other, each period once a round, ascending; as many rounds
        as its real rows fit whole. A round takes the keys of one that is some cycles away: the first, of neighbours.

        Args:
            parent: (training rows,) int64, negative for none.
            wanted: number of new rows.
            real_share: share of the real rows that the training rows are.
            rng: of everything that is drawn.
        """
        if not len(self.place) or not wanted:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        groups = np.unique(parent, return_inverse=True)[1]
        count = np.bincount(groups)
        ends = np.floor(np.cumsum(count) * (wanted / len(parent)) + 1e-9).astype(np.int64)
        order = np.lexsort((self.place, groups))
        opens = np.cumsum(count) - count
        usual = np.bincount(self.place, minlength=self.periods) / len(count)
        chosen, places, turns, owners = [], [], [], []
        for group, rows in enumerate(np.diff(ends, prepend=0).tolist()):
            own = order[opens[group] : opens[group] + count[group]]
            per_round = max(count[group] / max(real_share, 1e-9), 1.0)
            rounds = max(-(-rows // self.periods), round(rows / per_round), 1)
            sizes = rows // rounds + (np.arange(rounds) < rows % rounds)
            for turn, size in enumerate(sizes.tolist()):
                at = self._periods(self.place[own], usual, size, rng)
                chosen.append(own[self._donors(self.place[own], self._moved(at, turn))])
                places.append(at)
                turns.append(np.full(size, turn))
                owners.append(np.full(size, group))
        row, place, of_turn, owner = (np.concatenate(one) for one in (chosen, places, turns, owners))
        # As the file is sorted: by parent, or by period.
        ordered = np.lexsort([place, of_turn] if (np.diff(self.place) >= 0).all() else [place, owner, of_turn])
        return row[ordered], place[ordered]

    def _periods(self, has: np.ndarray, usual: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return the periods of one round of a parent, (size,) int64 ascending.

        Shape:
            has: (rows,) int64, where its training rows stand. usual: (periods,) share of parents that have a row.
        """
        if size <= len(has):
            return has[((np.arange(size) + rng.random()) * (len(has) / max(size, 1))).astype(np.int64)]
        likely = usual + rng.random(self.periods) * 1e-3
        held = np.bincount(has, minlength=self.periods)
        for cycle in self.cycles:
            phase = np.arange(self.periods) % cycle
            likely = likely + (np.bincount(phase, weights=held) / np.bincount(phase))[phase]
        likely[has] = np.inf
        return np.sort(np.argsort(-likely, kind="stable")[:size])

    def _moved(self, at: np.ndarray, turn: int) -> np.ndarray:
        """Return like periods that are some cycles away from each, one for one, (n,) int64: other ones each turn."""
        cycle = self.cycles[0] if self.cycles else 1
        least = self.periods // cycle
        # Without a cycle a neighbour is most alike.
        step = 1 + turn % (least - 1) if self.cycles else 1
        phase, number = at % cycle, at // cycle
        count = (self.periods - 1 - phase) // cycle + 1
        # Within blocks of twice the step or a little more: a whole round would put the last cycles before the first.
        blocks = np.maximum(count // (2 * step), 1)
        block = ((number + 1) * blocks - 1) // count
        start, end = block * count // blocks, (block + 1) * count // blocks
        return (start + (number - start + step) % np.maximum(end - start, 1)) * cycle + phase

    def _donors(self, has: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return for each period the place in ``has`` of the row whose keys it takes: its own, else a like one.

        Shape:
            has: (rows,) int64 ascending periods. at: (n,) int64. Returned: (n,) int64.
        """
        found = np.minimum(np.searchsorted(has, at), len(has) - 1)
        open_ = np.flatnonzero(has[found] != at)
        for cycle in (*self.cycles, 1):
            if not len(open_):
                break
            near, is_like = _nearest_of_phase(has, at[open_], cycle)
            found[open_[is_like]] = near[is_like]
            open_ = open_[~is_like]
        return found


def _nearest_of_phase(has: np.ndarray, at: np.ndarray, cycle: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest of ``has`` that is whole cycles away from each of ``at``, and whether there is one."""
    order = np.lexsort((has, has % cycle))
    base = int(max(has.max(), at.max())) + 1
    keys, sought = (has % cycle * base + has)[order], at % cycle * base + at
    after = np.searchsorted(keys, sought)
    sides = [np.clip(after - 1, 0, len(keys) - 1), np.clip(after, 0, len(keys) - 1)]
    apart = [np.where(keys[side] // base == at % cycle, np.abs(keys[side] - sought), 2 * base) for side in sides]
    nearer = apart[1] < apart[0]
    return order[np.where(nearer, sides[1], sides[0])], np.minimum(*apart) < 2 * base
