"""Columns of whole numbers, or decimals, with more digits than a float holds. None of them passes through one whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import PARTS
from tabgraphsyn.data.codec.numerical import number_codec
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.layout import CategoricalField, NumericalField

EXACT_BITS = 52
EXACT = 2**53
_DRAWN_BITS = 32


@dataclass(frozen=True)
class WideCodec(ColumnCodec):
    """``base + step * number``: the leading bits of the number are learned, those below are drawn.

    Attributes:
        column: column name.
        type: arrow type of the column: ``int64``, or ``string`` for text of digits.
        scale: decimals of the text.
        base: least value, in units of the last decimal.
        step: distance of the lattice on which all values lie.
        most: greatest number.
        bits: how many bits are drawn.
        inner: codec of the leading bits.
    """

    kind = "wide"
    column: str
    type: str
    scale: int
    base: int
    step: int
    most: int
    bits: int
    inner: ColumnCodec

    @staticmethod
    def fit(column: str, values: pa.Array, scale: int, config: CodecConfig) -> WideCodec:
        """Fit to training values of which at least one is filled."""
        wholes = _wholes(values, scale)
        filled = [one for one in wholes if one is not None]
        base = min(filled)
        step = math.gcd(*(one - base for one in filled)) or 1
        most = (max(filled) - base) // step
        bits = max(most.bit_length() - EXACT_BITS, 0)
        leading = pa.array([None if one is None else ((one - base) // step) >> bits for one in wholes], pa.int64())
        inner = number_codec(column, ValueCounts.of(leading), config)
        return WideCodec(column, str(values.type), scale, base, step, most, bits, inner)

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return self.inner.numerical_fields

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return self.inner.categorical_fields

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``."""
        wholes = _wholes(values, self.scale)
        leading = [None if one is None else ((one - self.base) // self.step) >> self.bits for one in wholes]
        return self.inner.encode(pa.array(leading, pa.int64()))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values."""
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

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        plain = {key: getattr(self, key) for key in ("column", "type", "scale", "bits")}
        # As text: most readers of json lose digits of a number beyond 64 bits.
        long = {key: str(getattr(self, key)) for key in ("base", "step", "most")}
        return {"kind": self.kind, **plain, **long, "inner": self.inner.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> WideCodec:
        """Read the form that ``to_dict`` writes."""
        plain: dict[str, Any] = {key: raw[key] for key in ("column", "type", "scale", "bits")}
        long: dict[str, Any] = {key: int(raw[key]) for key in ("base", "step", "most")}
        return cls(**plain, **long, inner=PARTS[raw["inner"]["kind"]].from_dict(raw["inner"]))


def beyond_floats(values: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether whole numbers are too large for a float."""
    if not pa.types.is_integer(values.type) or len(values) == values.null_count:
        return False
    ends = pc.min_max(values).as_py()
    return bool(max(abs(ends["min"]), abs(ends["max"])) > EXACT)


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
