"""Columns that go on from where the row before stood: known before a row is drawn, so that it is drawn under them.

A status history's row begins with the status that the row before ended with; put there afterwards, it would stand
beside a next status that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import Numbered
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.generation.cells import decoded, units_of, written
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.batch import EncodedBatch

Stands = tuple[EncodedBatch, Tensor]


@dataclass(frozen=True)
class Continuing:
    """What rows of families side by side go on from.

    Attributes:
        rules: of the table, along the key by which rows are siblings.
        codec: of the table.
        units: of the network.
        types: of the columns that go on, or number the rows.
        numbered: what numbers the rows by which columns go on: 1 to n as they are drawn.
    """

    rules: tuple[Continued, ...]
    codec: TableCodec
    units: Units
    types: Mapping[str, pa.DataType]
    numbered: tuple[Numbered, ...] = ()

    @staticmethod
    def of(rules: Sequence[Rule], relation: str | None, codec: TableCodec, units: Units) -> Continuing | None:
        """Return what the rules of a table say, None where they say nothing of columns that stand by themselves."""
        derived = {one.column for one in codec.rules}
        found = tuple(
            one
            for one in rules
            if isinstance(one, Continued)
            and one.relation == relation
            and {one.column.column, one.of.column} <= codec.columns.keys() - derived
            and codec.columns[one.column.column].given is None
        )
        row, orders = _nothing(units, 1, "cpu"), {one.by for one in found}
        numbered = tuple(
            one
            for one in rules
            if isinstance(one, Numbered)
            and one.relation == relation
            and one.column in orders
            and one.column.column in codec.columns.keys() - derived
            and codec.columns[one.column.column].given is None
        )
        names = [*(one.column.column for one in found), *(one.column.column for one in numbered)]
        types = {name: decoded(codec, row, name).type for name in names}
        return Continuing(found, codec, units, types, numbered) if found else None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that stand before a row is drawn."""
        return frozenset(self.types)

    def standing(
        self, last: EncodedBatch | None, position: int, rows: int, device: str, stands: Stands | None
    ) -> Stands:
        """Return what of the next rows stands: what they go on from, their numbers, and what stood before.

        Args:
            last: the rows before, of as many families or more; None where the first rows are drawn.
            position: how many rows their families have already.
            rows: how many are drawn.
            device: where they are.
            stands: rows and (rows, units) bool, which units of them stand.
        """
        if stands is None:
            none = torch.zeros(rows, len(self.units.all), dtype=torch.bool, device=device)
            stands = _nothing(self.units, rows, device), none
        said = {one.column.column: self._next(one, last, rows) for one in self.rules}
        for one in self.numbered:
            said[one.column.column] = pa.array(np.full(rows, one.start + position)).cast(self.types[one.column.column])
        for name, values in said.items():
            if values is not None:
                stands = self._told(name, values, stands)
        return stands

    def _told(self, name: str, values: pa.Array, stands: Stands) -> Stands:
        """Return what stands with some values of a column, (rows,), where its codec knows them and it is open."""
        known = self.codec.columns[name].knows(values)
        if not known.any():
            return stands
        before, is_said = stands
        new = written(self.codec, before, name, pc.if_else(pa.array(known), values, values.filter(pa.array(known))[0]))
        own = torch.zeros(len(self.units.all), dtype=torch.bool)
        own[[self.units.all.index(one) for one in units_of(self.codec, self.units, name)]] = True
        here = (torch.from_numpy(known)[:, None] & own).to(is_said.device) & ~is_said
        takes = here.any(1, keepdim=True)
        numerical = torch.where(takes, new.numerical, before.numerical)
        return EncodedBatch(numerical, torch.where(takes, new.categorical, before.categorical)), is_said | here

    def ends(self, rows: EncodedBatch) -> np.ndarray:
        """Return rows that no row goes on from, (rows,) bool: no training row begins with what they hold."""
        found = np.zeros(rows.rows, dtype=bool)
        for rule in self.rules:
            values = self._cast(rule, decoded(self.codec, rows, rule.of.column))
            found |= ~self.codec.columns[rule.column.column].knows(values)
        return found

    def _next(self, rule: Continued, last: EncodedBatch | None, rows: int) -> pa.Array | None:
        """Return what a column holds in the next rows, (rows,); None where that is open."""
        if last is not None:
            here = EncodedBatch(last.numerical[:rows], last.categorical[:rows])
            return self._cast(rule, decoded(self.codec, here, rule.of.column))
        return self._cast(rule, pa.nulls(rows)) if rule.opens_empty else None

    def _cast(self, rule: Continued, values: pa.Array) -> pa.Array:
        return values.cast(self.types[rule.column.column], safe=False)


def _nothing(units: Units, rows: int, device: str) -> EncodedBatch:
    numbers, levels = len(units.layout.numerical), len(units.layout.categorical)
    return EncodedBatch(torch.zeros(rows, numbers), torch.zeros(rows, levels, dtype=torch.int64)).to(device)
