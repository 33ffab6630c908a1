"""Rules kept while rows are unmasked: what follows is computed as soon as it does, what cannot be has no probability.

What is drawn afterwards is drawn beside the value that the row ends with. Each rule that could not be kept so (a
combination that no five entities hold, most rules among rows) is kept when all rows are made (``rule_keeping``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.heeding.equals import UnmaskedEquals
from tabgraphsyn.generation.heeding.families import UnmaskedFamilies
from tabgraphsyn.generation.heeding.fields import Computing, Missing
from tabgraphsyn.generation.heeding.groups import UnmaskedGroups
from tabgraphsyn.generation.heeding.nulls import FILLED, UnmaskedNulls
from tabgraphsyn.generation.heeding.sets import UnmaskedLimits, joined
from tabgraphsyn.generation.heeding.steps import steps_of
from tabgraphsyn.generation.keeping.rule_parents import BesideParents
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit
from tabgraphsyn.models.absorbing.drawing import Made
from tabgraphsyn.models.batch import EncodedBatch

Found = tuple[Sequence[int], EncodedBatch, Tensor]


class UnmaskedRules:
    """See ``drawing.Heed``.

    Args:
        fields: of the table.
        beside: rules of its rows, with the parents' columns.
        protected: columns that no rule computes.
        masks: of units, which levels can meet what a user asks for, (1, levels) bool.
        families: rules among siblings, None where siblings are not made one after another.
    """

    def __init__(
        self,
        fields: Fields,
        beside: BesideParents | None,
        protected: frozenset[str] = frozenset(),
        masks: Mapping[Unit, Tensor] | None = None,
        families: UnmaskedFamilies | None = None,
    ) -> None:
        self._fields, self._masks, self._families = fields, dict(masks or {}), families or None
        rules = () if beside is None else beside.rules.rules
        self._nulls = UnmaskedNulls(fields, rules, {} if beside is None else beside.nulls())
        steps = []
        if beside is not None:
            args = beside.schema, beside.rules, fields.codec.rules, beside.names, protected, fields, beside.known
            steps = [Computing(fields, beside, self._nulls, one) for one in steps_of(*args)]
        self._steps = [one for one in steps if one.can_be]
        self._missing = [Missing(fields, self._nulls, name) for name in self._nulls.columns if name not in protected]
        limits = None if beside is None else UnmaskedLimits(fields, beside, protected)
        self._limits = limits or None
        self._groups = UnmaskedGroups(fields, rules, protected) or None
        self._equals = None if beside is None else UnmaskedEquals(fields, beside.rules, protected) or None
        self._leveled = {one.gate: one for one in self._steps if one.step.fills and one.has_levels}
        self._null_of = {one.gate: one.column for one in self._missing}
        self._followers: tuple[Missing | Computing, ...] = (*self._missing, *self._steps)
        self._after = self._orders()
        self._first = {fields.group[place] for one in self._steps if not one.step.fills for place in one.inputs}

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to heed."""
        return not (self._followers or self._masks or self._limits or self._groups or self._equals or self._families)

    def _orders(self) -> dict[int, set[int]]:
        """Return for groups the groups that come before them."""
        after: dict[int, set[int]] = {}
        group = self._fields.group
        for step in self._steps:
            for place in step.places:
                after.setdefault(group[place], set()).update(group[one] for one in step.inputs)
        for missing in self._missing:
            after.setdefault(group[missing.gate], set()).update(group[one] for one in self._nulls.after(missing.column))
        for place, before in ({} if self._equals is None else self._equals.after).items():
            after.setdefault(group[place], set()).update(group[one] for one in before)
        return after

    def order(self, groups: Sequence[int]) -> list[int]:
        """See ``drawing.Heed``: each group waits for those that it follows from.

        What fixes another column by a list comes first: a route's distance says more of a flight than its airports do,
        and airports that are drawn for a time in the air do not fit it as well.
        """
        open_, order = sorted(groups, key=lambda one: one not in self._first), []
        while open_:
            waiting = set(open_)
            free = next((one for one in open_ if not self._after.get(one, set()) & (waiting - {one})), open_[0])
            open_.remove(free)
            order.append(free)
        return order

    def follows(self, made: Made, places: Sequence[int] | None) -> Iterator[Found]:
        """See ``drawing.Heed``."""
        changed = None if places is None else set(places)
        while changed is None or changed:
            found: set[int] = set()
            for one in self._followers:
                if changed is None or not one.reads.isdisjoint(changed):
                    hit = one.follows(made)
                    if hit is not None:
                        yield one.places, *hit
                        found.update(one.places)
            changed = found

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """See ``drawing.Heed``: (rows, levels) or (1, levels) bool."""
        masks = [self._masks.get(unit), self._filled(unit, made), self._nulls.allowed(self._fields.place[unit], made)]
        masks += [one.allowed(unit, made) for one in (self._limits, self._groups, self._equals) if one is not None]
        found = joined(None if one is None else one.to(made.is_known.device) for one in masks)
        siblings = None if self._families is None else self._families.allowed(unit, made)
        if siblings is None:
            return found
        siblings = siblings.to(made.is_known.device)
        if found is None:
            return siblings
        # What siblings leave comes after what a row may be.
        both = found & siblings
        return torch.where(both.any(1, keepdim=True), both, found)

    def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
        """See ``drawing.Heed``: (rows,) each."""
        return None if self._limits is None else self._limits.within(unit, made)

    def add(self, rows: EncodedBatch, numbers: Tensor) -> None:
        """See ``drawing.Heed``: (rows,) int64."""
        if self._families is not None:
            self._families.add(rows, numbers)

    def _filled(self, unit: Unit, made: Made) -> Tensor | None:
        """Return which levels a gate may take where there must be a value, (rows, levels) bool; None for all."""
        column = self._null_of.get(self._fields.place[unit])
        if column is None:
            return None
        filled = (self._nulls.told(column, made) == FILLED).unsqueeze(1)
        return ~(filled & self._null_of_levels(column, made)) if filled.any() else None

    def _null_of_levels(self, column: str, made: Made) -> Tensor:
        nulls = self._nulls.nulls(column)
        assert nulls is not None
        return nulls.is_null.to(made.is_known.device).unsqueeze(0)

    def corrected(self, unit: Unit, code: Tensor, made: Made) -> Tensor:
        """See ``drawing.Heed``: a value that follows where there is one takes the level that says so."""
        step = self._leveled.get(self._fields.place[unit]) if unit.kind == LEVEL else None
        hit = None if step is None else step.known(made)
        if step is None or hit is None:
            return code
        rows, here = hit
        is_null = self._null_of_levels(step.step.target, made)[0]
        return torch.where(here & ~is_null[code], rows.categorical[:, unit.field], code)
