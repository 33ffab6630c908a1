"""Columns that go on from where the row before stood: known before a row is drawn, so that it is drawn under them.

A status history's row begins with the status that the row before ended with; put there afterwards, it would stand
beside a next status that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.generation.cells import decoded, units_of, written
from tabgraphsyn.models.absorbing.units import Units
from tabgraphsyn.models.batch import EncodedBatch

Stands = tuple[EncodedBatch, Tensor]


@dataclass(frozen=True)
class Continuing:
    """What rows of families side by side go on from.

    Attributes:
        rules: of the table, along the key by which rows are siblings.
        codec: of the table.
        units: of the network.
        types: of the columns that go on.
    """

    rules: tuple[Continued, ...]
    codec: TableCodec
    units: Units
    types: Mapping[str, pa.DataType]

    @staticmethod
    def of(rules: Iterable[Rule], relation: str | None, codec: TableCodec, units: Units) -> Continuing | None:
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
        row = _nothing(units, 1, "cpu")
        types = {one.column.column: decoded(codec, row, one.column.column).type for one in found}
        return Continuing(found, codec, units, types) if found else None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that go on."""
        return frozenset(one.column.column for one in self.rules)

    def standing(self, last: EncodedBatch | None, rows: int, device: str, stands: Stands | None) -> Stands:
        """Return what of the next rows stands: what they go on from, and what stood before.

        Args:
            last: the rows before, of as many families or more; None where the first rows are drawn.
            rows: how many are drawn.
            device: where they are.
            stands: rows and (rows, units) bool, which units of them stand.
        """
        if stands is None:
            none = torch.zeros(rows, len(self.units.all), dtype=torch.bool, device=device)
            stands = _nothing(self.units, rows, device), none
        for rule in self.rules:
            values = self._next(rule, last, rows)
            own = self.codec.columns[rule.column.column]
            known = np.zeros(rows, dtype=bool) if values is None else own.knows(values)
            if values is None or not known.any():
                continue
            usual = values.filter(pa.array(known))[0]
            values = pc.if_else(pa.array(known), values, usual)
            said = torch.zeros(len(self.units.all), dtype=torch.bool)
            said[[self.units.all.index(one) for one in units_of(self.codec, self.units, rule.column.column)]] = True
            here = (torch.from_numpy(known)[:, None] & said).to(device) & ~stands[1]
            before = stands[0]
            new = written(self.codec, before, rule.column.column, values)
            keeps = ~here.any(1, keepdim=True)
            stands = (
                EncodedBatch(
                    torch.where(keeps, before.numerical, new.numerical),
                    torch.where(keeps, before.categorical, new.categorical),
                ),
                stands[1] | here,
            )
        return stands

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
