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
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import Numbered
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Differ
from tabgraphsyn.generation.cells import decoded, units_of, written
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.batch import EncodedBatch

Stands = tuple[EncodedBatch, Tensor]


@dataclass(frozen=True)
class Ending:
    """A column that the first or last row of a family has from its parent.

    Attributes:
        column: of the rows.
        values: (rows,) the parent's value beside each row, as text, null for none.
        is_end: (rows,) bool, the one row of each family.
    """

    column: str
    values: pa.Array
    is_end: np.ndarray

    def told(self, rows: np.ndarray) -> pa.Array:
        """Return what the column holds in some rows, (n,) int64, null where that is open."""
        return pc.if_else(pa.array(self.is_end[rows]), self.values.take(pa.array(rows)), None)


@dataclass(frozen=True)
class Continuing:
    """What rows of families side by side go on from, and what they end with.

    Attributes:
        rules: of the table, along the key by which rows are siblings.
        codec: of the table.
        units: of the network.
        types: of the columns that go on, or number the rows.
        numbered: what numbers the rows by which columns go on: 1 to n as they are drawn.
        endings: columns that the first or last row of a family has from its parent.
        changing: those of the rules whose two columns differ in every row.
    """

    rules: tuple[Continued, ...]
    codec: TableCodec
    units: Units
    types: Mapping[str, pa.DataType]
    numbered: tuple[Numbered, ...] = ()
    endings: tuple[Ending, ...] = ()
    changing: tuple[Continued, ...] = ()

    @staticmethod
    def of(
        rules: Sequence[Rule],
        relation: str | None,
        codec: TableCodec,
        units: Units,
        endings: Sequence[Ending] = (),
        of_rows: Sequence[Rule] = (),
    ) -> Continuing | None:
        """Return what the rules of a table say, None where they say nothing of columns that stand by themselves.

        Args:
            rules: among rows.
            relation: the key by which rows are siblings.
            codec: of the table.
            units: of the network.
            endings: what rows have from their parents.
            of_rows: rules about single rows.
        """
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
        ending = tuple(
            one
            for one in endings
            if one.column in codec.columns.keys() - derived and codec.columns[one.column].given is None
        )
        names = [*(one.column.column for one in found), *(one.column.column for one in numbered)]
        types = {name: decoded(codec, row, name).type for name in [*names, *(one.column for one in ending)]}
        pairs = [frozenset(one.operands) for one in of_rows if isinstance(one, Differ)]
        changing = tuple(one for one in found if {one.column, one.of} in pairs)
        return Continuing(found, codec, units, types, numbered, ending, changing) if found or ending else None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that stand in every row before it is drawn."""
        return frozenset([*(one.column.column for one in self.rules), *(one.column.column for one in self.numbered)])

    def standing(
        self, last: EncodedBatch | None, position: int, numbers: np.ndarray, device: str, stands: Stands | None
    ) -> Stands:
        """Return what of the next rows stands: what they go on from or end with, their numbers, and what stood before.

        Args:
            last: the rows before, of as many families or more; None where the first rows are drawn.
            position: how many rows their families have already.
            numbers: (rows,) int64, which rows of the table are drawn.
            device: where they are.
            stands: rows and (rows, units) bool, which units of them stand.
        """
        rows = len(numbers)
        if stands is None:
            none = torch.zeros(rows, len(self.units.all), dtype=torch.bool, device=device)
            stands = _nothing(self.units, rows, device), none
        said = {one.column.column: self._next(one, last, rows) for one in self.rules}
        for one in self.numbered:
            said[one.column.column] = pa.array(np.full(rows, one.start + position)).cast(self.types[one.column.column])
        for name, values in said.items():
            if values is not None:
                stands = self._told(name, values, stands)
        for ending in self.endings:
            told = ending.told(numbers)
            if told.null_count < rows:
                values = told.cast(self.types[ending.column], safe=False)
                stands = self._told(ending.column, values, stands, _valid(told) & ~self._left(ending, said, told))
        return stands

    def _left(self, ending: Ending, said: Mapping[str, pa.Array | None], told: pa.Array) -> np.ndarray:
        """Return rows that would end with what they go on from, which a row never does: (rows,) bool."""
        found = np.zeros(len(told), dtype=bool)
        for rule in (one for one in self.changing if one.of.column == ending.column):
            before = said[rule.column.column]
            if before is not None:
                found |= pc.equal(as_text(before), told).fill_null(False).to_numpy(zero_copy_only=False)
        return found

    def _told(self, name: str, values: pa.Array, stands: Stands, asked: np.ndarray | None = None) -> Stands:
        """Return what stands with some values of a column, (rows,), where its codec knows them and it is open."""
        known = self.codec.columns[name].knows(values)
        known = known if asked is None else known & asked
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

    def dead_ends(self) -> dict[str, pa.Array]:
        """Return the levels of columns that no row goes on from, (levels,) text each, see ``ends``."""
        found = {}
        for rule in self.rules:
            own = self.codec.columns[rule.of.column]
            if isinstance(own, CategoricalCodec):
                levels = own.levels.array
                known = self.codec.columns[rule.column.column].knows(self._cast(rule, levels))
                found[rule.of.column] = as_text(levels.filter(pa.array(~known)))
        return found

    def avoided(self, before: np.ndarray) -> dict[str, pa.Array]:
        """Return what the row before a family's last must not hold, (rows,) text by column: what that ends with.

        A ticket that is reopened at last was not open before: its status is another one in each step.

        ``before`` is (rows,) int64, the row before each in its family, negative for none.
        """
        found = {}
        for rule in self.changing:
            for ending in (one for one in self.endings if one.column == rule.of.column):
                last = np.flatnonzero(ending.is_end & (before >= 0))
                source = np.full(len(before), -1)
                source[before[last]] = last
                found[ending.column] = ending.values.take(pa.array(source, mask=source < 0))
        return found

    def _next(self, rule: Continued, last: EncodedBatch | None, rows: int) -> pa.Array | None:
        """Return what a column holds in the next rows, (rows,); None where that is open."""
        if last is not None:
            here = EncodedBatch(last.numerical[:rows], last.categorical[:rows])
            return self._cast(rule, decoded(self.codec, here, rule.of.column))
        return self._cast(rule, pa.nulls(rows)) if rule.opens_empty else None

    def _cast(self, rule: Continued, values: pa.Array) -> pa.Array:
        return values.cast(self.types[rule.column.column], safe=False)


def _valid(values: pa.Array) -> np.ndarray:
    return values.is_valid().to_numpy(zero_copy_only=False)


def _nothing(units: Units, rows: int, device: str) -> EncodedBatch:
    numbers, levels = len(units.layout.numerical), len(units.layout.categorical)
    return EncodedBatch(torch.zeros(rows, numbers), torch.zeros(rows, levels, dtype=torch.int64)).to(device)
