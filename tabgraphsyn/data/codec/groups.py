"""Values that nobody holds alone: groups of neighbouring numbers that at least ``k`` entities share.

A codec is shipped with a bundle. What it says of the real data must not be a value of one person, nor how often that
value occurs; so it speaks of groups: a number that ``k`` entities hold is a group by itself (a *tie*), others are put
together with their neighbours until ``k`` entities hold one of them (a *range*). Between two ranges it names a number
between the last value of one and the first of the other; what lies beyond the outermost of these is drawn in to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.counts import ValueCounts

OFF_MIDDLE = 0.48372183649
"""Where between two neighbours an end lies: not in the middle, nor at any place that a number of few digits has."""
BINS = 290
"""Values that are no ties are looked at in about this many bins at most: a codec stays small, and a million fast."""


@dataclass(frozen=True)
class Group:
    """Neighbouring values: places ``first`` to ``last`` among the distinct ones, held by ``rows`` rows.

    ``tie`` is the place of the value that stands for all of them, or -1 for a range.
    """

    first: int
    last: int
    rows: int
    tie: int = -1


def groups(values: ValueCounts, min_entities: int, max_ties: int) -> list[Group]:
    """Return groups of sorted distinct values, each held by ``min_entities`` entities; none where all together fail.

    Rare values beside a tie count as the tie: between two frequent values they would tell how often they occur.

    Args:
        values: distinct numbers in order.
        min_entities: least number of entities of a group.
        max_ties: most values that are groups by themselves: the most frequent ones.
    """
    found: list[Group] = []
    pending: Group | None = None
    held: set[int] = set()
    for cell, entities in _cells(values, min_entities, max_ties):
        if cell.tie >= 0:
            first, rows = (cell.first, cell.rows) if pending is None else (pending.first, pending.rows + cell.rows)
            found.append(Group(first, cell.last, rows, cell.tie))
            pending, held = None, set()
            continue
        held |= entities
        pending = cell if pending is None else Group(pending.first, cell.last, pending.rows + cell.rows)
        if len(held) >= min_entities:
            found.append(pending)
            pending, held = None, set()
    if pending is not None and found:
        last = found.pop()
        found.append(Group(last.first, pending.last, last.rows + pending.rows, last.tie))
    return found


def _cells(values: ValueCounts, min_entities: int, max_ties: int) -> Iterator[tuple[Group, set[int]]]:
    """Yield ties and bins of other values in order, the latter with the entities that hold one of their values."""
    counts, is_tie = values.counts, values.held_by(min_entities)
    if is_tie.sum() > max_ties:
        frequent = np.argsort(-np.where(is_tie, counts, 0), kind="stable")[:max_ties]
        outermost = [place for place in (0, len(counts) - 1) if is_tie[place]]
        is_tie = np.isin(np.arange(len(counts)), [*frequent.tolist(), *outermost])
    size = max(1, int(counts[~is_tie].sum()) // BINS)
    rows_before = np.cumsum(np.where(is_tie, 0, counts)) - counts
    # A bin ends at a tie, and where enough rows are in it.
    cell = np.cumsum(np.concatenate([[0], (is_tie[1:] | is_tie[:-1] | (np.diff(rows_before // size) > 0)).astype(int)]))
    starts = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]]))
    ends = np.append(starts[1:], len(counts))
    entities = values.holders_of(cell, len(starts), min_entities)
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        rows = int(counts[start:end].sum())
        if is_tie[start]:
            yield Group(start, end - 1, rows, start), set()
        else:
            yield Group(start, end - 1, rows), set(entities[number].tolist()) - {-1}


@dataclass(frozen=True)
class Knots:
    """A coarse distribution function: ``value`` has the ranks from ``low`` to ``high`` (equal for an end of a range).

    Attributes:
        values, low, high: (knots,) float64, ascending.
        ties: (ties,) float64, values that enough entities hold.
    """

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ties: np.ndarray


def knots(values: ValueCounts, numbers: np.ndarray, min_entities: int, max_ties: int, grain: float | None) -> Knots:
    """Return the coarse distribution function of some values.

    Args:
        values: distinct values in order.
        numbers: the same values as floats.
        min_entities, max_ties: see ``groups``.
        grain: where not even two groups can be made, bounds are rounded outwards to multiples of this; None for the
            power of ten above the largest magnitude.
    """
    found = groups(values, min_entities, max_ties)
    ranks = np.cumsum([0, *(one.rows for one in found)]) / max(sum(one.rows for one in found), 1)
    points: list[tuple[float, float, float]] = []
    for number, one in enumerate(found):
        if one.tie >= 0:
            points.append((float(numbers[one.tie]), ranks[number], ranks[number + 1]))
        after = found[number + 1] if number + 1 < len(found) else None
        if after is not None and min(one.tie, after.tie) < 0:
            points.append((_middle(numbers, one.last), ranks[number + 1], ranks[number + 1]))
    ties = np.array([numbers[one.tie] for one in found if one.tie >= 0], dtype=np.float64)
    if len(points) < 2 and not len(ties):
        low, high = coarse_bounds(float(numbers[0]), float(numbers[-1]), grain)
        points = [(low, 0.0, 0.0), *points, (high, 1.0, 1.0)]
    value, below, upto = (np.array(part, dtype=np.float64) for part in zip(*points, strict=True))
    # The outermost ranges end where they begin: what lies further out is the value of a few.
    if not len(found) or found[0].tie < 0:
        below[0] = upto[0] = 0.0
    if not len(found) or found[-1].tie < 0:
        below[-1] = upto[-1] = 1.0
    return Knots(value, below, upto, ties)


def _middle(numbers: np.ndarray, place: int) -> float:
    low, high = float(numbers[place]), float(numbers[place + 1])
    return low + (high - low) * OFF_MIDDLE


def coarse_bounds(low: float, high: float, grain: float | None) -> tuple[float, float]:
    """Return bounds that tell no value: multiples of ``grain`` around it, or of the power of ten above.

    >>> coarse_bounds(120.0, 340.0, None)
    (0.0, 1000.0)
    >>> coarse_bounds(-3.0, 5.0, None)
    (-10.0, 10.0)
    """
    largest = max(abs(low), abs(high))
    if grain is None:
        grain = 10.0 ** (math.floor(math.log10(largest)) + 1) if largest > 0 else 1.0
    first, last = math.floor(low / grain) * grain, math.ceil(high / grain) * grain
    return (first, last) if first < last else (first, first + grain)


GRID_STEPS = 10


def outward(first: int, last: int, step: int) -> tuple[int, int]:
    """Return start and number of steps of a grid that tells neither end of ``first .. last``.

    It begins before the one and ends after the other, at multiples of ten steps. All values share the phase: it stays.

    >>> outward(1_003, 1_048, 5)
    (953, 30)
    """
    phase = first % step
    low = ((first - phase) // step - 1) // GRID_STEPS * GRID_STEPS
    high = -(-((last - phase) // step + 1) // GRID_STEPS) * GRID_STEPS
    return phase + low * step, high - low + 1


def drawn_in(numbers: np.ndarray, entities: np.ndarray | None, min_entities: int) -> tuple[float, float]:
    """Return bounds of some numbers that are no person's: beyond each of them ``min_entities`` entities lie.

    Args:
        numbers: (rows,) values.
        entities: (rows,) the entity of each row, None where every row is one.
    """
    if min_entities <= 1:
        return float(numbers.min()), float(numbers.max())
    order = np.argsort(numbers, kind="stable")
    ends = []
    for towards in (order, order[::-1]):
        part = towards if entities is None else towards[np.sort(np.unique(entities[towards], return_index=True)[1])]
        if len(part) <= min_entities:
            return coarse_bounds(float(numbers.min()), float(numbers.max()), None)
        inner, outer = float(numbers[part[min_entities]]), float(numbers[part[min_entities - 1]])
        ends.append(outer + (inner - outer) * OFF_MIDDLE)
    return (ends[0], ends[1]) if ends[0] <= ends[1] else (ends[1], ends[0])
