"""Rows that repeat the values of another although a rule says that they never do: they take other made values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tabgraphsyn.data.codes import MISSING, column_codes, tuple_codes
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Fixed, Unique
from tabgraphsyn.generation.keeping.rule_rows import RuleRows
from tabgraphsyn.generation.keeping.similar_rows import Alike

_ROUNDS = 30
_TRIES = 4
"""Draws among rows that are alike, before those are asked that are less so."""
_STEP = 1000


def keep_unique(
    rule: Unique,
    rows: RuleRows,
    pointers: Mapping[str, np.ndarray],
    protected: frozenset[str],
    rng: np.random.Generator,
    avoided: frozenset[str] = frozenset(),
    of_rows: Sequence[Rule] = (),
) -> None:
    """Change one column of rows that repeat others: to the value of a row like them, else to the nearest free number.

    Rows are alike that share the keys and columns that tell most of the value: a flight takes the number of one to the
    same place. Values are drawn as often as rows hold them, so the column keeps its distribution as far as there is
    room; of any row where those alike have none to give. Numbers
    that no row holds, an hour at which nothing happens, come only where a group holds all that there are.

    Args:
        rule: about own columns, keys among them.
        rows: all of a table, changed in place.
        pointers: relation name -> (rows,) number of the parent, negative for none.
        protected: columns that stay.
        rng: chooses.
        avoided: columns that change where no other may: what a rule computes.
        of_rows: rules about single rows: what fixes the column, and what that fixes, changes with it.
    """
    free = [one.column for one in rule.columns if one.is_own and one.column not in protected]
    free = [one for one in free if one not in avoided] or free
    if not free:
        return
    codes = {one.column: column_codes(rows.column(one.column), null_code=False) for one in rule.columns}
    name = max(free, key=lambda one: int(codes[one].max(initial=-1)))
    others = [codes[one.column] for one in rule.columns if one.column != name]
    if rule.relation is not None:
        others.append(np.maximum(pointers[rule.relation], MISSING))
    group = tuple_codes(others, rows=rows.count) if others else np.zeros(rows.count, dtype=np.int64)
    value = codes[name].copy()
    asked = (group >= 0) & (value >= 0)
    source = np.arange(rows.count)
    again = _repeated(group, value, asked, source)
    if len(again):
        alike = Alike(codes[name], _others(rule, rows, pointers), rng)
        for turn in range(_ROUNDS):
            source[again] = alike.drawn(again, min(turn // _TRIES, alike.circles - 1), rng)
            value[again] = codes[name][source[again]]
            again = _repeated(group, value, asked, source)
            if not len(again):
                break
    if len(again):
        again = _to_free(rows.numbers(Operand(name)), codes[name], group, value, asked, again, source)
    source[again] = again  # what found no room keeps its own value, or moves to a number of its own
    together = going_with(name, of_rows, protected | ({one.column for one in rule.columns} - {name}))
    for each in sorted(together):
        rows.take(each, source, source != np.arange(rows.count))
    if len(again) and together == {name}:
        _move(name, rows, group, again)


def _others(rule: Unique, rows: RuleRows, pointers: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return what may say which rows are alike, (rows,) int64 each: keys, and columns that the rule does not name."""
    named = {one.column for one in rule.columns if one.is_own}
    names = [one for one in rows.attributes if one not in named]
    return [*pointers.values(), *(column_codes(rows.column(one), null_code=False) for one in names)]


def going_with(name: str, of_rows: Sequence[Rule], stays: frozenset[str]) -> set[str]:
    """Return the columns that take another row's values together: a dose goes with the drug that fixes it.

    The column alone where one of them has to stay.
    """
    fixed = [one for one in of_rows if isinstance(one, Fixed) and all(each.is_own for each in one.operands)]
    found, grew = {name}, True
    while grew:
        new = set(found)
        for one in fixed:
            names = {each.column for each in one.operands}
            if one.dependent.column in new or {each.column for each in one.determinant} <= new:
                new |= names
        grew, found = new != found, new
    return {name} if found & stays else found


