"""Array work on row pointers: children of parents, copies of a row, links matched to parents by degree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.pointers import CENSORED, NULL, UNMATCHED, concatenated_ranges, rank_within, through


@dataclass(frozen=True)
class Members:
    """Rows by the number they point to.

    Shape:
        order: (rows that point somewhere,), sorted by target, then by row. start, count: (targets,).
    """

    order: np.ndarray
    start: np.ndarray
    count: np.ndarray

    @staticmethod
    def of(pointer: np.ndarray, targets: int) -> Members:
        """Group the rows of ``pointer`` by target; negative pointers belong to no target; (members,) int64."""
        order = np.argsort(pointer, kind="stable")
        order = order[int((pointer < 0).sum()) :]
        count = np.bincount(pointer[order], minlength=targets)
        return Members(order, np.cumsum(count) - count, count)

    def expand(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the members of each of ``targets`` in order, and for each the index into ``targets``.

        Shape:
            (reached,) int64 each.
        """
        count = self.count[targets]
        members = self.order[concatenated_ranges(self.start[targets], count)]
        return members, np.repeat(np.arange(len(targets)), count)


def find_pair(first: np.ndarray, second: np.ndarray, base: int, wanted: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return the row whose ``(first, second)`` is ``(wanted, within)``, or UNMATCHED; ``second < base``."""
    if not len(first):
        return np.full(len(wanted), UNMATCHED, dtype=np.int64)
    keys = first * base + second
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    sought = wanted * base + within
    place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return np.where(keys[place] == sought, order[place], UNMATCHED)


def match_by_degree(
    *,
    link_group: np.ndarray,
    link_degree: np.ndarray,
    stub_row: np.ndarray,
    stub_group: np.ndarray,
    stub_degree: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a stub's row for each link: within its group, in degree order, stubs used evenly.

    Links whose group has no stub get UNMATCHED.

    Shape:
        link_group, link_degree: (links,). stub_row, stub_group, stub_degree: (stubs,).
    """
    found = np.full(len(link_group), UNMATCHED, dtype=np.int64)
    if not len(link_group) or not len(stub_row):
        return found
    links = rng.permutation(len(link_group))
    links = links[np.lexsort((link_degree[links], link_group[links]))]
    stubs = rng.permutation(len(stub_row))
    stubs = stubs[np.lexsort((stub_degree[stubs], stub_group[stubs]))]
    groups = link_group[links]
    links_before = np.searchsorted(groups, groups, side="left")
    links_inside = np.searchsorted(groups, groups, side="right") - links_before
    stubs_before = np.searchsorted(stub_group[stubs], groups, side="left")
    stubs_inside = np.searchsorted(stub_group[stubs], groups, side="right") - stubs_before
    place = stubs_before + (np.arange(len(links)) - links_before) * stubs_inside // links_inside
    has_stub = stubs_inside > 0
    found[links[has_stub]] = stub_row[stubs[place[has_stub]]]
    return found


def with_missing_links(degree: np.ndarray, missing: int, rng: np.random.Generator) -> np.ndarray:
    """Return degrees after ``missing`` links that were hidden at random are handed back; (parents,) int64.

    A hidden link belongs to a parent whose visible degree is one below that of a visible link's parent (Robbins 1956:
    under thinning, parents of visible degree d miss links in proportion to (d + 1) n(d + 1)). So parents that look
    childless because their only child is hidden get it back, which scaling the degrees would not do.
    """
    if missing == 0 or not len(degree):
        return degree
    by_degree = rng.permutation(len(degree))
    by_degree = by_degree[np.argsort(degree[by_degree], kind="stable")]
    ordered = degree[by_degree]
    parents = systematic_parents(degree, missing, rng)
    below = degree[parents] - 1 if degree.any() else np.zeros(missing, dtype=np.int64)
    low = np.searchsorted(ordered, below, side="left")
    high = np.maximum(np.searchsorted(ordered, below, side="right"), low + 1)
    order = np.argsort(low, kind="stable")
    turn = np.empty(missing, dtype=np.int64)
    turn[order] = rank_within(low[order])
    # In turns, all parents of one degree would get as many, and every fourth number of children would never occur.
    dealt = np.where(rng.random(missing) < _scatter(degree, missing), rng.integers(0, high - low), turn % (high - low))
    place = np.minimum(low + dealt, len(degree) - 1)
    return degree + np.bincount(by_degree[place], minlength=len(degree))


def _scatter(degree: np.ndarray, missing: int) -> float:
    """Return how far numbers of links hidden at random differ among parents of one visible degree, 0 to 1.

    1 where they scatter as by chance (Poisson), 0 where all parents have as many links in all. By the second factorial
    moment of the same thinning, (d + 1)(d + 2) n(d + 2) / n(d), less the squared mean without its bias by few parents.

    Shape:
        degree: (parents,) int64, visible links.
    """
    visible = float(degree.sum())
    if not visible:
        return 1.0
    count = np.bincount(degree).astype(np.float64)
    links = np.arange(len(count), dtype=np.float64)
    several = float((links * (links - 1) * count).sum())
    squared = float((links[1:] ** 2 * count[1:] * (count[1:] - 1) / (count[:-1] + 1)).sum())
    # By half as much it is left at turns: few links at random would break a fixed number.
    return float(np.clip(1 + 2 * (several - squared) * missing / visible**2, 0.0, 1.0))


def systematic_parents(degree: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``wanted`` parents, each in proportion to its degree (any parent where all degrees are 0).

    Shape:
        (wanted,) int64.
    """
    ends = np.cumsum(degree if degree.any() else np.ones_like(degree), dtype=np.float64)
    points = (np.arange(wanted) + rng.random()) * (ends[-1] / max(wanted, 1))
    return np.minimum(np.searchsorted(ends, points, side="right"), len(degree) - 1)


def depths(pointer: np.ndarray) -> np.ndarray:
    """Return each row's number of steps up to a row without a parent; -1 in every row where there is a cycle.

    A row that refers to itself is a root. A censored parent counts as a root.
    """
    rows = np.arange(len(pointer))
    above = np.where(pointer == rows, NULL, pointer)
    depth = (above != NULL).astype(np.int64)
    above = np.where(above == CENSORED, NULL, above)
    for _ in range(max(len(pointer), 1).bit_length() + 1):
        has = above >= 0
        if not has.any():
            return depth
        depth = depth + through(above, depth, 0)
        above = through(above, above)
    return np.full(len(pointer), -1, dtype=np.int64)
