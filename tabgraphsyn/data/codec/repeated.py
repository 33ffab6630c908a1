"""Columns of numbers that often hold the very number of another column of the row: a payment is last month's bill.

No density says "the same as that number". It is a level of the number's gate, beside the frequent values; what is
decoded is the other column's value of the same made row, to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.counts import as_numpy
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.untrusted import Name

REPEATED_SHARE = 0.01
"""Share of the rows that repeat the other column's number, frequent values aside, from which on it is a level."""
REPEATED_ROWS = 20
SPIKE = 5.0
"""How many times as many rows hold the same number as hold one next to it, and as would by chance."""
PROBE_ROWS = 20_000
COLUMNS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class RepeatedCodec(ColumnCodec):
    """A number whose gate has one level more, the last one: it is the number of the column ``given``.

    Fields: those of ``number``, and ``<column>:gate`` where that has none.

    Attributes:
        column: column name.
        given: the column that is repeated; decoded before.
        number: codec of the numbers that repeat none.
    """

    kind = "repeated"
    says = "groups of numbers, bounds and precision, and the column whose number it often repeats"
    needs_given = False
    column: Name
    given: Name
    number: NumericalCodec

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: another column, and one gate."""
        yield self.column != self.given, "the number of another column"
        yield self.number.missing != "factor", "missing numbers are a level of the gate"

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of numbers that repeat another one; which repeats which goes round in no circle."""
        if fitting.config.dependencies == "ignore" or fitting.config.missing == "factor":
            return {}
        numbers = {
            name: codec for name, codec in fitting.codecs.items()
            if isinstance(codec, NumericalCodec) and not codec.type.startswith("uint64")
        }  # fmt: skip
        numbers = dict(list(numbers.items())[:COLUMNS_MAX])
        found = repeated_columns(numbers, fitting.rows.sampled(list(numbers)) if len(numbers) > 1 else {})
        return {name: cls(column=name, given=given, number=numbers[name]) for name, given in found.items()}

    @property
    def _level(self) -> int:
        """The level that says: the same number."""
        own = self.number.categorical_fields
        return own[0].levels if own else 1

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return (NumericalField(self.column, 0),)

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return (CategoricalField(f"{self.column}:gate", self._level + 1),)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, 1, 2) and (rows, 1); without ``given`` no row repeats it."""
        own = self.number.encode(values)
        gate = own.categorical if own.categorical.shape[1] else np.zeros((len(values), 1), np.int32)
        if given is None:
            return EncodedColumn(own.numerical, gate)
        repeats = (gate[:, 0] == 0) & same_number(values, given)
        numerical = own.numerical.copy()
        numerical[repeats, 0] = self.number.normalisation.neutral()
        return EncodedColumn(numerical, np.where(repeats[:, None], self._level, gate).astype(np.int32))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,): the other column's within the bounds, and on the lattice, of this one.

        Where that one is missing, the number is this column's own.
        """
        assert draw.given is not None
        repeats = categorical[:, 0] == self._level
        gate = np.where(repeats[:, None], 0, categorical)
        own = self.number.decode(numerical, gate, draw)
        other = _floats(draw.given)
        here = repeats & ~np.isnan(other)
        if not here.any():
            return own
        held = self.number.precision.snap(other[here])
        whole = np.rint(held).astype(np.int64) if pa.types.is_integer(own.type) else held
        place = np.cumsum(here) - 1
        return pc.if_else(pa.array(here), pa.array(whole, own.type).take(pa.array(np.maximum(place, 0))), own)


def same_number(values: pa.Array, others: pa.Array) -> np.ndarray:
    """Return where two columns hold the same number, (rows,) bool; null is the same as nothing.

    >>> same_number(pa.array([1, 2, None]), pa.array([1.0, 2.5, None])).tolist()
    [True, False, False]
    """
    if values.type != others.type:
        values, others = values.cast(pa.float64(), safe=False), others.cast(pa.float64(), safe=False)
    return as_numpy(pc.fill_null(pc.equal(values, others), False)).astype(bool)


def repeated_columns(codecs: Mapping[str, NumericalCodec], values: Mapping[str, pa.Array]) -> dict[str, str]:
    """Return which column repeats which: of those before it, the one whose number it holds in the most rows.

    Args:
        codecs: columns of numbers, in the order of the schema: what is repeated stands before what repeats it, so that
            no circle can come about.
        values: (rows,) of each, training rows.
    """
    rows = max(map(len, values.values()), default=0)
    probed = pa.array(np.linspace(0, rows - 1, min(rows, PROBE_ROWS)).astype(np.int64))
    numbers = {name: _free_numbers(codecs[name], own.take(probed)) for name, own in values.items()}
    names, found = list(numbers), {}
    for place, name in enumerate(names):
        rows_of = {given: _repeats(codecs, numbers, name, given) for given in names[:place]}
        if any(rows_of.values()):
            found[name] = max(rows_of, key=lambda given: rows_of[given])
    return found


def _free_numbers(codec: NumericalCodec, values: pa.Array) -> np.ndarray:
    """Return (rows,) float64, NaN where a value is missing or frequent."""
    is_atom = codec.atoms.index(values) >= 0
    return np.where(is_atom, np.nan, _floats(values))


def _repeats(codecs: Mapping[str, NumericalCodec], numbers: Mapping[str, np.ndarray], name: str, given: str) -> int:
    """Return how many rows hold the same number in two columns; 0 where that may be chance or mere nearness."""
    own, other = numbers[name], numbers[given]
    same = int((own == other).sum())
    if same < max(REPEATED_SHARE * len(own), REPEATED_ROWS):
        return 0
    step = max(codecs[name].precision.step, codecs[given].precision.step)
    return same if same >= SPIKE * max(_next_to(own, other, step), _by_chance(own, other)) else 0


def _next_to(one: np.ndarray, other: np.ndarray, step: float) -> float:
    """Return how many rows of (rows,) numbers are one step apart, on each side."""
    with np.errstate(over="ignore"):  # what is infinitely far apart is no step apart
        apart = np.abs(one - other)
    return float(((apart > 0) & (apart <= step * (1 + 1e-9))).sum()) / 2


def _by_chance(one: np.ndarray, other: np.ndarray) -> float:
    """Return how many rows would hold the same number if (rows,) columns were independent."""
    (mine, own), (theirs, own_theirs) = (np.unique(x[~np.isnan(x)], return_counts=True) for x in (one, other))
    _, here, there = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
    return float((own[here] * own_theirs[there]).sum()) / len(one)


def _floats(values: pa.Array) -> np.ndarray:
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
