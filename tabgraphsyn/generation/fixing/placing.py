"""Where given rows stand in a new database: which grown row each of them is, with its parents and its children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tabgraphsyn.data.pointers import NULL, through
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.errors import DataError, raise_collected
from tabgraphsyn.generation.fixing.regrow import Keys
from tabgraphsyn.generation.fixing.wishes import GivenRows, matched
from tabgraphsyn.generation.structure.base import KeyPlan, Link, Skeleton
from tabgraphsyn.generation.structure.links import depths


@dataclass(frozen=True)
class Placed:
    """Keys with given rows in them.

    Attributes:
        skeleton: the keys.
        rows: table -> (given rows,) int64, the row that each given one is.
    """

    skeleton: Skeleton
    rows: Mapping[str, np.ndarray] = field(repr=False)


def placed(
    schema: Schema,
    plan: KeyPlan,
    skeleton: Skeleton,
    order: Sequence[str],
    given: Mapping[str, GivenRows],
    rng: np.random.Generator,
) -> Placed:
    """Return keys in which given rows have the parents and the numbers of children that are asked.

    A row with a number of children is a grown row with as many, where there is one: what else the keys say of such
    rows stays true. Only then rows are added (copies of keys, never of values) or left out.

    Args:
        schema: columns of keys.
        plan: what holds for keys.
        skeleton: as grown; enough rows of tables that are nobody's family.
        order: tables, drivers' parents first.
        given: what is placed.
        rng: chooses.

    Raises:
        DataError: what cannot be met, with counts.
    """
    return _Placing(schema, plan, Keys(plan, skeleton, rng), given, rng).run(order)


class _Placing:
    def __init__(
        self, schema: Schema, plan: KeyPlan, keys: Keys, given: Mapping[str, GivenRows], rng: np.random.Generator
    ) -> None:
        self.schema, self.plan, self.keys, self.given, self.rng = schema, plan, keys, given, rng
        self.above = {link.name: self._above(link) for link in plan.links if link.child in given}
        self.rows: dict[str, np.ndarray] = {}

    def _above(self, link: Link) -> np.ndarray:
        """Return for each given row the given row of its parent, (given rows,) int64, -1 where the sample decides."""
        own, parent = self.given[link.child].rows, self.given.get(link.parent)
        relation = self.schema.relation(link.name)
        names = set(relation.child_columns)
        if parent is None or not names <= set(own.column_names):
            return np.full(own.num_rows, -1, dtype=np.int64)
        if not set(relation.parent_columns) <= set(parent.rows.column_names):
            return np.full(own.num_rows, -1, dtype=np.int64)
        return matched(own, relation.child_columns, parent.rows, relation.parent_columns)

    def run(self, order: Sequence[str]) -> Placed:
        for table in order:
            if table in self.given:
                self.rows[table] = self._chosen(table)
                for link in self.plan.links_of_parent(table):
                    if self.plan.creating_link(link.child) == link and link.child != table:
                        self._resize(link)
        protected = {}
        for name, above in self.above.items():
            link = self.plan.link[name]
            own = np.flatnonzero(above >= 0)
            protected[name] = self.rows[link.child][own]
            if len(own):
                self.keys.pointers[name][protected[name]] = self.rows[link.parent][above[own]]
        for name in self.plan.acyclic:
            if name in protected:
                self._opened(name, protected[name])
        few = [text for link in self.plan.links for text in self._turned(link, protected)]
        raise_collected(
            DataError, [f"--given: {one}. Ask for more rows with --scale or --rows, or for fewer." for one in few]
        )
        problems = self.keys.settle(protected)
        raise_collected(
            DataError,
            [f"--given: {one}, which no real row does. Give fewer keys or counts, or other ones." for one in problems],
        )
        return Placed(self.keys.skeleton, self.rows)

    def _needs(self, table: str, link: Link) -> tuple[np.ndarray, np.ndarray]:
        """Return (given rows,) int64 each: the least number of children, and the exact one, -1 where none is asked."""
        count = self.given[table].rows.num_rows
        above = self.above.get(link.name, np.zeros(0, dtype=np.int64))
        least = np.bincount(above[above >= 0], minlength=count)
        exact = np.asarray(self.given[table].counts.get(link.name, np.full(count, -1)))
        few = (exact >= 0) & (exact < least)
        if few.any():
            row = int(np.flatnonzero(few)[0])
            raise DataError(
                f"--given: {table}: count({link.child}): row {row + 1} has {int(exact[row])} children, but "
                f"{int(least[row])} are given. Raise the number or give fewer rows."
            )
        likely = self.given[table].likely.get(link.name)
        if likely is not None:
            exact = np.where((exact < 0) & (likely >= 0), np.maximum(likely, least), exact)
        return least, exact

    def _chosen(self, table: str) -> np.ndarray:
        """Return the grown row for each given one, (given rows,) int64."""
        count, driver = self.given[table].rows.num_rows, self.plan.creating_link(table)
        links = self.plan.links_of_parent(table)
        needs = {link: self._needs(table, link) for link in links}
        gap = {link: self.keys.counts(link) for link in links}
        is_free = np.ones(self.keys.rows[table], dtype=bool)
        above = self.above.get(driver.name) if driver is not None else None
        chosen = np.full(count, -1, dtype=np.int64)
        parent = np.full(count, -1, dtype=np.int64)
        if above is not None and driver is not None and (above >= 0).any():
            parent[above >= 0] = self.rows[driver.parent][above[above >= 0]]
        groups: dict[tuple[int, ...], list[int]] = {}
        for row in range(count):
            key = (int(parent[row]), *(int(each[row]) for one in needs.values() for each in one))
            groups.setdefault(key, []).append(row)
        # Rows with a parent first: rows without one may be anywhere.
        for key in sorted(groups, key=lambda one: (one[0] < 0, [-each for each in one])):
            rows = np.array(groups[key])
            if key[0] >= 0 and driver is not None:
                candidates = np.flatnonzero((self.keys.pointers[driver.name] == key[0]) & is_free)
            else:
                candidates = np.flatnonzero(is_free)
            if len(candidates) < len(rows):
                raise DataError(
                    f"--given: {table}: {count} rows are given, room for {len(is_free)} is made. Ask for more "
                    "with --scale or --rows."
                )
            apart = np.zeros(len(candidates), dtype=np.int64)
            for place, link in enumerate(links):
                least, exact = key[1 + 2 * place], key[2 + 2 * place]
                have = gap[link][candidates]
                apart += np.abs(have - exact) if exact >= 0 else np.maximum(least - have, 0)
            best = candidates[np.lexsort((self.rng.random(len(candidates)), apart))[: len(rows)]]
            chosen[rows] = self.rng.permutation(best) if len(best) > 1 else best
            is_free[best] = False
        return chosen

    def _resize(self, link: Link) -> None:
        least, exact = self._needs(link.parent, link)
        have = self.keys.counts(link)
        wanted, slots = have.copy(), self.rows[link.parent]
        wanted[slots] = np.where(exact >= 0, exact, np.maximum(have[slots], least))
        if (wanted == have).all():
            return
        if not self.keys.rows[link.child] and wanted.any():
            raise DataError(f"--given: {link.child}: no row is made that more could be like. Ask for a larger --scale.")
        self.keys.resize(link, wanted)

    def _opened(self, name: str, firm: np.ndarray) -> None:
        """Let trees have tops again: where given keys close a ring with grown ones, those lead nowhere.

        Raises:
            DataError: a ring of given keys alone.
        """
        pointer = self.keys.pointers[name]
        is_firm = np.zeros(len(pointer), dtype=bool)
        is_firm[firm] = True
        while len(ring := _ring(pointer)):
            loose = ring[~is_firm[ring]]
            if not len(loose):
                link = self.plan.link[name]
                keys = "+".join(self.schema.relation(name).child_columns)
                raise DataError(
                    f"--given: {link.child}.{keys}: keys that lead up to a row without one expected, as those of all "
                    f"real rows do, found {len(ring)} rows in a ring. Correct the rows."
                )
            pointer[loose[0]] = NULL

    def _turned(self, link: Link, protected: Mapping[str, np.ndarray]) -> list[str]:
        """Let rows of other parents be children of given ones, along a key that makes nobody rows."""
        if link.parent not in self.given or (self.plan.creating_link(link.child) == link and link.child != link.parent):
            return []
        least, exact = self._needs(link.parent, link)
        asked = np.flatnonzero((exact >= 0) | (least > 0))
        slots = self.rows[link.parent]
        pointer = self.keys.pointers[link.name]
        stays = np.zeros(len(pointer), dtype=bool)
        stays[protected.get(link.name, np.zeros(0, np.int64))] = True
        others = np.setdiff1d(np.arange(self.keys.rows[link.parent]), slots[asked])
        is_tree, problems = link.name in self.plan.acyclic, []
        for one in asked:
            own = np.flatnonzero((pointer == slots[one]) & ~stays)
            have = len(own) + int(((pointer == slots[one]) & stays).sum())
            wanted = int(exact[one]) if exact[one] >= 0 else max(have, int(least[one]))
            if have > wanted and len(others):
                level = depths(pointer) if is_tree else np.zeros(len(pointer), dtype=np.int64)
                above = others[level[others] <= level[slots[one]]] if is_tree else others  # none is below them
                turned = self.rng.permutation(own)[: have - wanted]
                pointer[turned] = self.rng.choice(above, have - wanted) if len(above) else NULL
            elif have < wanted:
                free = np.flatnonzero(~stays & ~np.isin(pointer, slots[asked]))
                if link.child == link.parent:
                    free = np.setdiff1d(free, _up(pointer, int(slots[one])) if is_tree else slots[one])
                turned = self.rng.permutation(free)[: wanted - have]
                pointer[turned] = slots[one]
                have += len(turned)
            if have < wanted or (have > wanted and not len(others)):
                problems.append(
                    f"{link.child}: {wanted} rows for a given row of {link.parent!r} expected, found {have} that "
                    "may be its"
                )
        return problems


def _ring(pointer: np.ndarray) -> np.ndarray:
    """Return the rows of one ring of keys into the own table, (n,) int64; none where all lead to a top.

    >>> _ring(np.array([-1, 0, 3, 4, 2, 2])).tolist()
    [2, 3, 4]

    Shape:
        pointer: (rows,) int64.
    """
    far = np.where(pointer == np.arange(len(pointer)), NULL, pointer)
    once = far
    for _ in range(max(len(pointer), 1).bit_length()):
        far = through(far, far)
    lasting = np.flatnonzero(far >= 0)
    return np.sort(_up(once, int(far[lasting[0]]))) if len(lasting) else lasting


def _up(pointer: np.ndarray, row: int) -> np.ndarray:
    """Return a row and all above it, (n,) int64; each once where the way up is a ring.

    Shape:
        pointer: (rows,) int64.
    """
    way = [row]
    while (above := int(pointer[way[-1]])) >= 0 and above != way[0] and above != way[-1]:
        way.append(above)
    return np.array(way)
