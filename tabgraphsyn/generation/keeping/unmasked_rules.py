"""Rules kept while rows are unmasked: what follows is computed as soon as it does, what cannot be has no probability.

What is drawn afterwards is drawn beside the value that the row ends with. Each rule that could not be kept so (a
combination that no five entities hold, a rule among several rows) is kept when all rows are made (``rule_keeping``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from threading import Lock

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.keeping.rule_parents import BesideParents
from tabgraphsyn.generation.keeping.unmasked_groups import UnmaskedGroups
from tabgraphsyn.generation.keeping.unmasked_nulls import FILLED, NULL, UnmaskedNulls
from tabgraphsyn.generation.keeping.unmasked_sets import UnmaskedLimits, joined
from tabgraphsyn.generation.keeping.unmasked_steps import Step, steps_of
from tabgraphsyn.models.absorbing.drawing import Made
from tabgraphsyn.models.absorbing.units import LEVEL, Unit
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors

MOST_REMEMBERED = 1 << 18
"""Combinations of levels whose value is remembered, at most; a step that reads more of them computes it each time."""
_ASKED, _NONE, _ONE = 0, 1, 2
Found = tuple[Sequence[int], EncodedBatch, Tensor]
Fieldwise = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A column's numbers, its levels, and where they follow: (rows, ...) each."""


