"""Rows of a panel moved to periods of their own: as few as possible, by days rather than by hours."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.known.panel import Panel, microseconds

DAY_COST = 0.1
"""Cost of moving a row by a day, relative to moving it by one period of the day."""
CELLS_MAX = 4_000_000
"""Rows times periods of one family up to which the best assignment is sought; beyond, rows are moved in order."""


def spaced(rows: pa.Table, panel: Panel, pointer: np.ndarray, codec: TableCodec, rng: np.random.Generator) -> pa.Table:
    """Return a whole table whose rows of one parent have a period each.

    A family with more rows than periods uses none again before all are used. Rows without a parent stay as they are.

    Args:
        rows: the table.
        panel: what its families are.
        pointer: (rows,) row of the parent, -1 for none.
        codec: the table's; columns that it derives from the moved one follow.
        rng: breaks ties where rows are moved in order.
    """
    place = rows.column_names.index(panel.column)
    times = microseconds(rows.column(place))
    period = np.clip(np.rint((times - panel.start) / panel.step).astype(np.int64), 0, panel.periods - 1)
    allowed = _allowed(panel, codec)
    order = np.argsort(pointer, kind="stable")
    starts = np.flatnonzero(np.diff(pointer[order], prepend=-1))
    for family in np.split(order, starts)[1:]:
        period[family] = _assigned(period[family], allowed, panel.cycle, rng)
    moved = np.where(pointer >= 0, panel.start + period * panel.step, times)
    kind = rows.schema.field(place).type
    values = pa.array(moved, pa.int64()).cast(pa.timestamp("us")).cast(kind)
    rows = rows.set_column(place, rows.schema.field(place), values)
    return _followed(rows, panel.column, values, codec, rng)


def _allowed(panel: Panel, codec: TableCodec) -> np.ndarray:
    """Return the periods for which every column that follows from the time has a value."""
    periods = np.arange(panel.periods)
    for one in _followers(panel.column, codec).values():
        times = pa.array(panel.start + periods * panel.step, pa.int64()).cast(pa.timestamp("us"))
        periods = periods[one.determinant.index(times.cast(one.determinant.arrow_type)) >= 0]
    return periods


def _followers(column: str, codec: TableCodec) -> dict[str, DerivedCodec]:
    return {n: one for n, one in codec.columns.items() if isinstance(one, DerivedCodec) and one.given == column}


def _followed(rows: pa.Table, column: str, values: pa.Array, codec: TableCodec, rng: np.random.Generator) -> pa.Table:
    nothing = np.empty((rows.num_rows, 0))
    for name, one in _followers(column, codec).items():
        place = rows.column_names.index(name)
        new = one.decode(nothing, nothing, Draw(rng, 0, values))
        rows = rows.set_column(place, rows.schema.field(place), new.cast(rows.schema.field(place).type))
    return rows


def _assigned(period: np.ndarray, allowed: np.ndarray, cycle: int, rng: np.random.Generator) -> np.ndarray:
    """Return a period for each row of a family; none is used again before all are used."""
    if len(np.unique(period)) == len(period) and np.isin(period, allowed).all():
        return period
    rows, rounds = len(period), -(-len(period) // len(allowed))
    if rows * len(allowed) * rounds > CELLS_MAX:
        spread = allowed[np.arange(rows % len(allowed)) * len(allowed) // max(rows % len(allowed), 1)]
        places = allowed if rows < len(allowed) else np.concatenate([np.tile(allowed, rows // len(allowed)), spread])
        return _in_order(period, np.sort(places), rng)
    places, again = np.tile(allowed, rounds), np.repeat(np.arange(rounds), len(allowed))
    apart = np.abs(period[:, None] - places)
    hours = (period[:, None] - places) % cycle
    cost = np.minimum(hours, cycle - hours) + DAY_COST * (apart // cycle) if cycle > 1 else apart
    _, column = linear_sum_assignment(cost + again * (rows * (cost.max() + 1.0)))
    return places[column]


def _in_order(period: np.ndarray, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sorted periods for rows in the order of theirs, none further ahead than room is left."""
    order = np.lexsort((rng.random(len(period)), period))
    wanted = np.searchsorted(places, period[order])
    steps = np.arange(len(period))
    ahead = np.maximum.accumulate(wanted - steps) + steps
    last = len(places) - len(period) + steps
    chosen = np.empty_like(period)
    chosen[order] = places[np.minimum(ahead, last)]
    return chosen
