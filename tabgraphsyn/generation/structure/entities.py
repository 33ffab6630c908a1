"""How many rows of which table, and which real row stands behind a synthetic one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import psutil

from tabgraphsyn.errors import ConfigError, listing, nearest, raise_collected
from tabgraphsyn.generation.structure.base import KeyPlan

MOST_ROWS = 2**31 - 1
ROW_BYTES = 200
"""What a row of keys takes at least while a structure grows: a dozen arrays of eight bytes, and copies of some."""


def entity_rows(
    plan: KeyPlan, *, scale: float, rows: Mapping[str, int] | None, grow_reference_tables: bool
) -> dict[str, int]:
    """Return the number of rows of every table whose rows are not created along a relation.

    Raises:
        ConfigError: see ``StructureModel.grow``.
    """
    asked = dict(rows or {})
    entities = [table for table in plan.tables if plan.creating_link(table) is None]
    problems = []
    if not scale > 0 or not np.isfinite(scale):
        problems.append(f"sampling.scale: a positive number expected, found {scale!r}.")
    for table, count in asked.items():
        if table not in plan.tables:
            problems.append(f"sampling.rows.{table}: no such table.{nearest(table, plan.tables)}")
        elif table not in entities:
            above = plan.link[str(plan.driver[table])].parent
            problems.append(
                f"sampling.rows.{table}: the rows of {table!r} follow from {above!r}. "
                f"Set the rows of {listing(entities)}."
            )
        elif isinstance(count, bool) or not isinstance(count, int) or count < 0:
            problems.append(f"sampling.rows.{table}: a whole number of rows expected, found {count!r}.")
    raise_collected(ConfigError, problems)
    sizes = {}
    for table in entities:
        real = plan.real_rows[table]
        keeps_size = table in plan.reference and not grow_reference_tables
        # A table that has rows keeps at least one at any scale: its children would have nothing to refer to.
        grown = real if keeps_size else max(round(scale * real), min(real, 1))
        sizes[table] = asked.get(table, grown)
        check_size(table, sizes[table])
    check_size("all tables", sum(sizes.values()))
    return sizes


def check_size(table: str, rows: int) -> None:
    """Hold a number of rows against what this machine can hold, before there is an array of them.

    Raises:
        ConfigError: more rows than fit in a 32 bit number, or in memory.
    """
    memory = psutil.virtual_memory().total
    most = min(MOST_ROWS, memory // ROW_BYTES)
    if rows > most:
        raise ConfigError(
            f"{table}: at most {most:,} rows fit on this machine ({memory / 2**30:.0f} GiB of memory), found "
            f"{rows:,}. Ask for fewer: lower --scale (sampling.scale) or --rows (sampling.rows)."
        )


def systematic(available: int, wanted: int, rng: np.random.Generator, kind: np.ndarray | None = None) -> np.ndarray:
    """Return ``wanted`` numbers below ``available`` in random order, each equally often up to one.

    Those that come once more are spread evenly over ``kind``, so that shares of kinds are kept.

    >>> np.bincount(systematic(3, 7, np.random.default_rng(0))).tolist() in ([3, 2, 2], [2, 3, 2], [2, 2, 3])
    True

    Shape:
        kind: (available,) number by which rows are ordered, or None.
    """
    if available == 0:
        return np.empty(0, dtype=np.int64)
    whole, rest = divmod(wanted, available)
    order = rng.permutation(available)
    if kind is not None:
        order = order[np.argsort(kind[order], kind="stable")]
    spread = ((np.arange(rest) + rng.random()) * (available / max(rest, 1))).astype(np.int64)
    extra = order[np.minimum(spread, available - 1)]
    return rng.permutation(np.concatenate([np.tile(np.arange(available), whole), extra]).astype(np.int64))


def systematic_ordered(available: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``wanted`` numbers below ``available``, each equally often up to one a round, ascending in each round.

    There are as many rounds as ``available`` fits whole into ``wanted``: rows whose order means something (the hours
    of a month) keep it.
    """
    if available == 0 or wanted == 0:
        return np.empty(0, dtype=np.int64)
    rounds = max(1, wanted // available)
    size = wanted // rounds + (np.arange(rounds) < wanted % rounds)
    place = np.arange(wanted) - np.repeat(np.cumsum(size) - size, size)
    offset = np.repeat(rng.random(rounds), size)
    drawn = ((place + offset) * (available / np.repeat(size, size))).astype(np.int64)
    return np.minimum(drawn, available - 1)


def systematic_weighted(weights: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``wanted`` indices in random order, index ``i`` about ``wanted * weights[i] / sum`` times (within one).

    Shape:
        (wanted,) int64.
    """
    total = float(weights.sum())
    if wanted == 0 or total <= 0:
        return np.empty(0, dtype=np.int64)
    ends = np.cumsum(weights, dtype=np.float64) * (wanted / total)
    place = np.searchsorted(ends, np.arange(wanted) + rng.random(), side="right")
    # Rounding can push the last point past the last end.
    last = int(np.flatnonzero(weights)[-1])
    return rng.permutation(np.minimum(place, last)).astype(np.int64)


def rounded(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return whole numbers with the sum of ``values`` (within one), each its own value rounded up or down."""
    ends = np.floor(np.cumsum(values, dtype=np.float64) + rng.random())
    return np.diff(np.concatenate([[0.0], ends])).astype(np.int64)
