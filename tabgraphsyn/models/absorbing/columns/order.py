"""In which order the columns of a row are unmasked: any, drawn anew for each row, or the one in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit, Units

AHEAD = 0.5
"""Share of the rows that learn with the groups ahead at their head."""


class AnyOrder:
    """Every order is as likely: one network gives every conditional.

    Args:
        groups: how many groups of units a row has.
        last: those that come after all others. So do hidden fields: what children are like is nearly a name of the row,
            and columns drawn for it would be those of a training row.
    """

    def __init__(self, groups: int, last: Sequence[int] = ()) -> None:
        self.groups, self.last = groups, list(last)
        self.ahead: list[int] = []
        """Groups that are drawn before the others, and learnt so in ``AHEAD`` of the rows: these say most together."""

    def learnt(self, rows: int, first: Tensor, generator: torch.Generator) -> Tensor:
        """Return an order a row, (rows, groups) int64, ``first`` ones at its head; ``first`` is (n,) int64."""
        turn = torch.rand(rows, self.groups, generator=generator)
        if len(self.ahead):
            is_ahead = torch.rand(rows, 1, generator=generator) < AHEAD
            turn[:, self.ahead] -= is_ahead.to(turn.dtype)
        turn[:, first] = -2
        if self.last:
            turn[:, self.last] += 2
        return turn.argsort(1)

    def drawn(self, generator: torch.Generator) -> list[int]:
        """Return the order in which some rows are unmasked."""
        found: list[int] = torch.randperm(self.groups, generator=generator).tolist()
        return sorted(found, key=lambda group: (group in self.last) - (group in self.ahead))


class OneOrder:
    """Always the same: p(x1) p(x2 | x1) and so on, which knows no other conditional.

    Args:
        groups: the order, each group once.
    """

    def __init__(self, groups: Sequence[int]) -> None:
        self.groups = list(groups)
        self.ahead: list[int] = []

    def learnt(self, rows: int, first: Tensor, generator: torch.Generator) -> Tensor:
        """See ``AnyOrder``; nothing is drawn: (rows, groups) int64, ``first`` (n,) int64."""
        del generator
        leading = first.tolist()
        turn = [*leading, *(group for group in self.groups if group not in leading)]
        return torch.tensor(turn, dtype=torch.int64).expand(rows, -1)

    def drawn(self, generator: torch.Generator) -> list[int]:
        """See ``AnyOrder``."""
        del generator
        return self.groups


Order = AnyOrder | OneOrder


def of_the_file(codec: TableCodec, units: Units) -> OneOrder:
    """Return the groups of units in the order of their columns."""
    places = list(codec.places.values())

    def column(unit: Unit) -> int:
        own = [numbers if unit.kind != LEVEL else levels for numbers, levels in places]
        here = (place for place, fields in enumerate(own) if fields.start <= unit.field < fields.stop)
        return next(here, len(places))  # hidden fields after all columns

    return OneOrder(sorted(range(len(units.groups)), key=lambda group: column(units.groups[group][0])))


def in_any(codec: TableCodec, units: Units) -> AnyOrder:
    """Return any order of the columns, hidden fields after all of them."""
    return AnyOrder(len(units.groups), hidden_groups(codec, units))


def hidden_groups(codec: TableCodec, units: Units) -> list[int]:
    """Return the groups of units of fields that are no column's."""
    own = len(codec.layout.numerical), len(codec.layout.categorical)
    return [place for place, (unit, *_) in enumerate(units.groups) if unit.field >= own[unit.kind == LEVEL]]


ORDERS: Mapping[str, Callable[[TableCodec, Units], Order]] = {
    "random": in_any,
    "file": of_the_file,
}
"""``generator.order``."""
