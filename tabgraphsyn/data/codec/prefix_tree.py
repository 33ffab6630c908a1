"""How far short codes share how they begin: a tree of characters with enough entities behind each branch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec.pattern import CLASSES
from tabgraphsyn.data.counts import ValueCounts

LENGTH_MAX = 24
SHAPES_MAX = 32
COVERED = 0.9
"""Share of the rows whose codes are of a shape that enough entities have, at least."""
LEVELS_MAX = 256
"""Beginnings that a column has, at most: each holds so large a share of the rows."""
OPEN_MIN = 2
"""Characters that are left to be drawn after a beginning, at least; or it is a whole code."""
LIKE_SHAPES_MAX = 4
"""Shapes of one length; where digits and letters stand in more ways they are mixed at random."""
PROBED = 4
"""Positions from the front of which one must depend on the one before: codes of random characters have no tree."""
SIGNIFICANT = 4.0
_SHAPE = str.maketrans({one: chars[-1] for chars in CLASSES for one in chars})


@dataclass(frozen=True)
class Beginnings:
    """What the distinct codes of a column begin with.

    Shape:
        texts: (distinct,) str. shape: (distinct,) number of each one's shape, -1 for a rare one. depth: (distinct,)
        how many characters of each are kept, -1 where not even its shape is.

    Attributes:
        shapes: the shapes, ``99999``.
    """

    texts: np.ndarray
    shape: np.ndarray
    depth: np.ndarray
    shapes: tuple[str, ...]

    def stems(self, values: ValueCounts) -> list[tuple[int, str, int]]:
        """Return shape, beginning and number of codes of each level, those of most rows first."""
        kept = np.flatnonzero(self.depth >= 0)
        keys = [(int(self.shape[one]), str(self.texts[one])[: self.depth[one]]) for one in kept]
        rows: dict[tuple[int, str], list[int]] = {}
        for key, one in zip(keys, kept.tolist(), strict=True):
            rows.setdefault(key, []).append(int(values.counts[one]))
        ordered = sorted(rows, key=lambda key: (-sum(rows[key]), key))
        return [(*key, _population(sum(rows[key]), len(rows[key]))) for key in ordered]

    def positions(self) -> list[list[tuple[str, np.ndarray]]]:
        """Return per shape and position its characters, and which one each code has, (distinct,), -1 for none."""
        found = []
        for number, pattern in enumerate(self.shapes):
            own = np.flatnonzero(self.shape == number)
            of_shape = []
            for at, mark in enumerate(pattern):
                characters = next((one for one in CLASSES if mark in one), mark)
                place = np.full(len(self.texts), -1)
                place[own] = [characters.index(self.texts[one][at]) for one in own]
                of_shape.append((characters, place))
            found.append(of_shape)
        return found


def beginnings(values: ValueCounts, least: int) -> Beginnings | None:
    """Return the tree of a column's codes; None where it has none: long, all different, of many shapes, or random.

    Args:
        values: the distinct codes, texts or whole numbers.
        least: entities that must stand behind a beginning, and behind what is left of it beside longer ones.
    """
    texts = np.asarray(values.distinct.cast(pa.string()).to_pylist(), dtype=object)
    if not len(texts) or values.counts.max() == 1 or max(map(len, texts)) > LENGTH_MAX or min(map(len, texts)) < 1:
        return None
    patterns, shape = np.unique([text.translate(_SHAPE) for text in texts], return_inverse=True)
    total = values.counts.sum()
    is_held = _enough(values, shape, len(patterns), least, 0)
    if not is_held.any() or is_held.sum() > SHAPES_MAX or values.counts[is_held[shape]].sum() < COVERED * total:
        return None
    number = np.where(is_held, np.cumsum(is_held) - 1, -1)
    found = Beginnings(texts, number[shape], np.where(is_held[shape], 0, -1), tuple(patterns[is_held].tolist()))
    lengths = np.asarray([len(one) for one in found.shapes])
    if np.bincount(lengths).max() > LIKE_SHAPES_MAX:
        return None
    if any(_depends(found, number) for number in range(len(found.shapes))):
        found = _grown(found, values, least, int(np.ceil(total / LEVELS_MAX)))
    return found if len(np.unique(_keys(found.shape, found.texts, found.depth))) > 1 else None


def _grown(found: Beginnings, values: ValueCounts, least: int, rows: int) -> Beginnings:
    """Return the tree with every beginning that enough hold, and what too few hold counted to the one before it."""
    depth = found.depth.copy()
    lengths = np.asarray([len(text) for text in found.texts])
    for length in range(1, int(lengths.max()) + 1 - OPEN_MIN):
        is_open = np.flatnonzero((depth == length - 1) & (lengths - length >= OPEN_MIN))
        if len(is_open):
            depth[is_open[_held(found, values, is_open, np.full(len(is_open), length), least, rows)]] = length
    is_whole = (depth >= 0) & values.held_by(least) & (values.counts >= rows)
    depth[is_whole] = lengths[is_whole]
    for length in range(int(lengths.max()), -1, -1):
        here = np.flatnonzero((depth == length) & ~is_whole)
        if len(here):
            depth[here[~_held(found, values, here, depth[here], least, rows)]] = length - 1
    return Beginnings(found.texts, found.shape, depth, found.shapes)


def _held(
    found: Beginnings, values: ValueCounts, chosen: np.ndarray, depth: np.ndarray, least: int, rows: int
) -> np.ndarray:
    """Return which of the chosen codes, (chosen,), begin with what enough of them do, (chosen,) bool."""
    keys = _keys(found.shape[chosen], found.texts[chosen], depth)
    names, group = np.unique(keys, return_inverse=True)
    mask = np.zeros(len(found.texts), dtype=bool)
    mask[chosen] = True
    return np.asarray(_enough(values.kept(mask), group, len(names), least, rows)[group])


def _keys(shape: np.ndarray, texts: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return shape and beginning of (codes,) as (codes,) texts."""
    parts = zip(shape.tolist(), texts.tolist(), depth.tolist(), strict=True)
    return np.asarray([f"{one} {text[: max(size, 0)]}" for one, text, size in parts], dtype=np.str_)


