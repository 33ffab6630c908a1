"""Choosing the parent of rows whose parent is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.codes import tuple_codes_of_both
from tabgraphsyn.data.pointers import NULL, UNMATCHED
from tabgraphsyn.generation.structure.links import match_by_degree

Condition = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Attachment:
    """One relation of one table, with what constrains its open rows.

    Attributes:
        pointer: (rows,) parents, ``UNMATCHED`` where open.
        parents: number of rows of the parent table.
        wanted_degree: (rows,) degree of the parent that a row would like.
        target_degree: (parents,) number of children that a parent should get.
        shared: conditions that a foreign key hangs on: a row that breaks one cannot be written.
        owned: conditions of what a parent fixes; given up last.
        learned: conditions that hold in every real row; given up where no parent fits.
        level: at most one condition, the depth of the parent in a hierarchy.
        may_be_null: True where the real key has nulls.
        is_self_reference: True where rows could point to themselves.
    """

    pointer: np.ndarray
    parents: int
    wanted_degree: np.ndarray
    target_degree: np.ndarray
    shared: list[Condition]
    owned: list[Condition]
    learned: list[Condition]
    level: list[Condition]
    may_be_null: bool
    is_self_reference: bool

    @property
    def conditions(self) -> list[Condition]:
        """All conditions."""
        return self.shared + self.level + self.owned + self.learned

    def codes(self, conditions: list[Condition]) -> tuple[np.ndarray, np.ndarray]:
        """Return a code per row and per parent that agree where a parent meets all ``conditions``."""
        wanted, offered = [one for one, _ in conditions], [other for _, other in conditions]
        if not conditions:
            return np.zeros(len(self.pointer), dtype=np.int64), np.zeros(self.parents, dtype=np.int64)
        return tuple_codes_of_both(wanted, offered, is_missing=False)

    def binds(self, conditions: list[Condition]) -> np.ndarray:
        """Return True per row where every condition is known (a null on the way leaves it open)."""
        known = np.ones(len(self.pointer), dtype=bool)
        for wanted, _ in conditions:
            known &= wanted >= 0
        return known


def attach(item: Attachment, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return pointers without open rows, and per row whether it could be placed.

    Parents short of children are filled first, in degree order; conditions are given up from the weakest on.
    """
    pointer = item.pointer.copy()
    placed = np.ones(len(pointer), dtype=bool)
    opened = pointer == UNMATCHED
    if not opened.any():
        return pointer, placed
    for conditions, eligible in _ever_weaker(item):
        _fill(item, pointer, conditions, eligible, rng)
    left = pointer == UNMATCHED
    pointer[left] = NULL
    # Without a null in the real data a row without a parent is no row.
    if not item.may_be_null:
        placed[left] = False
    if item.is_self_reference and not item.level:
        _turn_away_from_self(item, pointer, opened)
    return pointer, placed


def _ever_weaker(item: Attachment) -> Iterator[tuple[list[Condition], np.ndarray]]:
    """Yield conditions and the rows that they decide for, the strictest first.

    Shared columns and levels are never given up; a condition that is unknown for a row (a null on the way) does not
    bind that row.
    """
    firm = item.shared + item.level
    for kept in (firm + item.owned, firm) if item.owned else (firm,):
        if item.learned:
            yield kept + item.learned, item.binds(kept + item.learned)
            for one in item.learned:
                yield [*kept, one], item.binds([*kept, one])
        yield kept, item.binds(kept)
    unbound = ~item.binds(firm)
    if unbound.any():
        for one in firm:
            yield [one], item.binds([one]) & unbound
        yield [], ~np.any([item.binds([one]) for one in firm], axis=0)


def _fill(
    item: Attachment,
    pointer: np.ndarray,
    conditions: list[Condition],
    eligible: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Choose parents for open rows under ``conditions``, first among parents short of children."""
    if not (eligible & (pointer == UNMATCHED)).any():
        return
    row_code, parent_code = item.codes(conditions)
    for only_short in (True, False):
        rows = np.flatnonzero(eligible & (pointer == UNMATCHED))
        has = np.bincount(pointer[pointer >= 0], minlength=item.parents)
        short = np.maximum(item.target_degree - has, 0) if only_short else np.ones(item.parents, dtype=np.int64)
        stubs = np.repeat(np.arange(item.parents), short)
        pointer[rows] = match_by_degree(
            link_group=row_code[rows],
            link_degree=item.wanted_degree[rows],
            stub_row=stubs,
            stub_group=parent_code[stubs],
            stub_degree=item.target_degree[stubs],
            rng=rng,
        )


def _turn_away_from_self(item: Attachment, pointer: np.ndarray, opened: np.ndarray) -> None:
    """Move newly chosen parents that are the row itself to the next row that meets the same conditions."""
    rows = np.flatnonzero(opened & (pointer == np.arange(len(pointer))))
    if not len(rows) or item.parents < 2:
        return
    _, code = item.codes(item.shared + item.owned + item.learned)
    order = np.argsort(code, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    following = order[(place[rows] + 1) % len(order)]
    before = order[place[rows] - 1]
    chosen = np.where(code[following] == code[rows], following, before)
    fits = code[chosen] == code[rows]
    pointer[rows[fits]] = chosen[fits]