class UnmaskedRules:
    """See ``drawing.Heed``.

    Args:
        fields: of the table.
        beside: rules of its rows, with the parents' columns.
        protected: columns that no rule computes.
        masks: of units, which levels can meet what a user asks for, (1, levels) bool.
    """

    def __init__(
        self,
        fields: Fields,
        beside: BesideParents | None,
        protected: frozenset[str] = frozenset(),
        masks: Mapping[Unit, Tensor] | None = None,
    ) -> None:
        self._fields, self._masks = fields, dict(masks or {})
        rules = () if beside is None else beside.rules.rules
        self._nulls = UnmaskedNulls(fields, rules, {} if beside is None else beside.nulls())
        steps = []
        if beside is not None:
            args = beside.schema, beside.rules, fields.codec.rules, beside.names, protected, fields
            steps = [_Computing(fields, beside, self._nulls, one) for one in steps_of(*args)]
        self._steps = [one for one in steps if one.can_be]
        self._missing = [_Missing(fields, self._nulls, name) for name in self._nulls.columns if name not in protected]
        limits = None if beside is None else UnmaskedLimits(fields, beside, protected)
        self._limits = limits or None
        self._groups = UnmaskedGroups(fields, rules, protected) or None
        self._leveled = {one.gate: one for one in self._steps if one.step.fills and one.has_levels}
        self._null_of = {one.gate: one.column for one in self._missing}
        self._followers: tuple[_Missing | _Computing, ...] = (*self._missing, *self._steps)
        self._after = self._orders()
        self._first = {fields.group[place] for one in self._steps if not one.step.fills for place in one.inputs}

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to heed."""
        return not (self._followers or self._masks or self._limits or self._groups)

    def _orders(self) -> dict[int, set[int]]:
        """Return for groups the groups that come before them."""
        after: dict[int, set[int]] = {}
        group = self._fields.group
        for step in self._steps:
            for place in step.places:
                after.setdefault(group[place], set()).update(group[one] for one in step.inputs)
        for missing in self._missing:
            after.setdefault(group[missing.gate], set()).update(group[one] for one in self._nulls.after(missing.column))
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
        masks = [self._masks.get(unit), self._filled(unit, made)]
        masks += [one.allowed(unit, made) for one in (self._limits, self._groups) if one is not None]
        return joined(None if one is None else one.to(made.is_known.device) for one in masks)

    def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
        """See ``drawing.Heed``: (rows,) each."""
        return None if self._limits is None else self._limits.within(unit, made)

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


class _Missing:
    """A column that is missing because another one says so."""

    def __init__(self, fields: Fields, nulls: UnmaskedNulls, column: str) -> None:
        self.column, self._nulls = column, nulls
        self.places, self.reads = fields.places[column], nulls.reads(column)
        own = nulls.nulls(column)
        assert own is not None
        self.gate = own.place
        given = fields.codec.columns[column].given
        blank = fields.codec.first_levels(1)
        encoded, _ = fields.encoded(
            column, pa.nulls(1, fields.types[column]), None if given is None else fields.values(given, *blank)
        )
        numbers, levels = fields.codec.places[column]
        blank[0][:, numbers], blank[1][:, levels] = encoded.numerical.mean(axis=2), encoded.categorical
        layout = fields.units.layout
        narrow = EncodedBatch(torch.from_numpy(blank[0]), torch.from_numpy(blank[1]))
        self._row = narrow.wide(len(layout.numerical), len(layout.categorical))

    def follows(self, made: Made) -> tuple[EncodedBatch, Tensor] | None:
        here = (self._nulls.told(self.column, made) == NULL) & ~made.is_known[:, self.gate]
        if not here.any():
            return None
        row = self._row.to(made.is_known.device)
        count = made.rows.rows
        return EncodedBatch(row.numerical.expand(count, -1), row.categorical.expand(count, -1)), here


class _Computing:
    """A step as fields: read, computed, encoded; by levels alone, each combination once."""

    def __init__(self, fields: Fields, beside: BesideParents, nulls: UnmaskedNulls, step: Step) -> None:
        self.step, self._fields, self._beside, self._nulls = step, fields, beside, nulls
        self.places = list(fields.places[step.target])
        self.inputs = sorted({place for name in step.inputs for place in fields.units_of(name)})
        own = nulls.nulls(step.target)
        self.gate = None if own is None else own.place
        self.has_levels = own is not None and int((~own.is_null).sum()) > 1
        self.can_be = not step.fills or own is not None or nulls.is_never(step.target)
        self.reads = {*self.inputs, *(nulls.reads(step.target) if step.fills else ())}
        self.reads |= {self.gate} if step.fills and self.gate is not None else set()
        self._own_levels = [place for place in self.places if fields.units.all[place].kind == LEVEL]
        units = [fields.units.all[place] for place in self.inputs]
        sizes = [fields.codec.layout.categorical[one.field].levels for one in units if one.kind == LEVEL]
        by_levels = 0 < len(sizes) == len(units) and not step.beside and prod(sizes) <= MOST_REMEMBERED
        self._memory = _Memory([one.field for one in units], sizes) if by_levels else None

    def known(self, made: Made) -> tuple[EncodedBatch, Tensor] | None:
        """Return rows with the target's fields where it follows from what is known, whether it is null or not."""
        ready = made.is_known[:, self.inputs].all(1) & ~made.is_known[:, self.places].all(1)
        return self._computed(made, ready)

    def follows(self, made: Made) -> tuple[EncodedBatch, Tensor] | None:
        """Return rows with the target's fields, and where it follows."""
        ready = made.is_known[:, self.inputs].all(1) & ~made.is_known[:, self.places].all(1)
        if self.step.fills and ready.any():
            ready &= self._nulls.state(self.step.target, made) == FILLED
        return self._computed(made, ready)

    def _computed(self, made: Made, ready: Tensor) -> tuple[EncodedBatch, Tensor] | None:
        if not ready.any():
            return None
        device, layout = made.is_known.device, self._fields.units.layout
        places = torch.nonzero(ready)[:, 0]
        numerical = made.rows.numerical[places].cpu().numpy()
        categorical = made.rows.categorical[places].cpu().numpy()
        if self._memory is None:
            numbers = None if made.numbers is None else made.numbers[places.cpu()].numpy()
            own_numbers, own_levels, where = self._encoded(numerical, categorical, numbers)
        else:
            own_numbers, own_levels, where = self._memory.asked(
                categorical, lambda one: self._encoded(numerical[one], categorical[one], None)
            )
        rows = EncodedBatch(
            torch.zeros(made.rows.rows, len(layout.numerical), device=device),
            torch.zeros(made.rows.rows, len(layout.categorical), dtype=torch.int64, device=device),
        )
        at = self._fields.codec.places[self.step.target]
        rows.numerical[places, at[0]] = torch.from_numpy(own_numbers).to(device)
        rows.categorical[places, at[1]] = torch.from_numpy(own_levels).to(device)
        here = torch.zeros_like(ready)
        here[places] = torch.from_numpy(where).to(device)
        for place in self._own_levels:  # a level that stands is not written over
            field = self._fields.units.all[place].field
            here &= ~made.is_known[:, place] | (rows.categorical[:, field] == made.rows.categorical[:, field])
        return (rows, here) if here.any() else None

    def _encoded(self, numerical: np.ndarray, categorical: np.ndarray, numbers: np.ndarray | None) -> Fieldwise:
        """Return the target's fields in some rows."""
        fields, step = self._fields, self.step
        columns = {name: fields.values(name, numerical, categorical) for name in step.inputs}
        if step.beside:
            assert numbers is not None
            above = self._beside.columns(numbers)
            columns |= {name: above[name] for name in step.beside}
        values, where = step.made(columns)
        where = where.copy()
        for name in step.inputs:
            where &= fields.is_certain(name, categorical)
        given = fields.codec.columns[step.target].given
        own = np.flatnonzero(where)
        at = pa.array(own)
        encoded, ok = fields.encoded(step.target, values.take(at), None if given is None else columns[given].take(at))
        where[own[~ok]] = False
        found_numbers = np.zeros((len(where), _width(fields, step.target, 0)), dtype=np.float32)
        found_levels = np.zeros((len(where), _width(fields, step.target, 1)), dtype=np.int64)
        if ok.any():
            middle = EncodedTensors.from_encoded(EncodedTable(encoded.numerical, encoded.categorical)).middle()
            found_numbers[own[ok]] = middle.numerical.numpy()[ok]
            found_levels[own[ok]] = middle.categorical.numpy()[ok]
        return found_numbers, found_levels, where


