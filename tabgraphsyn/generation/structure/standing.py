"""When rows under a published parent stand, from counts alone: of the rows of each period, and by which hour or day.

``series`` keeps when each training row stood; this keeps how many did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.entities import rounded
from tabgraphsyn.generation.structure.series import Series

ROWS_PER_PHASE = 5
"""So many rows must stand at an hour, or on a day, before it is told what they have."""


@dataclass(frozen=True)
class Standing:
    """How often each period has a row, of rows that never share one under a parent.

    Attributes:
        relation: to these parents.
        phases: how many kinds of periods there are: period ``p`` is of kind ``p % phases``.
        is_by_period: whether rows are in the order of their periods, otherwise in that of their parents.
        filled: share of the periods that a parent has a row in, training and holdout together.
        count: (periods,) int64, the number of training rows in each.
    """

    relation: str
    phases: int
    is_by_period: bool
    filled: float
    count: np.ndarray = field(repr=False)

    @staticmethod
    def of(series: Series, parent: np.ndarray, real_rows: int) -> Standing:
        """Count the rows of a series.

        Args:
            series: when each training row stood.
            parent: (training rows,) int64, negative for none.
            real_rows: number of rows, training and holdout together.
        """
        rows = len(series.place)
        likely = (series.periods, *series.cycles)
        phases = next((one for one in likely if rows >= ROWS_PER_PHASE * one), 1)
        groups = max(len(np.unique(parent)), 1)
        count = np.bincount(series.place, minlength=series.periods)
        filled = min(max(real_rows, 1) / (groups * series.periods), 1.0)
        return Standing(series.relation, phases, bool((np.diff(series.place) >= 0).all()), filled, count)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form; counts are an array."""
        names = ("relation", "phases", "is_by_period", "filled")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def from_dict(raw: Mapping[str, Any], count: np.ndarray) -> Standing:
        """Read the form that ``to_dict`` writes; ``count`` is (periods,).

        Raises:
            DataError: counts that are none, or more kinds than periods.
        """
        phases, filled = int(raw["phases"]), float(raw["filled"])
        is_whole = count.ndim == 1 and count.dtype.kind == "i" and len(count) > 0 and int(count.min()) >= 0
        if not is_whole or not 1 <= phases <= len(count) or not 0 < filled <= 1:
            raise DataError("structure.json: standing: numbers of rows by period, kinds of these, expected.")
        return Standing(str(raw["relation"]), phases, bool(raw["is_by_period"]), filled, count.astype(np.int64))

    def drawn(self, children: np.ndarray, wanted: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the parent of each new row and the period it stands in, (wanted,) int64 each.

        A parent's rows fill one round of periods after the other, each period at most once a round, as ``Series`` has
        them.

        Args:
            children: (parents,) int64, in what proportions parents have rows.
            wanted: number of new rows.
            rng: of everything that is drawn.
        """
        if not len(children) or not wanted:
            return np.full(wanted, -1, dtype=np.int64), np.zeros(wanted, dtype=np.int64)
        weight = children if children.any() else np.ones_like(children)
        sizes = rounded(weight * (wanted / weight.sum()), rng)
        periods = len(self.count)
        parents: list[np.ndarray] = []
        places: list[np.ndarray] = []
        turns: list[np.ndarray] = []
        for number, rows in enumerate(sizes.tolist()):
            rounds = max(-(-rows // periods), round(rows / max(self.filled * periods, 1.0)), 1)
            for lap in range(rounds):
                size = rows // rounds + (lap < rows % rounds)
                # Without repetition, each period in proportion to its rows (Efraimidis and Spirakis 2006).
                keys = rng.exponential(size=periods) / np.maximum(self.count, 1e-6)
                at = np.sort(np.argsort(keys)[:size])
                places.append(at)
                parents.append(np.full(len(at), number))
                turns.append(np.full(len(at), lap))
        parent, place, turn = np.concatenate(parents), np.concatenate(places), np.concatenate(turns)
        order = np.lexsort([place, turn] if self.is_by_period else [place, parent, turn])
        return _exactly(parent[order], wanted), _exactly(place[order], wanted)


def _exactly(values: np.ndarray, wanted: int) -> np.ndarray:
    """Return (wanted,) values: rounding may have made one too few, or one too many."""
    return values[np.minimum(np.arange(wanted), len(values) - 1)]
