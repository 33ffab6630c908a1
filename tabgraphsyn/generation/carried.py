"""A column that carries on from sibling to sibling, computed row by row while rows are unmasked: a balance.

Drawn by itself, a balance is near what the row before and the amount say, and never there; computed when all rows are
there, it drifts from what the amounts were drawn under. So it stays masked while a row is drawn, is computed then, and
the next row is drawn under what it came to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.codec.repeated import RepeatedCodec
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.generation.cells import decoded, units_of, written
from tabgraphsyn.models.absorbing.columns.units import Unit, Units
from tabgraphsyn.models.batch import EncodedBatch

TRIES = 12
"""How often rows are drawn again that would carry a column beyond all values, at most."""


@dataclass
class Carried:
    """One such column of the rows of families side by side.

    Attributes:
        rule: what it follows from.
        codec: of the table.
        units: of the network, without those of the column: what is drawn.
    """

    rule: Running
    codec: TableCodec
    units: frozenset[Unit]

    @staticmethod
    def of(rule: Running, codec: TableCodec, units: Units) -> Carried | None:
        """Return the column of a rule, None where what it reads is no plain number or level of the table."""
        column, read = rule.column.column, [one.column for one in rule.operands]
        if any(one not in codec.columns for one in read) or {one.column for one in codec.rules} & set(read):
            return None
        if not isinstance(codec.columns[column], NumericalCodec | RepeatedCodec):
            return None
        if any(column in _behind(codec, one) for one in read[1:]):
            return None
        return Carried(rule, codec, frozenset(units.all) - units_of(codec, units, column))

    def drawn(self, position: int) -> frozenset[Unit] | None:
        """Return the units that are drawn at a position; None: all, for the rule does not say what is first."""
        return None if position == 0 and self.rule.start is None else self.units

    def come_to(self, rows: EncodedBatch, last: np.ndarray | None) -> np.ndarray:
        """Return what the column comes to in drawn rows, (rows,) float64; NaN where a row has no amount.

        Args:
            rows: all but the column is drawn.
            last: (rows,) what the siblings before came to, None for first rows.
        """
        added = self._numbers(rows, self.rule.of.column)
        if self.rule.sign_by is not None:
            words = decoded(self.codec, rows, self.rule.sign_by.column).cast(pa.string()).fill_null("").to_pylist()
            added = np.where(np.isin(np.array(words), self.rule.minus or ()), -added, added)
        if last is not None:
            return last + np.nan_to_num(added)
        if self.rule.start is None:
            return self._numbers(rows, self.rule.column.column)
        return self.rule.start + np.nan_to_num(added)

    def beyond(self, value: np.ndarray) -> np.ndarray:
        """Return by how much values, (rows,), lie beyond all that the codec has; 0 within."""
        own = self._own.precision
        return np.nan_to_num(np.maximum(np.maximum(own.minimum - value, value - own.maximum), 0.0))

    def filled(self, rows: EncodedBatch, value: np.ndarray) -> EncodedBatch:
        """Return rows with the column, (rows,) float64, in them."""
        kind = pa.type_for_alias(self._own.type)
        whole = np.rint(value) if pa.types.is_integer(kind) else value
        values = pa.array(whole, pa.float64(), from_pandas=True).cast(kind, safe=False)
        return written(self.codec, rows, self.rule.column.column, values)

    @property
    def _own(self) -> NumericalCodec:
        """The codec of the column's numbers."""
        own = self.codec.columns[self.rule.column.column]
        own = own.number if isinstance(own, RepeatedCodec) else own
        assert isinstance(own, NumericalCodec)
        return own

    def _numbers(self, rows: EncodedBatch, column: str) -> np.ndarray:
        found = decoded(self.codec, rows, column).cast(pa.float64(), safe=False)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.float64)


def _behind(codec: TableCodec, column: str) -> list[str]:
    """Return a column, the one that its values go by, and so on."""
    found: list[str] = []
    name: str | None = column
    while name is not None and name not in found:
        found.append(name)
        name = codec.columns[name].given
    return found