def _width(fields: Fields, column: str, which: int) -> int:
    place = fields.codec.places[column][which]
    return place.stop - place.start


class _Memory:
    """What follows from each combination of some levels, once it was asked.

    Args:
        fields: the categorical fields.
        sizes: how many levels each has.
    """

    def __init__(self, fields: Sequence[int], sizes: Sequence[int]) -> None:
        self._fields, self._sizes, self._lock = list(fields), tuple(sizes), Lock()
        self._where = np.full(prod(sizes), _ASKED, dtype=np.int8)
        self._place = np.zeros(prod(sizes), dtype=np.int32)
        self._numbers, self._levels = np.zeros((0, 0), np.float32), np.zeros((0, 0), np.int64)

    def asked(self, categorical: np.ndarray, made: Callable[[np.ndarray], Fieldwise]) -> Fieldwise:
        """Return what follows in some rows; ``made`` says it of rows by their places."""
        code = np.ravel_multi_index(tuple(categorical[:, self._fields].T), self._sizes)
        with self._lock:
            new, first = np.unique(code, return_index=True)
            new, first = new[self._where[new] == _ASKED], first[self._where[new] == _ASKED]
            if len(new):
                numbers, levels, where = made(first)
                start = len(self._numbers)
                self._numbers = np.concatenate([self._numbers.reshape(start, numbers.shape[1]), numbers])
                self._levels = np.concatenate([self._levels.reshape(start, levels.shape[1]), levels])
                self._place[new] = start + np.arange(len(new))
                self._where[new] = np.where(where, _ONE, _NONE)
            place = self._place[code]
            return self._numbers[place], self._levels[place], self._where[code] == _ONE
