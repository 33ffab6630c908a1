"""Columns of rows in the making whose fields follow from known ones: read, computed, encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from threading import Lock

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.heeding.nulls import FILLED, NULL, UnmaskedNulls
from tabgraphsyn.generation.heeding.steps import Step
from tabgraphsyn.generation.keeping.rule_parents import BesideParents
from tabgraphsyn.models.absorbing.columns.units import LEVEL
from tabgraphsyn.models.absorbing.drawing import Made
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors

MOST_REMEMBERED = 1 << 18
"""Combinations of levels whose value is remembered, at most; a step that reads more of them computes it each time."""
_ASKED, _NONE, _ONE = 0, 1, 2
Fieldwise = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A column's numbers, its levels, and where they follow: (rows, ...) each."""


class Missing:
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
        """Return rows in which the column is missing, and where it is, (rows,) bool; None where nothing is new."""
        here = (self._nulls.told(self.column, made) == NULL) & ~made.is_known[:, self.gate]
        if not here.any():
            return None
        row = self._row.to(made.is_known.device)
        count = made.rows.rows
        return EncodedBatch(row.numerical.expand(count, -1), row.categorical.expand(count, -1)), here


class Computing:
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
        """Return rows with the target's fields and where it follows, null or not, (rows,) bool; None for nowhere."""
        ready = made.is_known[:, self.inputs].all(1) & ~made.is_known[:, self.places].all(1)
        return self._computed(made, ready)

    def follows(self, made: Made) -> tuple[EncodedBatch, Tensor] | None:
        """Return rows with the target's fields, and where it follows, (rows,) bool; None for nowhere."""
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