def _enough(values: ValueCounts, group: np.ndarray, groups: int, least: int, rows: int) -> np.ndarray:
    """Return which groups of distinct values, (values,), enough entities and rows hold, (groups,) bool."""
    counted = np.bincount(group, weights=values.counts, minlength=groups)
    held = counted >= max(least, rows)
    if values.entity is not None and least > 1:
        held &= values.holders_of(group, groups, least)[:, -1] >= 0
    return np.asarray(held)


def _depends(found: Beginnings, shape: int) -> bool:
    """Return whether a character near the front depends on the one before it, among the codes of a shape."""
    texts = found.texts[found.shape == shape]
    width = min(len(found.shapes[shape]), PROBED + 1)
    letters = np.asarray([text[:width] for text in texts], dtype=f"U{width}")
    characters = np.ascontiguousarray(letters).view("U1").reshape(len(texts), width)
    return any(_dependent(one, other) for one, other in zip(characters.T[:-1], characters.T[1:], strict=True))


def _dependent(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two characters, (codes,) each, depend on each other: chi-square over cells that may be filled.

    Each code counts once: repeats are no evidence of what codes look like.
    """
    rows, row = np.unique(one, return_inverse=True)
    columns, column = np.unique(other, return_inverse=True)
    table = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns)).reshape(len(rows), -1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / max(table.sum(), 1)
    is_judged = expected >= 1
    freedom = (len(rows) - 1) * (len(columns) - 1) * is_judged.mean()
    if freedom < 1:
        return False
    statistic = float((((table - expected) ** 2 / expected.clip(1e-9))[is_judged]).sum())
    return statistic > freedom + SIGNIFICANT * np.sqrt(2 * freedom)


def common(position: tuple[str, np.ndarray], values: ValueCounts, least: int) -> tuple[str, tuple[float, ...]]:
    """Return the characters of a position and a weight of each; those that few hold share theirs evenly.

    Args:
        position: the characters, and (distinct,) which one each code has, -1 for codes of another shape.
        values: the codes.
        least: entities that must hold a character there for a weight of its own.
    """
    characters, place = position
    here = place >= 0
    counted = np.bincount(place[here], weights=values.counts[here], minlength=len(characters))
    is_held = _enough(values.kept(here), place[here], len(characters), least, 0)
    # A zero that no number begins with is not drawn.
    few = ~is_held & ((counted > 0) | (np.asarray(list(characters)) != "0"))
    rest = float(counted[~is_held].sum())
    weights = np.where(is_held, counted, rest / max(few.sum(), 1) * few)
    return characters, tuple(np.round(weights, 3).tolist())


def _population(rows: int, distinct: int) -> int:
    """Return of how many equally likely codes so many rows would show so many different ones; 0: of any number.

    >>> _population(8, 8), _population(100, 10), _population(20, 15)
    (0, 10, 32)
    """
    if distinct >= rows:
        return 0
    low, high = float(distinct), 1e9
    for _ in range(80):
        middle = (low + high) / 2
        shown = middle * -np.expm1(rows * np.log1p(-1 / middle)) if middle > 1 else 1.0
        low, high = (middle, high) if shown < distinct else (low, middle)
    return max(round(high), 1)
