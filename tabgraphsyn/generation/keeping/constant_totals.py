"""Rows of a parent that add up to one number: other made values where they fit, the rest shared out evenly."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.rules.family_kinds import FamilyTotal, aggregate
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.generation.keeping.rule_rows import RuleRows

MOVES = 3
"""How often rows of a family that are alike take another value together."""
ASKED = 512
"""Sets of alike rows of a family that may move, at most: in a large one of them there are others enough."""
CHOICE = 256
"""Values that they choose from, at most."""
FEW = 50
"""Distinct values of a column, at most, that say which rows are of one kind."""
NEARER = 0.01
"""What a far value costs beside what stays missing."""
ROUNDS = 32
"""How often units are shared out among the rows that have room for them."""


def keep_family_total(rule: FamilyTotal, rows: RuleRows, family: np.ndarray) -> None:
    """Let the rows of each family add up to the rule's total.

    First some rows take another value that a row of their kind was made with: most rows then stay as they were drawn.
    Rows of a family that are alike stay alike. What is still missing moves all values by the same amount or, where none
    is below zero, by the same factor, within the least and the largest value made where that can be; what rounding
    leaves goes in single units to rows of the value that most rows of the family hold.

    Args:
        rule: it.
        rows: all rows of the table; changed.
        family: (rows,) number of the parent, negative for none.
    """
    add_up(rule.column.column, rows, family, np.full(int(family.max(initial=-1)) + 1, rule.total), rule.tolerance)


def add_up(
    name: str,
    rows: RuleRows,
    family: np.ndarray,
    totals: np.ndarray,
    tolerance: float,
    bounds: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Let the rows of each family add up to a total of its own, as ``keep_family_total`` says.

    Args:
        name: the column.
        rows: all rows of the table; changed.
        family: (rows,) number of the parent, negative for none.
        totals: (parents,) float64, NaN for any.
        tolerance: how far a family may be off.
        bounds: the least and the largest value of each row, (rows,) each, NaN for any.
    """
    value = rows.numbers(Operand(name))
    asked = family >= 0
    asked[asked] = ~np.isnan(totals[family[asked]])
    here = np.flatnonzero(asked & ~np.isnan(value))
    if not len(here):
        return
    owners, owner = np.unique(family[here], return_inverse=True)
    drawn, wanted = value[here], totals[owners]
    low, high = np.full(len(here), drawn.min()), np.full(len(here), drawn.max())
    if bounds is not None:
        low, high = np.fmax(low, bounds[0][here]), np.fmin(high, bounds[1][here])
    decimals = rows.decimals(name)
    near = max(tolerance, 0.0 if decimals is None else 0.5 * 10.0**-decimals)
    made = _exchanged(drawn, owner, _kinds(rows, name)[here], wanted, near)
    made = _moved(made, owner, wanted, float(drawn.min()))
    if decimals is not None:
        made = _in_units(np.clip(made, low, high), owner, wanted, 10.0**-decimals, (low, high))
    found = value.copy()
    found[here] = made
    rows.put_numbers(name, found, np.isfinite(found) & ~(np.abs(found - value) < tolerance / len(here)))


def _kinds(rows: RuleRows, name: str) -> np.ndarray:
    """Return a number for each row, the same where all its other columns of few values are the same, (rows,) int64."""
    own = [one for one in rows.attributes if one != name]
    codes = [column_codes(rows.column(one), null_code=True) for one in own]
    few = [one for one in codes if len(one) and one.max() < FEW]
    return tuple_codes(few) if few else np.zeros(rows.count, dtype=np.int64)


def _exchanged(value: np.ndarray, owner: np.ndarray, kind: np.ndarray, wanted: np.ndarray, near: float) -> np.ndarray:
    """Return values that nearly add up to what is wanted of each family, (families,), taken from rows of the same kind.

    All others are (rows,).
    """
    _, kind = np.unique(kind, return_inverse=True)
    pairs = np.unique(np.stack([kind, value], axis=1), axis=0)
    opens = np.flatnonzero(np.diff(pairs[:, 0])) + 1
    pools = [one[:: max(1, -(-len(one) // CHOICE))] for one in np.split(pairs[:, 1], opens)]
    made, order = value.copy(), np.argsort(owner, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
        own, kinds = made[rows], kind[rows]
        for _ in range(MOVES):
            lack = wanted[owner[rows[0]]] - own.sum()
            if abs(lack) <= near:
                break
            alike, which, count = np.unique(np.stack([kinds, own], 1), axis=0, return_inverse=True, return_counts=True)
            asked = np.arange(0, len(alike), max(1, -(-len(alike) // ASKED)))
            choice = [pools[int(one)] for one in alike[asked, 0]]
            group = np.repeat(asked, [len(one) for one in choice])
            other = np.concatenate(choice)
            step = (other - alike[group, 1]) * count[group]
            cost = np.abs(lack - step) + NEARER * np.abs(step)
            best = int(cost.argmin())
            if cost[best] >= abs(lack):
                break
            own = np.where(which.ravel() == group[best], other[best], own)
        made[rows] = own
    return made


def _moved(value: np.ndarray, owner: np.ndarray, wanted: np.ndarray, low: float) -> np.ndarray:
    """Return values that add up to what is wanted of each family, (families,); the others are (rows,)."""
    total = aggregate("sum", value, owner, int(owner.max()) + 1)
    count = np.bincount(owner)
    evenly = value + ((wanted - total) / count)[owner]
    if low < 0:
        return evenly
    scaled = value * (wanted / np.where(total > 0, total, 1.0))[owner]
    return np.where((total > 0)[owner] & (wanted > 0)[owner], scaled, evenly)


def _in_units(
    value: np.ndarray, owner: np.ndarray, wanted: np.ndarray, unit: float, bounds: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return values in whole units within (rows,) bounds, what is missing shared out where there is room."""
    low = np.ceil(bounds[0] / unit - 1e-6).astype(np.int64)
    high = np.floor(bounds[1] / unit + 1e-6).astype(np.int64)
    goal = np.rint(wanted / unit).astype(np.int64)
    made = np.rint(value / unit).astype(np.int64)
    families = int(owner.max()) + 1
    for left in reversed(range(ROUNDS)):
        lack = goal - np.bincount(owner, weights=made, minlength=families).astype(np.int64)
        room = np.where(lack[owner] > 0, high - made, made - low) if left else np.abs(lack)[owner]
        room = np.maximum(room, 0) * (lack[owner] != 0)
        free = np.bincount(owner, weights=room > 0, minlength=families).astype(np.int64)
        if not lack.any():
            break
        each, rest = np.divmod(np.abs(lack), np.maximum(free, 1))
        has_room = np.flatnonzero(room > 0)
        turn = _turns(made[has_room], owner[has_room])
        steps = np.zeros(len(made), dtype=np.int64)
        steps[has_room] = each[owner[has_room]] + (turn < rest[owner[has_room]])
        made += np.sign(lack)[owner] * np.minimum(steps, room)
    return made * unit


def _turns(value: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return each row's place in its family, rows of the most frequent value first, (rows,) int64."""
    _, pair, count = np.unique(np.stack([owner, value], axis=1), axis=0, return_inverse=True, return_counts=True)
    order = np.lexsort((value, -count[pair.ravel()], owner))
    opens = np.flatnonzero(np.diff(owner[order], prepend=-1))
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(opens, np.diff(np.append(opens, len(order))))
    return turn
