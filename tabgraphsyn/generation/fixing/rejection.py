"""Demands met by drawing again: for generators that cannot condition on single values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.identifier import IdentifierCodec, TextCodec
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.codec.prefixed import PrefixedCodec
from tabgraphsyn.errors import ConfigError, listing
from tabgraphsyn.generation.fixing.demands import Demands, whole

TRIES = 100
"""Times a whole table is drawn until each of its rows meets what is asked."""


def redrawn(
    table: str,
    codec: TableCodec,
    demands: Demands,
    draw: Callable[[int], pa.Table],
    kept: Callable[[np.ndarray], None],
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> pa.Table:
    """Return rows of which each is the first draw of its place that meets the demands, (rows,) of them.

    Args:
        table: its name.
        codec: of the table; ids and texts are not drawn, they are put in their places afterwards.
        demands: what is asked.
        draw: returns all rows of the table, others for each number.
        kept: told after each draw which of its rows were taken, (rows,) bool.
        rng: chooses whose turn it is where levels are to be as frequent.
        say: is told the share of draws that were taken.

    Raises:
        ConfigError: rows that no draw met, with counts.
    """
    kinds = IdentifierCodec | TextCodec | PersonalCodec | PrefixedCodec
    made_anew = {name for name, own in codec.columns.items() if isinstance(own, kinds)}
    demands = replace(demands, cells={name: one for name, one in demands.cells.items() if name not in made_anew})
    room = _Room(demands, rng)
    pending, draws = np.ones(demands.rows, dtype=bool), 0
    parts: list[pa.Table] = []
    source, drawn = np.zeros(demands.rows, dtype=np.int64), 0
    for number in range(TRIES):
        rows = draw(number)
        drawn += int(pending.sum())
        good = pending & demands.met(rows)
        good = room.taken(rows, good)
        kept(good)
        source[good] = draws + np.arange(int(good.sum()))
        draws += int(good.sum())
        parts.append(rows.filter(pa.array(good)))
        pending &= ~good
        if not pending.any():
            break
    share = draws / max(drawn, 1)
    if pending.any():
        asked = [one.text for one in demands.conditions] + [f"{table}.{name}" for name in demands.cells]
        asked += [f"{table}.{demands.balance}"] if demands.balance else []
        raise ConfigError(
            f"{table}: {int(pending.sum()):,} of {demands.rows:,} rows met {listing(asked, 4)} in none of {TRIES} "
            f"draws ({share:.2%} of the draws do). This generator finds such rows by rejection only: ask for less, or "
            "train with model=absorbing, which conditions on them."
        )
    say(f"{table}: {share:.1%} of {drawn:,} drawn rows met what is asked and were taken.")
    return pa.concat_tables(parts).take(pa.array(source))


class _Room:
    """How many rows of each level are still wanted."""

    def __init__(self, demands: Demands, rng: np.random.Generator) -> None:
        self._column, self._levels, self._rng = demands.balance, demands.levels, rng
        self._left = np.zeros(0, dtype=np.int64)
        if demands.balance and demands.levels is not None:
            wanted = demands.balanced(rng).cells[demands.balance]
            index = pc.index_in(wanted.values.drop_null(), value_set=demands.levels)
            self._left = np.bincount(pc.drop_null(index).to_numpy(), minlength=len(demands.levels))

    def taken(self, rows: pa.Table, good: np.ndarray) -> np.ndarray:
        """Return which of the good rows there is room for, (rows,) bool."""
        if not self._column or self._levels is None:
            return good
        index = pc.fill_null(pc.index_in(whole(rows.column(self._column)), value_set=self._levels), -1).to_numpy()
        taken = np.zeros(len(good), dtype=bool)
        for level in range(len(self._left)):
            here = self._rng.permutation(np.flatnonzero(good & (index == level)))[: self._left[level]]
            taken[here] = True
            self._left[level] -= len(here)
        return taken
