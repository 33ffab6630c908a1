"""Tuples of foreign keys without repetition."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.data.codes import tuple_codes, tuple_codes_of_both
from tabgraphsyn.data.pointers import rank_within
from tabgraphsyn.generation.structure.attach import Attachment

SWAP_PASSES = 20
REDRAW_PASSES = 20


def repeated(codes: np.ndarray) -> np.ndarray:
    """Return True for each row whose code an earlier row has; negative codes never repeat."""
    order = np.argsort(codes, kind="stable")
    again = np.empty(len(codes), dtype=bool)
    again[order] = rank_within(codes[order]) > 0
    return again & (codes >= 0)


def repair_unique(
    pointers: list[np.ndarray],
    place: int,
    item: Attachment | None,
    kept: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return new pointers of the movable relation, and per row whether its tuple is now unique.

    Repeated rows first swap parents with other rows, which leaves every parent's number of children as it is; what
    then still repeats draws another parent; the rest is reported as not unique.

    Args:
        pointers: the relations of the tuple.
        place: index of the movable relation.
        item: conditions of the movable relation; None where none may move.
        kept: rows that count.
        rng: randomness.
    """
    if item is not None:
        row_code, parent_code = item.codes(item.conditions)
        for swap in (True, False):
            for _ in range(SWAP_PASSES if swap else REDRAW_PASSES):
                codes = np.where(kept, tuple_codes(pointers), -1)
                rows = np.flatnonzero(repeated(codes))
                if not len(rows):
                    break
                step = _swap if swap else _redraw
                moved = step(pointers, place, rows, codes, row_code, parent_code, rng)
                pointers = [*pointers[:place], moved, *pointers[place + 1 :]]
    codes = np.where(kept, tuple_codes(pointers), -1)
    return pointers[place], ~repeated(codes)


def _is_new(proposed: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return True where a proposed code is held by no row and proposed once only."""
    ordered = np.sort(codes)
    spot = np.minimum(np.searchsorted(ordered, proposed), len(ordered) - 1)
    return (ordered[spot] != proposed) & ~repeated(proposed)


def _swap(
    pointers: list[np.ndarray],
    place: int,
    rows: np.ndarray,
    codes: np.ndarray,
    row_code: np.ndarray,
    parent_code: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Swap parents with partners under the same conditions where both tuples become new."""
    by_code = rng.permutation(len(row_code))
    by_code = by_code[np.argsort(row_code[by_code], kind="stable")]
    low = np.searchsorted(row_code[by_code], row_code[rows], side="left")
    high = np.searchsorted(row_code[by_code], row_code[rows], side="right")
    partners = by_code[low + rng.integers(0, high - low)]
    # A row takes part in one swap at most, and null keys and left-out rows in none.
    usable = (codes[partners] >= 0) & ~np.isin(partners, rows)
    first = np.zeros(len(partners), dtype=bool)
    first[np.unique(partners, return_index=True)[1]] = True
    rows, partners = rows[usable & first], partners[usable & first]
    if not len(rows):
        return pointers[place]
    both = np.concatenate([rows, partners])
    swapped = pointers[place][np.concatenate([partners, rows])]
    proposed = [swapped if index == place else pointer[both] for index, pointer in enumerate(pointers)]
    new, old = tuple_codes_of_both(proposed, pointers)
    good = _is_new(new, old)
    good = good[: len(rows)] & good[len(rows) :]
    moved = pointers[place].copy()
    moved[rows[good]], moved[partners[good]] = pointers[place][partners[good]], pointers[place][rows[good]]
    return moved


def _redraw(
    pointers: list[np.ndarray],
    place: int,
    rows: np.ndarray,
    codes: np.ndarray,
    row_code: np.ndarray,
    parent_code: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw another parent that meets the same conditions as the present one, where the tuple becomes new."""
    by_code = np.argsort(parent_code, kind="stable")
    ordered = parent_code[by_code]
    present = parent_code[pointers[place][rows]]
    low = np.searchsorted(ordered, present, side="left")
    high = np.searchsorted(ordered, present, side="right")
    drawn = by_code[low + rng.integers(0, high - low)]
    # The parent of another row comes in proportion to its children, which keeps large parents large.
    borrowed = pointers[place][rng.integers(0, len(codes), len(rows))]
    fits = (borrowed >= 0) & (parent_code[np.maximum(borrowed, 0)] == present) & (rng.random(len(rows)) < 0.8)
    drawn = np.where(fits, borrowed, drawn)
    proposed = [drawn if index == place else pointer[rows] for index, pointer in enumerate(pointers)]
    new, old = tuple_codes_of_both(proposed, pointers)
    good = _is_new(new, old)
    moved = pointers[place].copy()
    moved[rows[good]] = drawn[good]
    return moved
