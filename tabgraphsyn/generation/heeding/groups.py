"""Of a group of columns exactly one, or at most one, is set: which levels that leaves in a row in the making."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import OneOf
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.heeding.sets import level_numbers
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit
from tabgraphsyn.models.absorbing.drawing import Made


class UnmaskedGroups:
    """What groups leave of their columns, where each says in one field of levels whether it is set.

    Args:
        fields: of the table.
        rules: of its rows.
        protected: columns that no rule changes.
    """

    def __init__(self, fields: Fields, rules: Iterable[Rule], protected: frozenset[str]) -> None:
        self._fields = fields
        self._groups: list[tuple[OneOf, dict[int, Tensor]]] = []
        for rule in rules:
            if isinstance(rule, OneOf):
                names = [one.column for one in rule.columns]
                told = [one for name in names if (one := _set_levels(fields, name, filled=rule.filled)) is not None]
                if len(told) == len(names) and not protected & set(names):
                    self._groups.append((rule, dict(told)))

    def __bool__(self) -> bool:
        return bool(self._groups)

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """Return (rows, levels) bool, which levels a unit may be; None for all."""
        place, found = self._fields.place[unit], None
        for rule, levels in self._groups:
            if place not in levels:
                continue
            others = [self._state(one, own, made) for one, own in levels.items() if one != place]
            is_set = torch.stack([one == 1 for one in others]).any(0).unsqueeze(1)
            lacks = torch.stack([one == 0 for one in others]).all(0).unsqueeze(1) & (not rule.at_most)
            own = levels[place].to(made.is_known.device).unsqueeze(0)
            # Where a flag is missing the group says nothing, so that level stays.
            allowed = ~(is_set & (own == 1)) & ~(lacks & (own == 0))
            found = allowed if found is None else found & allowed
        return found

    def _state(self, place: int, levels: Tensor, made: Made) -> Tensor:
        """Return (rows,) int64: 1 where a column is set, 0 where it is not, -1 where that is not known."""
        code = made.rows.categorical[:, self._fields.units.all[place].field]
        return torch.where(made.is_known[:, place], levels.to(code.device)[code], -1)


def _set_levels(fields: Fields, column: str, *, filled: bool) -> tuple[int, Tensor] | None:
    """Return the place of a column's levels and for each 1 set, 0 not, -1 neither; None: not told by one field."""
    if column not in fields.codec.columns:
        return None
    if filled:
        nulls = fields.nulls(column)
        return None if nulls is None or nulls.field < 0 else (nulls.place, (~nulls.is_null).long())
    own = fields.codec.columns[column]
    places = [place for place in fields.places[column] if fields.units.all[place].kind == LEVEL]
    if len(places) != 1 or not isinstance(own, CategoricalCodec | NumericalCodec):
        return None
    count = fields.codec.layout.categorical[fields.units.all[places[0]].field].levels
    value = level_numbers(own, count)
    state = np.where(np.isnan(value), -1, (np.nan_to_num(value) != 0).astype(np.int64))
    if isinstance(own, NumericalCodec):
        state[0] = 1  # a number that is no level of its own
    elif own.has_pool:
        return None
    return (places[0], torch.from_numpy(state)) if (state == 0).any() else None
