"""Columns of whole numbers, or decimals, with more digits than a float holds. None of them passes through one whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from tabgraphsyn.data.codec.categorical import ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.numerical import Part, is_discrete, number_codec
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.formats import WideFormat
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.plain import Spelling
from tabgraphsyn.data.untrusted import Name

EXACT_BITS = 52
EXACT = 2**53
_DRAWN_BITS = 32
_NOTHING = ConstantCodec("", Levels("int64", (None,)))
LongText = Annotated[str, Meta(pattern=r"^-?\d{1,100}$")]
LongNumber = Annotated[int, Meta(description="of any size")]
# As text: most readers of json lose digits of a number beyond 64 bits.
Long = Annotated[int, Spelling(LongText | LongNumber, str, int)]
Stored = Literal["int64", "string"]


@dataclass(frozen=True)
class WideCodec(ColumnCodec):
    """``base + step * number``: the leading bits of the number are learned, those below are drawn.

    Attributes:
        column: column name.
        type: arrow type of the column: ``int64``, or ``string`` for text of digits.
        scale: decimals of the text.
        bits: how many bits are drawn.
        base: where the lattice begins, in units of the last decimal; numbers of a few lie below.
        step: distance of the lattice on which all values lie.
        most: greatest number; numbers of a few lie above.
        inner: codec of the leading bits.
    """

    kind = "wide"
    says = "groups of large whole numbers and bounds beyond which enough entities lie"
    column: Name
    type: Stored
    scale: Annotated[int, Meta(ge=-100, le=100)]
    bits: Annotated[int, Meta(ge=0, le=400)]
    base: Long
    step: Long
    most: Long
    inner: Part

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: a lattice."""
        yield int(self.step) >= 1 and int(self.most) >= 0, "a step above 0 and numbers of at least 0"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> WideCodec | None:
        """Return the codec of numbers of more digits than a float holds; a few of them are a category."""
        if series.nature != "number":
            return None
        if isinstance(series.column.format, WideFormat):
            scale = series.column.format.scale
        elif series.column.sdtype == "numerical" and beyond_floats(series.counts.distinct):
            scale = 0
            if len(series.counts.counts) < 2 or is_discrete(series.counts, series.config):
                return None
        else:
            return None
        return cls.fit(series.name, series.whole, scale, series.config, series.rows.entities)

    @staticmethod
    def fit(
        column: str, values: pa.Array, scale: int, config: CodecConfig, entities: np.ndarray | None = None
    ) -> WideCodec:
        """Fit to training values of which at least one is filled; (rows,)."""
        wholes = _wholes(values, scale)
        filled = [one for one in wholes if one is not None]
        step = math.gcd(*(one - filled[0] for one in filled)) or 1
        least, largest = _bounds(wholes, entities, config.min_entities)
        base = least - (least - filled[0]) % step
        most = max((largest - base) // step, 0)
        bits = max(most.bit_length() - EXACT_BITS, 0)
        stored = next(one for one in get_args(Stored) if one == str(values.type))
        codec = WideCodec(column, stored, scale, bits, base, step, most, _NOTHING)
        inner = number_codec(column, ValueCounts.of(codec._leading(wholes), entities), config)
        return replace(codec, inner=inner)

    def _leading(self, wholes: Sequence[int | None]) -> pa.Array:
        """Return the leading bits of numbers; what lies beyond the bounds counts as the bound."""
        numbers = (None if one is None else (one - self.base) // self.step for one in wholes)
        held = [None if one is None else min(max(one, 0), self.most) >> self.bits for one in numbers]
        return pa.array(held, pa.int64())

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return self.inner.numerical_fields

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return self.inner.categorical_fields

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool."""
        return self.inner.knows(self._leading(_wholes(values, self.scale)))

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        return self.inner.encode(self._leading(_wholes(values, self.scale)))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        leading = self.inner.decode(numerical, categorical, draw).to_pylist()
        below = _drawn(draw.rng, len(leading), self.bits)
        wholes = [
            None if one is None else self.base + self.step * min((one << self.bits) + low, self.most)
            for one, low in zip(leading, below, strict=True)
        ]
        if self.type == "int64":
            return pa.array(wholes, pa.int64())
        texts = [None if one is None else f"{Decimal(one).scaleb(-self.scale):f}" for one in wholes]
        return pa.array(texts, pa.string())


def beyond_floats(values: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether whole numbers are too large for a float; values are (rows,)."""
    if not pa.types.is_integer(values.type) or len(values) == values.null_count:
        return False
    ends = pc.min_max(values).as_py()
    return bool(max(abs(ends["min"]), abs(ends["max"])) > EXACT)


def _bounds(wholes: Sequence[int | None], entities: np.ndarray | None, min_entities: int) -> tuple[int, int]:
    """Return bounds beyond each of which ``min_entities`` entities lie; of few entities powers of ten."""
    own = [(one, row if entities is None else int(entities[row])) for row, one in enumerate(wholes) if one is not None]
    ends = []
    for ordered in (sorted(own), sorted(own, reverse=True)):
        first = list({entity: one for one, entity in reversed(ordered)}.items())
        values = sorted((one for _, one in first), reverse=ordered[0][0] > ordered[-1][0])
        if min_entities <= 1:
            ends.append(values[0])
        elif len(values) > min_entities:
            ends.append((values[min_entities - 1] + values[min_entities]) // 2)
        else:
            largest = 10 ** len(str(max(abs(one) for one in values)))
            return (-largest if min(values) < 0 else 0), largest
    return min(ends), max(ends)


def _wholes(values: pa.Array, scale: int) -> list[int | None]:
    """Return whole numbers, or texts of decimals in units of their last decimal."""
    if pa.types.is_integer(values.type):
        return values.to_pylist()
    return [None if one is None else int(Decimal(one).scaleb(scale)) for one in values.to_pylist()]


def _drawn(rng: np.random.Generator, rows: int, bits: int) -> Sequence[int]:
    """Return ``bits`` random bits for each row."""
    found = [0] * rows
    while bits > 0:
        part = min(bits, _DRAWN_BITS)
        found = [(one << part) + int(low) for one, low in zip(found, rng.integers(0, 1 << part, rows), strict=True)]
        bits -= part
    return found
