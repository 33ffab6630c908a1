"""Boxes of rows that hold enough entities each, and what is drawn from them: when one comes, how long one stays."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.data.pointers import rank_within
from tabgraphsyn.generation.structure.entities import systematic_weighted

BOXES_MAX = 2_000
BOX = ("first from", "first to", "share from", "share to", "rows from", "rows to", "count")
"""From when, in how many of a hundred events from then until they leave, and how often they take part."""


def boxes(facts: np.ndarray, entity: np.ndarray, least: int) -> np.ndarray:
    """Return boxes of rows with their bounds and numbers of rows, (boxes, 2 * facts + 1) int64.

    A box that can be is cut at the median of what differs most in it (Mondrian, LeFevre et al. 2006).

    Args:
        facts: (rows, facts) int64.
        entity: (rows,) int64.
        least: entities in a box.
    """
    scale = np.maximum(facts.std(axis=0), 1e-9)
    least = max(least, len(facts) // BOXES_MAX)
    waiting, done = [np.arange(len(facts))], []
    while waiting:
        inside = waiting.pop()
        parts = _halves(facts[inside], entity[inside], scale, least)
        if parts is None:
            low, high = facts[inside].min(axis=0), facts[inside].max(axis=0)
            done.append([*np.stack([low, high], axis=1).reshape(-1).tolist(), len(inside)])
        else:
            waiting += [inside[parts], inside[~parts]]
    return np.array(sorted(done), dtype=np.int64)


def present(first: np.ndarray, last: np.ndarray, moments: int) -> np.ndarray:
    """Return how many are there in each moment, (moments,) int64, from first and last moments, (parents,) each."""
    come, go = (np.bincount(one, minlength=moments + 1) for one in (first, last + 1))
    return np.asarray(np.cumsum(come - go)[:moments])


def _halves(facts: np.ndarray, entity: np.ndarray, scale: np.ndarray, least: int) -> np.ndarray | None:
    """Return which rows are in the lower half of a box, (rows,) bool; None where no half would hold enough entities."""
    for at in np.argsort(-(np.ptp(facts, axis=0) / scale), kind="stable").tolist():
        middle = np.sort(facts[:, at])[len(facts) // 2]
        for lower in (facts[:, at] < middle, facts[:, at] <= middle):
            if min(len(np.unique(entity[lower])), len(np.unique(entity[~lower]))) >= least:
                return np.asarray(lower)
    return None


def between(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a whole number from ``low`` to ``high`` each, (n,) int64."""
    return low + (rng.random(len(low)) * (high - low + 1)).astype(np.int64)


def one_after_another(
    first: np.ndarray, last: np.ndarray, present: np.ndarray, begin: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return stays moved so that in each moment about as many are there as in real ones, (parents,) int64 both.

    Who comes by chance comes when somebody is missing: a race has as many starters as ever.

    Args:
        first, last: (parents,) int64.
        present: (moments,) int64, how many real ones are there.
        begin, end: the first and the last moment of all.
    """
    length, moments = last - first, len(present)
    wanted = np.zeros(moments)
    wanted[begin : end + 1] = np.maximum(present[begin : end + 1], 1)
    wanted *= float((length + 1).sum()) / wanted.sum()
    order = np.argsort(first, kind="stable")
    leaves, there, place = np.zeros(moments + 1, dtype=np.int64), 0, 0
    moved = first.copy()
    for moment in range(begin, end + 1):
        there -= leaves[moment]
        come = order[place : place + max(round(float(wanted[moment])) - there, 0)]
        moved[come] = moment
        place, there = place + len(come), there + len(come)
        leaves += np.bincount(np.minimum(moment + length[come] + 1, moments), minlength=moments + 1)
    return moved, np.minimum(moved + length, end)


def evenly_between(low: np.ndarray, high: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a whole number from ``low`` to ``high`` each, (n,) int64, those of a group evenly apart."""
    order = np.lexsort((rng.random(len(group)), group))
    place = np.empty(len(group))
    place[order] = rank_within(group[order])
    size = np.bincount(group)[group] if len(group) else place
    return np.minimum(low + ((place + rng.random(len(group))) / size * (high - low + 1)).astype(np.int64), high)


def box_of(boxes: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a box for each who takes part so often, (parents,) int64: one of those that hold the number."""
    found = np.zeros(len(rows), dtype=np.int64)
    low, high = boxes[:, 4], boxes[:, 5]
    for often in np.unique(rows):
        here = np.flatnonzero(rows == often)
        apart = np.maximum(low - often, often - high).clip(0)
        weight = np.where(apart == apart.min(), boxes[:, 6] / (high - low + 1), 0)
        found[here] = systematic_weighted(weight, len(here), rng)
    return found


def spread(
    first: np.ndarray, last: np.ndarray, often: np.ndarray, total: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return who takes part and in which moment, (times,) int64 both: evenly over the rows of the time of each.

    Args:
        first, last: (parents,) int64.
        often: (parents,) int64, how often each takes part.
        total: (moments + 1,) int64, rows before each moment.
        rng: draws where each begins.
    """
    low, high = total[first], total[last + 1]
    often = np.where(high > low, often, 0)
    who = np.repeat(np.arange(len(often)), often)
    step = (rank_within(who) + rng.random(len(often))[who]) / np.maximum(often, 1)[who]
    at = np.searchsorted(total, low[who] + step * (high - low)[who], side="right") - 1
    return who, np.clip(at, 0, len(total) - 2)
