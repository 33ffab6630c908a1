"""How many children rows have of which some columns are fixed: as many as rows of the same model that are like them.

Keys are grown before any value. So that families follow what is fixed, rows are drawn once in which nothing is fixed;
of these, the ones that are like a row say how many children it may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codes import column_codes
from tabgraphsyn.generation.fixing.condition import Condition
from tabgraphsyn.generation.fixing.demands import whole

DRAWN_MIN, DRAWN_MAX = 2_000, 20_000
"""Rows that are drawn to look at, as long as a table has not as many itself."""
LIKE_MIN = 5
"""Fewer rows that are like one say nothing of it."""
TREES = 20
PATTERNS_MAX = 20
FAR = 1e30
"""What a tree splits by is held within it: a number of float32, beyond any of a column."""


@dataclass(frozen=True)
class Drawn:
    """Rows of a table in which nothing was fixed.

    Shape:
        rows: (rows,), columns that are no key. counts: (rows, links) int64, the children along some keys.
    """

    rows: pa.Table = field(repr=False)
    counts: np.ndarray = field(repr=False)

    def meeting(self, conditions: Sequence[Condition]) -> Drawn | None:
        """Return the rows that meet conditions; None where they are too few."""
        met = np.ones(self.rows.num_rows, dtype=bool)
        for one in conditions:
            met &= one.holds(whole(self.rows.column(one.column)))
        found = np.flatnonzero(met)
        return Drawn(self.rows.take(pa.array(found)), self.counts[found]) if len(found) >= LIKE_MIN else None

    def like(self, rows: pa.Table, rng: np.random.Generator) -> np.ndarray:
        """Return numbers of children that go with what is filled in some rows, (rows, links); -1 where nothing is.

        A forest that foretells the numbers decides what is alike (Meinshausen 2006): a row has those of a drawn one in
        its leaf of a random tree.
        """
        names = [name for name in rows.column_names if name in self.rows.column_names]
        found = np.full((rows.num_rows, self.counts.shape[1]), -1, dtype=np.int64)
        if not names or not self.rows.num_rows or not rows.num_rows:
            return found
        filled = np.stack([whole(rows.column(name)).is_valid().to_numpy(zero_copy_only=False) for name in names], 1)
        encoded = [_encoded(whole(self.rows.column(name)), whole(rows.column(name))) for name in names]
        kinds, of_row, size = np.unique(filled, axis=0, return_inverse=True, return_counts=True)
        for kind in np.argsort(-size, kind="stable")[:PATTERNS_MAX]:
            columns = np.flatnonzero(kinds[kind])
            here = np.flatnonzero(of_row.reshape(-1) == kind)
            if len(columns):
                known = np.stack([encoded[one][0] for one in columns], axis=1)
                asked = np.stack([encoded[one][1][here] for one in columns], axis=1)
                found[here] = self.counts[_alike(known, self.counts, asked, rng)]
        return found


def _encoded(known: pa.Array, asked: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers for the values of a column, (rows,) float64 each; words are numbered by how often they occur."""
    asked = asked.cast(known.type) if asked.type != known.type else asked
    kind = known.type
    if (
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
    ):
        if pa.types.is_temporal(kind):
            width = pa.int32() if kind.bit_width == 32 else pa.int64()
            known, asked = known.cast(width), asked.cast(width)
        sides = (pc.fill_null(one.cast(pa.float64(), safe=False), np.nan).to_numpy() for one in (known, asked))
        first, second = (np.clip(np.nan_to_num(one, nan=-1e30), -FAR, FAR) for one in sides)
        return first, second
    codes = column_codes(pa.concat_arrays([known, asked])) + 1
    often = np.bincount(codes[: len(known)], minlength=int(codes.max(initial=0)) + 1)
    place = np.empty(len(often), dtype=np.float64)
    place[np.argsort(-often, kind="stable")] = np.arange(len(often))
    return place[codes[: len(known)]], place[codes[len(known) :]]


def _alike(known: np.ndarray, counts: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each asked row a known one that a tree cannot tell from it, (asked rows,) int64.

    Shape:
        known: (rows, columns). counts: (rows, links). asked: (asked rows, columns).
    """
    # Imported here: most samples fix nothing.
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=TREES,
        min_samples_leaf=LIKE_MIN,
        max_features=None,
        random_state=int(rng.integers(2**31)),
        n_jobs=1,
    )
    numbers = np.log1p(counts)
    forest.fit(known.astype(np.float32), numbers if numbers.shape[1] > 1 else numbers[:, 0])
    leaves, own = forest.apply(known.astype(np.float32)), forest.apply(asked.astype(np.float32))
    tree = rng.integers(0, TREES, len(asked))
    chosen = np.zeros(len(asked), dtype=np.int64)
    for number in range(TREES):
        here = np.flatnonzero(tree == number)
        order = np.argsort(leaves[:, number], kind="stable")
        ordered = leaves[order, number]
        low, high = (np.searchsorted(ordered, own[here, number], side=side) for side in ("left", "right"))
        chosen[here] = order[low + rng.integers(0, high - low)] if len(here) else chosen[here]
    return chosen


def aligned(have: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the wanted numbers in the order in which they change the numbers that rows have least; (rows, links) each.

    >>> aligned(np.array([[5], [0], [2]]), np.array([[1], [6], [2]])).tolist()
    [[6], [1], [2]]
    """
    found = np.empty_like(wanted)
    found[np.lexsort(have.T[::-1])] = wanted[np.lexsort(wanted.T[::-1])]
    return found
