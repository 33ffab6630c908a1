"""Levels that are known of a row before it is drawn: which lookup row a key names, and the levels of its ancestors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings
from tabgraphsyn.models.absorbing.drafts import Around


@dataclass(frozen=True)
class Said:
    """One field that is said of a row.

    Attributes:
        levels: of it.
        place: of a key among the keys into lookup tables, or of a categorical field of an ancestor.
        way: up to the ancestor; None for a key.
    """

    levels: int
    place: int
    way: int | None = None

    def rows(self, around: Around) -> Tensor:
        """Return the level of each row, (rows,) int64, -1 where nothing is said."""
        if self.way is None:
            assert around.keys is not None
            return around.keys[:, self.place]
        clean, which = around.ancestors[self.way]
        return _through(clean.categorical[:, self.place], which)

    def table(self, around: Surroundings) -> Tensor:
        """Return the same of all rows of a table, (rows,) int64."""
        if self.way is None:
            return around.condition.level[:, self.place]
        way = around.ways[self.way]
        return _through(way.rows.categorical[:, self.place].long(), way.pointer)


def said_fields(keys: Sequence[int], ancestors: Sequence[TableLayout]) -> list[Said]:
    """Return all fields that are said of a table's rows: keys first, then ancestor after ancestor.

    Args:
        keys: levels of each key into a lookup table.
        ancestors: at the ends of the ways up.
    """
    found = [Said(levels, place) for place, levels in enumerate(keys)]
    for way, layout in enumerate(ancestors):
        found += [Said(field.levels, place, way) for place, field in enumerate(layout.categorical)]
    return found


def _through(level: Tensor, which: Tensor) -> Tensor:
    """Return the level of each row's ancestor, -1 without one."""
    if not len(level):
        return torch.full_like(which, -1)
    return level[which.clamp(min=0)].where(which >= 0, which.new_tensor(-1))