def _repeated(group: np.ndarray, value: np.ndarray, asked: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return rows that hold what another holds: one before them, or one that has its own value still.

    Shape:
        group, value, asked, source: (rows,). Returned: (repeated rows,) int64.
    """
    here = np.flatnonzero(asked)
    order = here[np.lexsort((here, source[here] != here, value[here], group[here]))]
    same = (group[order][1:] == group[order][:-1]) & (value[order][1:] == value[order][:-1])
    return np.asarray(order[1:][same])


def _to_free(
    numbers: np.ndarray,
    codes: np.ndarray,
    group: np.ndarray,
    value: np.ndarray,
    asked: np.ndarray,
    again: np.ndarray,
    source: np.ndarray,
) -> np.ndarray:
    """Give rows the nearest value of the column that no row of their group holds; return those that found none.

    Args:
        numbers: (rows,) float64, the column as it was drawn; values that are no numbers stand in the order of codes.
        codes: (rows,) int64, the same as codes, negative for none.
        group, value, asked, source: (rows,), see ``_repeated``; the last is changed in place.
        again: (repeated rows,) int64.
    """
    distinct, donor = np.unique(codes[codes >= 0], return_index=True)
    donor = np.flatnonzero(codes >= 0)[donor]
    at = np.where(np.isfinite(numbers[donor]), numbers[donor], distinct)
    donor, at = donor[np.argsort(at, kind="stable")], np.sort(at, kind="stable")
    place = np.full(int(codes.max(initial=0)) + 1, -1)
    place[codes[donor]] = np.arange(len(donor))
    is_again = np.zeros(len(codes), dtype=bool)
    is_again[again] = True
    held: dict[int, _Held] = {}
    for row in np.flatnonzero(asked & ~is_again & np.isin(group, group[again])):
        held.setdefault(int(group[row]), _Held(1)).take(int(place[value[row]]))
    left = []
    for row in again:
        own, start = held.setdefault(int(group[row]), _Held(1)), int(place[codes[row]])
        below, above = own.around(start)
        free = [one for one in (above, below) if 0 <= one < len(donor)]
        if not free:
            left.append(row)
            continue
        nearest = min(free, key=lambda one: abs(at[one] - at[start]))
        own.take(nearest)
        source[row] = donor[nearest]
    return np.asarray(left, dtype=np.int64)


def _move(name: str, rows: RuleRows, group: np.ndarray, again: np.ndarray) -> None:
    """Give rows the nearest number of the column's step that no row of their group holds; none is the first below 0."""
    numbers = rows.numbers(Operand(name))
    distinct = np.unique(numbers[np.isfinite(numbers)])
    if len(distinct) < 2:
        return
    gaps, counts = np.unique(np.diff(distinct), return_counts=True)
    step = float(gaps[counts.argmax()])
    place = np.where(np.isfinite(numbers), numbers, 0.0) / step
    least = 0.0 if distinct[0] >= 0 else -np.inf
    held: dict[int, _Held] = {}
    is_again = np.zeros(rows.count, dtype=bool)
    is_again[again] = True
    for row in np.flatnonzero(np.isin(group, group[again]) & ~is_again & np.isfinite(numbers)):
        held.setdefault(int(group[row]), _Held(_STEP)).take(round(place[row] * _STEP))
    found = np.full(rows.count, np.nan)
    for row in again[np.isfinite(numbers[again])]:
        own, start = held.setdefault(int(group[row]), _Held(_STEP)), round(place[row] * _STEP)
        below, above = own.around(start)
        is_above = above - start <= start - below or below / _STEP * step < least
        nearest = above if is_above else below
        own.take(nearest)
        found[row] = numbers[row] + (nearest - start) // _STEP * step
    rows.put_numbers(name, found, np.isfinite(found))


class _Held:
    """Numbers that a group holds; the nearest free one is found without a walk past the held.

    Each held number knows one further on, up and down, up to which all are held (disjoint sets, Tarjan 1975).

    Args:
        step: between neighbours.
    """

    def __init__(self, step: int) -> None:
        self._step, self._up, self._down = step, dict[int, int](), dict[int, int]()

    def take(self, number: int) -> None:
        """Hold a number."""
        self._up.setdefault(number, number + self._step)
        self._down.setdefault(number, number - self._step)

    def around(self, number: int) -> tuple[int, int]:
        """Return the free numbers that are the fewest whole steps below and above, one step at least."""
        return _end(self._down, number - self._step), _end(self._up, number + self._step)


def _end(links: dict[int, int], number: int) -> int:
    passed = []
    while number in links:
        passed.append(number)
        number = links[number]
    for one in passed:
        links[one] = number
    return number
