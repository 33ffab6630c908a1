"""What columns of a row in the making that are known leave of the levels of others.

Two columns differ, one equals one of others, or one that fixes a known column is none of those that fix another value:
a purpose that goes with payments in is none of a withdrawal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.rules.kept import Key, RowRules
from tabgraphsyn.data.rules.value_kinds import Among, Differ, Fixed
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit
from tabgraphsyn.models.absorbing.drawing import Made


class UnmaskedEquals:
    """What such rules leave of columns whose values each have a level of their own.

    Args:
        fields: of the table.
        rules: of its rows, with what fixes what.
        protected: columns that no rule changes.
    """

    def __init__(self, fields: Fields, rules: RowRules, protected: frozenset[str]) -> None:
        self._fields = fields
        self._out: list[tuple[int, int, Tensor]] = []
        self._among: list[tuple[int, list[tuple[int, Tensor]], Tensor]] = []
        for number, rule in enumerate(rules.rules):
            if isinstance(rule, Fixed) and number in rules.lookups and len(rule.determinant) == 1:
                one, other = rule.determinant[0].column, rule.dependent.column
                if self._is_told(one) and self._is_told(other) and one not in protected:
                    barred = self._barred(one, other, rules.lookups[number])
                    self._out.append((self._place(one), self._place(other), barred))
            names = [one.column for one in rule.operands] if isinstance(rule, Differ | Among) else []
            if not names or not all(map(self._is_told, names)):
                continue
            own, *others = names
            if isinstance(rule, Differ):
                for one, other in ((own, others[0]), (others[0], own)):
                    if one not in protected:
                        self._out.append((self._place(one), self._place(other), self._same(one, other)))
            elif own not in protected:
                same = [(self._place(other), self._same(own, other)) for other in others]
                self._among.append((self._place(own), same, self._nulls(own)))

    def __bool__(self) -> bool:
        return bool(self._out or self._among)

    @property
    def after(self) -> dict[int, set[int]]:
        """Places of units and those that come before them: what is one of others is drawn when they are known."""
        return {own: {place for place, _ in same} for own, same, _ in self._among}

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """Return (rows, levels) bool, which levels a unit may be; None for all."""
        place, found = self._fields.place[unit], None
        for own, other, barred in self._out:
            if place == own:
                free = ~(self._of(other, barred, made) & made.is_known[:, other].unsqueeze(1))
                free |= ~free.any(1, keepdim=True)
                found = free if found is None else found & free
        for own, others, is_null in self._among:
            if place == own:
                hits = torch.stack([self._of(other, same, made) for other, same in others]).any(0)
                known = torch.stack([made.is_known[:, other] for other, _ in others]).all(0)
                # Where none of the others is a value of this column anything goes.
                asked = (known & hits.any(1)).unsqueeze(1)
                free = hits | is_null.to(hits.device) | ~asked
                found = free if found is None else found & free
        return found

    def _of(self, other: int, levels: Tensor, made: Made) -> Tensor:
        """Return what is said of levels, (levels of the other, levels of the own) bool, in each row, (rows, levels)."""
        code = made.rows.categorical[:, self._fields.units.all[other].field]
        return levels.to(code.device)[code]

    def _is_told(self, column: str) -> bool:
        own = self._fields.codec.columns.get(column)
        places: Sequence[int] = self._fields.places.get(column, ())
        return (
            isinstance(own, CategoricalCodec) and not own.has_pool and len(places) == 1 and self._kind(column) == LEVEL
        )

    def _kind(self, column: str) -> str:
        return self._fields.units.all[self._place(column)].kind

    def _place(self, column: str) -> int:
        return self._fields.places[column][0]

    def _texts(self, column: str) -> list[str | None]:
        """Return the value of each level as text."""
        own = self._fields.codec.columns[column]
        assert isinstance(own, CategoricalCodec)
        values = as_text(own.levels.array).to_pylist()
        return [*values, *[None] * (self._fields.units.all[self._place(column)].levels - len(values))]

    def _nulls(self, column: str) -> Tensor:
        return torch.tensor([one is None for one in self._texts(column)]).unsqueeze(0)

    def _same(self, own: str, other: str) -> Tensor:
        """Return (levels of the other, levels of the own) bool: where two levels say one value."""
        mine, theirs = self._texts(own), self._texts(other)
        return torch.tensor([[a is not None and a == b for a in mine] for b in theirs])

    def _barred(self, own: str, other: str, known: Mapping[Key, str | None]) -> Tensor:
        """Return (levels of the other, levels of the own) bool: where the own one fixes another value."""
        mine, theirs = self._texts(own), self._texts(other)
        return torch.tensor(
            [[a is not None and (a,) in known and known[(a,)] != b for a in mine] for b in theirs], dtype=torch.bool
        )
